/* Compiled selectors: see sel.h. */
#include "dataplane/sel.h"
#include <stdlib.h>

static void words(const struct addr *a, uint64_t w[2])
{
    w[0] = a->family == 6 ? get_u64(a->ip) : 0;
    w[1] = a->family == 6 ? get_u64(a->ip + 8) : get_u32(a->ip);
}

void sel_of_ts(struct sel *s, const struct ts *t)
{
    *s = (struct sel){.port_lo = t->port_lo,
                      .port_hi = t->port_hi,
                      .proto = t->proto,
                      .family = t->lo.family,
                      .any_port = t->port_lo == 0 && t->port_hi == 0xffff};
    words(&t->lo, s->lo);
    words(&t->hi, s->hi);
}

static unsigned bit_len(uint64_t v)
{
    return v ? 64u - (unsigned)__builtin_clzll(v) : 0;
}

unsigned sel_narrow(const struct sel *s)
{
    uint64_t low = s->hi[1] - s->lo[1];
    uint64_t high = s->hi[0] - s->lo[0] - (s->hi[1] < s->lo[1]);
    unsigned wide = high ? 64 + bit_len(high) : bit_len(low);
    unsigned ports = bit_len((uint64_t)(s->port_hi - s->port_lo));
    return (s->family == 6 ? 128u : 32u) - wide + (16u - ports) + (s->proto ? 8u : 0u);
}

struct sel_set *sel_set_new(const struct ts_list *local, const struct ts_list *remote)
{
    size_t n = local->count + remote->count;
    struct sel_set *s = malloc(sizeof *s + n * sizeof s->s[0]);
    if (!s)
        return NULL;
    s->nl = (uint16_t)local->count;
    s->nr = (uint16_t)remote->count;
    for (size_t i = 0; i < local->count; i++)
        sel_of_ts(&s->s[i], &local->ts[i]);
    for (size_t i = 0; i < remote->count; i++)
        sel_of_ts(&s->s[local->count + i], &remote->ts[i]);
    return s;
}

bool sel_set_names_ports(const struct sel_set *s)
{
    for (size_t i = 0; i < (size_t)s->nl + s->nr; i++)
        if (!s->s[i].any_port)
            return true;
    return false;
}

/* False: not one whole IPv4 prefix with nothing else asked. */
static bool v4_prefix(const struct sel *s, uint32_t *mask)
{
    uint32_t wide = (uint32_t)(s->lo[1] ^ s->hi[1]);
    *mask = ~wide;
    return s->family == 4 && !s->proto && s->any_port && (wide & (wide + 1)) == 0 &&
           (s->lo[1] & wide) == 0;
}

struct sel_v4 sel_v4_received(const struct sel_set *s)
{
    uint32_t local, remote;
    if (s->nl != 1 || s->nr != 1 || !v4_prefix(&s->s[0], &local) || !v4_prefix(&s->s[1], &remote))
        return (struct sel_v4){.mask = 0, .net = 1};
    return (struct sel_v4){.mask = (uint64_t)remote << 32 | local,
                           .net = s->s[1].lo[1] << 32 | s->s[0].lo[1]};
}

static bool side_match(const struct sel *s, size_t n, const uint64_t a[2], uint16_t port,
                       uint64_t meta)
{
    for (size_t i = 0; i < n; i++)
        if (sel_match(&s[i], a, port, meta))
            return true;
    return false;
}

bool sel_set_match_any(const struct sel_set *s, const struct flow *f)
{
    return side_match(s->s, s->nl, f->l, flow_lport(f), f->meta) &&
           side_match(s->s + s->nl, s->nr, f->r, flow_rport(f), f->meta);
}

bool sel_set_match_any_received(const struct sel_set *s, const struct flow *f)
{
    return side_match(s->s, s->nl, f->r, flow_rport(f), f->meta) &&
           side_match(s->s + s->nl, s->nr, f->l, flow_lport(f), f->meta);
}
