/* Actions of a step and strings for them, all in the step's arena. Used by the whole engine. */
#include "ike/engine.h"
#include "wire/ike_hdr.h"

void ike_fail(struct ike *e, err_t err)
{
    if (!e->err)
        e->err = err;
}

void *ike_alloc(struct ike *e, size_t n)
{
    void *p = arena_alloc(&e->out->arena, n);
    if (!p)
        ike_fail(e, E_NOMEM);
    return p;
}

/* Never NULL: without memory the action goes to a place that nobody reads, and the step fails. */
struct ike_act *ike_act_add(struct ike *e, enum ike_act_kind kind)
{
    struct ike_act *a = ike_alloc(e, sizeof *a);
    if (!a) {
        e->lost = (struct ike_act){.kind = kind};
        return &e->lost;
    }
    a->kind = kind;
    if (e->out->last)
        e->out->last->next = a;
    else
        e->out->first = a;
    e->out->last = a;
    return a;
}

size_t ike_datagram_room(const struct ike *e, const struct ike_sa *sa)
{
    size_t ip = sa->remote.addr.family == 6 ? 40 : 20, udp = 8;
    return e->set.fragment_size - ip - udp - (sa->natt ? NON_ESP_MARKER_LEN : 0);
}

static void send_one(struct ike *e, const struct endpoint *local, const struct endpoint *remote,
                     bool natt, struct bytes msg)
{
    struct bytes copy = arena_copy(&e->out->arena, msg);
    if (!copy.p) {
        ike_fail(e, E_NOMEM);
        return;
    }
    struct ike_act *a = ike_act_add(e, ACT_SEND);
    a->local = *local;
    a->remote = *remote;
    a->natt = natt;
    a->data = copy;
    e->stats.packets_out++;
}

void ike_send_to(struct ike *e, const struct endpoint *local, const struct endpoint *remote,
                 bool natt, struct bytes msg)
{
    for (size_t n; msg.n; msg = bytes_of(msg.p + n, msg.n - n)) {
        n = msg.n > IKE_HDR_LEN ? get_u32(msg.p + 24) : msg.n;
        if (n < IKE_HDR_LEN || n > msg.n)
            n = msg.n;
        send_one(e, local, remote, natt, bytes_of(msg.p, n));
    }
}

void ike_send(struct ike *e, struct ike_sa *sa, struct bytes msg)
{
    ike_send_to(e, &sa->local, &sa->remote, sa->natt, msg);
    sa->sent_ms = e->now;
}

const char *ike_str(struct ike *e, const char *s)
{
    if (!s)
        return NULL;
    struct bytes b = arena_copy(&e->out->arena, bytes_of(s, strlen(s) + 1));
    return b.p ? (const char *)b.p : "";
}

const char *ike_strf(struct ike *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *s = arena_vprintf(&e->out->arena, fmt, ap);
    va_end(ap);
    return s ? s : "";
}

const char *ike_str_buf(struct ike *e, struct buf *b)
{
    const char *s = ike_str(e, buf_str(b));
    buf_free(b);
    return s;
}

const char *ike_str_id(struct ike *e, const struct id *id)
{
    struct buf b = {0};
    id_print(id, &b);
    return ike_str_buf(e, &b);
}

const char *ike_str_ts(struct ike *e, const struct ts_list *l)
{
    struct buf b = {0};
    ts_list_print(l, &b);
    return ike_str_buf(e, &b);
}

uint64_t ike_random_u64(struct ike *e)
{
    uint64_t v;
    e->env.random(e->env.ctx, &v, sizeof v);
    return v;
}

uint32_t ike_random_below(struct ike *e, uint64_t limit)
{
    return limit ? (uint32_t)(ike_random_u64(e) % limit) : 0;
}
