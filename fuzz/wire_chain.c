/* Payload chains; the first byte names the first payload. What is accepted must round-trip. */
#include "wire/roundtrip.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size && roundtrip_chain(bytes_of(data + 1, size - 1), data[0]) == RT_BROKEN)
        abort();
    return 0;
}
