/* Any bytes as a frame: what is taken lies within them, and its header can be written again. */
#include "io/frame.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool fine)
{
    if (!fine)
        abort();
}

/* Taken again behind a header of our own, everything is as it was. */
static void again(const struct io_msg *m)
{
    uint8_t buf[FRAME_IP6 + 65535];
    struct io_msg answer = *m, back = {.data = buf};
    answer.local = m->remote;
    answer.remote = m->local;
    size_t header = frame_put_ip(buf, &answer, 7);
    memcpy(buf + header, m->data, m->len);
    back.len = (uint32_t)header + m->len;
    frame_take_ip(&back);
    check(back.len == m->len && back.tos == m->tos && back.data == buf + header);
    check(addr_eq(&back.local.addr, &m->local.addr));
    check(addr_eq(&back.remote.addr, &m->remote.addr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1); /* its own size, so that reading past it is seen */
    if (!copy || n > 65535) {
        free(copy);
        return 0;
    }
    memcpy(copy, data, n);
    for (int ether = 0; ether < 2; ether++) {
        struct io_msg m = {.data = copy, .len = (uint32_t)n};
        if (ether)
            frame_take_ether(&m);
        else
            frame_take_ip(&m);
        check(m.len == 0 || (m.data >= copy && m.data + m.len <= copy + n));
        if (m.len)
            again(&m);
    }
    free(copy);
    return 0;
}
