/* Packed selectors: see ts_pack.h. */
#include "model/ts_pack.h"

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
