/* IKEv1 payload chains with the bodies in them; the first byte is the type of the first payload. */
#include "wire/roundtrip.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size && roundtrip_chain_v1(bytes_of(data + 1, size - 1), data[0]) == RT_BROKEN)
        abort();
    return 0;
}
