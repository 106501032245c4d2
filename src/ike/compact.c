/* Compact copies: see compact.h. 20,000 SAs must not carry 20,000 empty arrays. */
#include "ike/compact.h"
#include <stdlib.h>

struct id_pair *id_pair_new(const struct id *local, const struct id *remote)
{
    struct id_pair *p = malloc(sizeof *p + local->len + remote->len);
    if (!p)
        return NULL;
    p->type[0] = local->type;
    p->type[1] = remote->type;
    p->len[0] = local->len;
    p->len[1] = remote->len;
    memcpy(p->data, local->data, local->len);
    memcpy(p->data + local->len, remote->data, remote->len);
    return p;
}

static void get(const struct id_pair *p, size_t i, struct id *out)
{
    *out = (struct id){0};
    if (!p)
        return;
    out->type = p->type[i];
    out->len = p->len[i];
    memcpy(out->data, p->data + (i ? p->len[0] : 0), out->len);
}

void id_pair_get(const struct id_pair *p, struct id *local, struct id *remote)
{
    if (local)
        get(p, 0, local);
    if (remote)
        get(p, 1, remote);
}

bool id_pair_eq(const struct id_pair *a, const struct id_pair *b)
{
    if (!a || !b)
        return a == b;
    for (size_t i = 0; i < 2; i++) {
        struct id x, y;
        get(a, i, &x);
        get(b, i, &y);
        if (!id_eq(&x, &y))
            return false;
    }
    return true;
}

/* A selector is: family, protocol, ports, first and last address. */
static size_t one_size(const struct ts *t)
{
    return 6 + 2 * addr_len(&t->lo);
}

size_t ts_pack_size(const struct ts_list *l)
{
    size_t n = 1;
    for (size_t i = 0; i < l->count; i++)
        n += one_size(&l->ts[i]);
    return n;
}

uint8_t *ts_pack(uint8_t *to, const struct ts_list *l)
{
    *to++ = (uint8_t)l->count;
    for (size_t i = 0; i < l->count; i++) {
        const struct ts *t = &l->ts[i];
        size_t n = addr_len(&t->lo);
        to[0] = t->lo.family;
        to[1] = t->proto;
        put_u16(to + 2, t->port_lo);
        put_u16(to + 4, t->port_hi);
        memcpy(to + 6, t->lo.ip, n);
        memcpy(to + 6 + n, t->hi.ip, n);
        to += one_size(t);
    }
    return to;
}

const uint8_t *ts_unpack(const uint8_t *from, struct ts_list *out)
{
    out->count = *from++;
    for (size_t i = 0; i < out->count; i++) {
        struct ts *t = &out->ts[i];
        *t = (struct ts){.proto = from[1], .lo.family = from[0], .hi.family = from[0]};
        size_t n = addr_len(&t->lo);
        t->port_lo = get_u16(from + 2);
        t->port_hi = get_u16(from + 4);
        memcpy(t->lo.ip, from + 6, n);
        memcpy(t->hi.ip, from + 6 + n, n);
        from += one_size(t);
    }
    return from;
}
