/* KE, nonce, AUTH, CERT, CERTREQ, Vendor ID and CP bodies; the first byte chooses. */
#include "wire/payload.h"
#include "wire/roundtrip.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t types[] = {PL_KE,      PL_NONCE,  PL_AUTH, PL_CERT,
                                    PL_CERTREQ, PL_VENDOR, PL_CP};
    if (size == 0)
        return 0;
    uint8_t type = types[data[0] % sizeof types];
    if (roundtrip_body(type, bytes_of(data + 1, size - 1)) == RT_BROKEN)
        abort();
    return 0;
}
