/* Messages that come in parts: see parts.h. Used by v1/frag.c and v2/frag.c. */
#include "ike/parts.h"
#include <stdlib.h>

struct ike_parts {
    uint32_t msg_id;
    uint8_t exchange;
    uint16_t id, total, have;
    size_t bytes;
    struct ike_msg part[IKE_PARTS_MAX];
};

void parts_free(struct ike_parts **p)
{
    if (!*p)
        return;
    for (size_t i = 0; i < IKE_PARTS_MAX; i++) {
        secret_wipe((*p)->part[i].p, (*p)->part[i].n); /* IKEv2's are decrypted */
        ike_msg_free(&(*p)->part[i]);
    }
    free(*p);
    *p = NULL;
}

static bool same_message(const struct ike_parts *p, const struct ike_part *q)
{
    return p && p->msg_id == q->msg_id && p->exchange == q->exchange && p->id == q->id;
}

uint16_t parts_total(const struct ike_parts *p, const struct ike_part *part)
{
    return same_message(p, part) ? p->total : 0;
}

static bool sensible(const struct ike_part *q)
{
    return q->number && q->number <= IKE_PARTS_MAX && q->total <= IKE_PARTS_MAX && q->data.n &&
           q->data.n <= IKE_PARTS_BYTES && (!q->total || q->number <= q->total);
}

static bool begin(struct ike *e, struct ike_parts **p, const struct ike_part *q)
{
    parts_free(p);
    *p = calloc(1, sizeof **p);
    if (!*p) {
        ike_fail(e, E_NOMEM);
        return false;
    }
    (*p)->msg_id = q->msg_id;
    (*p)->exchange = q->exchange;
    (*p)->id = q->id;
    return true;
}

/* Does the part say otherwise than what is there: other bytes, another end? */
static bool contradicts(const struct ike_parts *p, const struct ike_part *q)
{
    const struct ike_msg *at = &p->part[q->number - 1];
    bool other = at->p && !bytes_eq(bytes_of(at->p, at->n), q->data);
    bool end = q->total && p->total && q->total != p->total;
    bool behind = p->total && q->number > p->total;
    for (size_t i = q->total; q->total && i < IKE_PARTS_MAX; i++)
        behind |= p->part[i].p != NULL;
    return other || end || behind;
}

enum parts_state parts_add(struct ike *e, struct ike_parts **p, const struct ike_part *q)
{
    if (!sensible(q))
        return PARTS_BAD;
    if ((!same_message(*p, q) || contradicts(*p, q)) && !begin(e, p, q))
        return PARTS_BAD;
    struct ike_parts *m = *p;
    struct ike_msg *at = &m->part[q->number - 1];
    if (at->p)
        return PARTS_AGAIN;
    if (m->bytes + q->data.n > IKE_PARTS_BYTES) {
        parts_free(p);
        return PARTS_BAD;
    }
    if (!ike_msg_set(e, at, q->data))
        return PARTS_BAD;
    m->bytes += q->data.n;
    m->have++;
    if (q->total)
        m->total = q->total;
    return m->have == m->total ? PARTS_DONE : PARTS_WAIT;
}

struct bytes parts_join(struct ike *e, struct arena *a, struct ike_parts **p)
{
    uint8_t *all = arena_alloc(a, (*p)->bytes);
    if (!all)
        ike_fail(e, E_NOMEM);
    size_t n = 0;
    for (size_t i = 0; all && i < (*p)->total; i++) {
        memcpy(all + n, (*p)->part[i].p, (*p)->part[i].n);
        n += (*p)->part[i].n;
    }
    parts_free(p);
    return bytes_of(all, n);
}

/* --- peers without SA --- */

#define STRANGERS_MAX 32
#define STRANGER_MS   30000

struct stranger {
    struct list link; /* oldest first */
    struct endpoint from;
    uint64_t spi_i, since_ms;
    struct ike_parts *parts;
};

static void forget(struct ike *e, struct stranger *s)
{
    list_del(&s->link);
    e->stranger_count--;
    parts_free(&s->parts);
    free(s);
}

void parts_strangers_free(struct ike *e)
{
    list_each_safe (it, nx, &e->strangers)
        forget(e, container_of(it, struct stranger, link));
}

static void make_room(struct ike *e)
{
    list_each_safe (it, nx, &e->strangers) {
        struct stranger *s = container_of(it, struct stranger, link);
        if (e->stranger_count < STRANGERS_MAX && s->since_ms + STRANGER_MS > e->now)
            return;
        forget(e, s);
    }
}

struct ike_parts **parts_of_stranger(struct ike *e, const struct ike_pkt *p)
{
    list_each (it, &e->strangers) {
        struct stranger *s = container_of(it, struct stranger, link);
        if (s->spi_i == p->spi_i && endpoint_eq(&s->from, &p->remote))
            return &s->parts;
    }
    make_room(e);
    struct stranger *s = calloc(1, sizeof *s);
    if (!s) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    s->from = p->remote;
    s->spi_i = p->spi_i;
    s->since_ms = e->now;
    list_init(&s->link);
    list_add_tail(&e->strangers, &s->link);
    e->stranger_count++;
    return &s->parts;
}
