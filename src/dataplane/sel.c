/* Compiled selectors: see sel.h. */
#include "dataplane/sel.h"

uint64_t *sel_of_ts(struct sel *s, const struct ts *t, uint64_t *v6)
{
    *s = (struct sel){
        .port_lo = t->port_lo, .port_hi = t->port_hi, .proto = t->proto, .family = t->lo.family};
    if (t->lo.family != 6) {
        s->v4[0] = get_u32(t->lo.ip);
        s->v4[1] = get_u32(t->hi.ip);
        return v6;
    }
    s->v6 = v6;
    v6[0] = get_u64(t->lo.ip);
    v6[1] = get_u64(t->lo.ip + 8);
    v6[2] = get_u64(t->hi.ip);
    v6[3] = get_u64(t->hi.ip + 8);
    return v6 + SEL_V6_WORDS;
}

void sel_range(const struct sel *s, uint64_t lo[2], uint64_t hi[2])
{
    bool six = s->family == 6;
    lo[0] = six ? s->v6[0] : 0;
    lo[1] = six ? s->v6[1] : s->v4[0];
    hi[0] = six ? s->v6[2] : 0;
    hi[1] = six ? s->v6[3] : s->v4[1];
}

static size_t v6_words(const struct ts_list *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++)
        n += l->ts[i].lo.family == 6 ? SEL_V6_WORDS : 0;
    return n;
}

size_t sel_set_size(const struct ts_list *local, const struct ts_list *remote)
{
    return sizeof(struct sel_set) + (local->count + remote->count) * sizeof(struct sel) +
           (v6_words(local) + v6_words(remote)) * sizeof(uint64_t);
}

void sel_set_init(struct sel_set *s, const struct ts_list *local, const struct ts_list *remote)
{
    uint64_t *v6 = (uint64_t *)(void *)&s->s[local->count + remote->count];
    s->nl = (uint16_t)local->count;
    s->nr = (uint16_t)remote->count;
    for (size_t i = 0; i < local->count; i++)
        v6 = sel_of_ts(&s->s[i], &local->ts[i], v6);
    for (size_t i = 0; i < remote->count; i++)
        v6 = sel_of_ts(&s->s[local->count + i], &remote->ts[i], v6);
}

bool sel_set_names_ports(const struct sel_set *s)
{
    for (size_t i = 0; i < (size_t)s->nl + s->nr; i++)
        if (!sel_any_port(&s->s[i]) && !sel_opaque(&s->s[i]))
            return true;
    return false;
}

bool sel_set_opaque(const struct sel_set *s)
{
    for (size_t i = 0; i < (size_t)s->nl + s->nr; i++)
        if (sel_opaque(&s->s[i]))
            return true;
    return false;
}

/* False: not one whole IPv4 prefix with nothing else asked. */
static bool v4_prefix(const struct sel *s, uint32_t *mask)
{
    if (s->family != 4)
        return false;
    uint32_t wide = s->v4[0] ^ s->v4[1];
    *mask = ~wide;
    return !s->proto && sel_any_port(s) && (wide & (wide + 1)) == 0 && (s->v4[0] & wide) == 0;
}

struct sel_v4 sel_v4_received(const struct sel_set *s)
{
    uint32_t local, remote;
    if (s->nl != 1 || s->nr != 1 || !v4_prefix(&s->s[0], &local) || !v4_prefix(&s->s[1], &remote))
        return (struct sel_v4){.mask = 0, .net = 1};
    return (struct sel_v4){.mask = (uint64_t)remote << 32 | local,
                           .net = (uint64_t)s->s[1].v4[0] << 32 | s->s[0].v4[0]};
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
