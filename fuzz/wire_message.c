/* Whole IKE messages. The length field is also tried as if it were right, to get past it. */
#include "wire/ike_hdr.h"
#include "wire/roundtrip.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (roundtrip_message(bytes_of(data, size)) == RT_BROKEN)
        abort();
    if (size < IKE_HDR_LEN)
        return 0;
    uint8_t *p = malloc(size);
    if (!p)
        return 0;
    memcpy(p, data, size);
    put_u32(p + 24, (uint32_t)size);
    if (roundtrip_message(bytes_of(p, size)) == RT_BROKEN)
        abort();
    free(p);
    return 0;
}
