/* Identification payloads: whatever is accepted must survive writing and parsing again. */
#include "wire/payload.h"
#include "wire/roundtrip.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (roundtrip_body(PL_IDI, bytes_of(data, size)) == RT_BROKEN)
        abort();
    return 0;
}
