/* ICMP errors on the loop: see path_icmp.h. */
#include "daemon/path_icmp.h"
#include "io/clock.h"
#include <stdlib.h>

enum { A_SECOND = 200, WEAK_A_SECOND = 2, A_TURN = 32 };

struct path_icmp {
    struct icmp_port port;
    struct path_icmp_sink sink;
    struct one {
        uv_poll_t poll;
        struct path_icmp *p;
        int at;
    } one[2];
    uint64_t second;
    unsigned taken, weak; /* in this second */
};

static bool may_take(struct path_icmp *p, const struct icmp_quote *q)
{
    uint64_t second = clock_now_ms() / 1000;
    if (second != p->second)
        p->taken = p->weak = 0;
    p->second = second;
    return q->weak ? p->weak++ < WEAK_A_SECOND : p->taken++ < A_SECOND;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    const struct one *o = h->data;
    struct icmp_quote q;
    bool any = true;
    (void)status;
    (void)events;
    for (int i = 0; i < A_TURN && any; i++)
        if (icmp_next(&o->p->port, o->at, &q, &any) && may_take(o->p, &q))
            o->p->sink.quote(o->p->sink.ctx, &q);
}

struct path_icmp *path_icmp_open(uv_loop_t *loop, const struct path_icmp_sink *sink,
                                 struct io_error *err)
{
    struct path_icmp *p = calloc(1, sizeof *p);
    if (!p || icmp_open(&p->port, err)) {
        free(p);
        return NULL;
    }
    p->sink = *sink;
    for (int at = 0; at < 2; at++) {
        struct one *o = &p->one[at];
        *o = (struct one){.p = p, .at = at};
        if (p->port.fd[at] < 0)
            continue;
        o->poll.data = o;
        uv_poll_init(loop, &o->poll, p->port.fd[at]);
        uv_poll_start(&o->poll, UV_READABLE, on_readable);
    }
    return p;
}

void path_icmp_close(struct path_icmp *p)
{
    for (int at = 0; p && at < 2; at++)
        if (p->port.fd[at] >= 0 && !uv_is_closing((uv_handle_t *)&p->one[at].poll))
            uv_close((uv_handle_t *)&p->one[at].poll, NULL);
}

void path_icmp_free(struct path_icmp *p)
{
    if (p)
        icmp_close(&p->port);
    free(p);
}
