/*
 * VICI messages: no input crashes, and whatever is accepted is written again byte for byte, because
 * the format has one encoding only. Entry: vici_decode.
 */
#include <culvert/vici.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vnode *m;
    if (vici_decode(bytes_of(data, size), &m)) {
        if (m)
            abort();
        return 0;
    }
    struct buf again = {0};
    if (vici_encode(m, &again) || !bytes_eq(bytes_of(again.s, again.n), bytes_of(data, size)))
        abort();
    buf_free(&again);
    vnode_free(m);
    return 0;
}
