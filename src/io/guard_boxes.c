/* Cutting and layering of boxes (see guard_boxes.h; RFC 4301 4.4.1 for what a row may hold). */
#include "io/guard_boxes.h"

#include <netinet/in.h>
#include <stdlib.h>

struct range {
    struct addr lo, hi;
};

static struct addr step(struct addr a, int by)
{
    for (size_t i = addr_len(&a); i-- > 0;) {
        a.ip[i] = (uint8_t)(a.ip[i] + by);
        if (a.ip[i] != (by > 0 ? 0 : 255))
            break;
    }
    return a;
}

static bool intersect(const struct range *a, const struct range *b, struct range *out)
{
    out->lo = addr_cmp(&a->lo, &b->lo) > 0 ? a->lo : b->lo;
    out->hi = addr_cmp(&a->hi, &b->hi) < 0 ? a->hi : b->hi;
    return addr_cmp(&out->lo, &out->hi) <= 0;
}

/* What is left of a without the part within: none, one or two ranges. */
static size_t subtract(const struct range *a, const struct range *part, struct range out[2])
{
    size_t n = 0;
    if (addr_cmp(&a->lo, &part->lo) < 0)
        out[n++] = (struct range){a->lo, step(part->lo, -1)};
    if (addr_cmp(&part->hi, &a->hi) < 0)
        out[n++] = (struct range){step(part->hi, 1), a->hi};
    return n;
}

static err_t push(struct guard_boxes *b, const struct guard_box *box)
{
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        struct guard_box *p = realloc(b->box, cap * sizeof *p);
        if (!p)
            return E_NOMEM;
        b->box = p;
        b->cap = cap;
    }
    b->box[b->n++] = *box;
    return 0;
}

static err_t push_ranges(struct guard_boxes *b, struct guard_box box, bool pass,
                         const struct range *remote, const struct range *local)
{
    box.lo[GUARD_REMOTE] = remote->lo;
    box.hi[GUARD_REMOTE] = remote->hi;
    box.lo[GUARD_LOCAL] = local->lo;
    box.hi[GUARD_LOCAL] = local->hi;
    err_t e = push(b, &box);
    if (e || pass || (box.kind != GUARD_PORTS && box.kind != GUARD_TYPES))
        return e;
    box.kind = GUARD_FRAGS;
    box.port_lo[0] = box.port_lo[1] = 0;
    box.port_hi[0] = box.port_hi[1] = 65535;
    return push(b, &box);
}

/* Local without the common part with all of remote, then the common part with the rest of it. */
static err_t push_cut(struct guard_boxes *b, const struct guard_box *box, bool whole, bool pass,
                      const struct range *remote, const struct range *local)
{
    struct range common, rest[2];
    if (whole || !intersect(remote, local, &common))
        return push_ranges(b, *box, pass, remote, local);
    err_t e = 0;
    size_t n = subtract(local, &common, rest);
    for (size_t i = 0; i < n && !e; i++)
        e = push_ranges(b, *box, pass, remote, &rest[i]);
    n = subtract(remote, &common, rest);
    for (size_t i = 0; i < n && !e; i++)
        e = push_ranges(b, *box, pass, &rest[i], &common);
    return e;
}

static bool has_ports(uint8_t proto)
{
    return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
           proto == IPPROTO_DCCP || proto == IPPROTO_UDPLITE;
}

static bool has_types(const struct nft_pair *r)
{
    return r->proto == (r->local_lo.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static bool any_ports(const struct nft_pair *r)
{
    return r->local_port_lo == 0 && r->local_port_hi == 65535 && r->remote_port_lo == 0 &&
           r->remote_port_hi == 65535;
}

enum guard_kind guard_kind_of(const struct nft_pair *r)
{
    bool ordered = r->local_port_lo <= r->local_port_hi && r->remote_port_lo <= r->remote_port_hi;
    if (any_ports(r) || !ordered || !(has_ports(r->proto) || has_types(r)))
        return r->proto ? GUARD_PROTO : GUARD_PAIR;
    return has_ports(r->proto) ? GUARD_PORTS : GUARD_TYPES;
}

bool guard_types_of(const struct nft_pair *r, uint16_t *lo, uint16_t *hi)
{
    *lo = r->local_port_lo > r->remote_port_lo ? r->local_port_lo : r->remote_port_lo;
    *hi = r->local_port_hi < r->remote_port_hi ? r->local_port_hi : r->remote_port_hi;
    return *lo <= *hi;
}

static struct guard_box box_of(const struct nft_pair *r)
{
    struct guard_box box = {.kind = guard_kind_of(r), .proto = r->proto, .port_hi = {65535, 65535}};
    if (box.kind == GUARD_TYPES)
        (void)guard_types_of(r, &box.port_lo[GUARD_REMOTE], &box.port_hi[GUARD_REMOTE]);
    if (box.kind != GUARD_PORTS)
        return box;
    box.port_lo[GUARD_REMOTE] = r->remote_port_lo;
    box.port_hi[GUARD_REMOTE] = r->remote_port_hi;
    box.port_lo[GUARD_LOCAL] = r->local_port_lo;
    box.port_hi[GUARD_LOCAL] = r->local_port_hi;
    return box;
}

bool guard_row_valid(const struct nft_pair *r)
{
    uint8_t family = r->local_lo.family;
    return family && r->local_hi.family == family && r->remote_lo.family == family &&
           r->remote_hi.family == family && addr_cmp(&r->local_lo, &r->local_hi) <= 0 &&
           addr_cmp(&r->remote_lo, &r->remote_hi) <= 0;
}

bool guard_row_same(const struct nft_pair *r)
{
    return addr_eq(&r->local_lo, &r->remote_lo) && addr_eq(&r->local_hi, &r->remote_hi);
}

static err_t push_row(struct guard_boxes *b, const struct nft_pair *r)
{
    const struct range local = {r->local_lo, r->local_hi}, remote = {r->remote_lo, r->remote_hi};
    struct guard_box box = box_of(r);
    bool pass = r->does == NFT_PASS;
    if (!guard_row_valid(r))
        return E_USAGE;
    return push_cut(b, &box, pass || guard_row_same(r), pass, &remote, &local);
}

static int by_number(unsigned a, unsigned b)
{
    return a < b ? -1 : a > b;
}

/* A box that contains another one comes before it. */
static int by_place(const void *pa, const void *pb)
{
    const struct guard_box *a = pa, *b = pb;
    int c = by_number(a->kind, b->kind);
    for (int d = GUARD_REMOTE; d <= GUARD_LOCAL && !c; d++) {
        c = addr_cmp(&a->lo[d], &b->lo[d]);
        if (!c)
            c = addr_cmp(&b->hi[d], &a->hi[d]);
    }
    if (!c)
        c = by_number(a->proto, b->proto);
    for (int d = GUARD_REMOTE; d <= GUARD_LOCAL && !c; d++) {
        c = by_number(a->port_lo[d], b->port_lo[d]);
        if (!c)
            c = by_number(b->port_hi[d], a->port_hi[d]);
    }
    return c;
}

static int by_layer(const void *pa, const void *pb)
{
    const struct guard_box *a = pa, *b = pb;
    int c = by_number(a->kind, b->kind);
    if (!c)
        c = by_number(a->lo[0].family, b->lo[0].family);
    if (!c)
        c = by_number(a->layer, b->layer);
    return c ? c : by_place(pa, pb);
}

static bool contains(const struct guard_box *a, const struct guard_box *b)
{
    bool in = a->proto == b->proto;
    for (int d = GUARD_REMOTE; d <= GUARD_LOCAL && in; d++)
        in = addr_cmp(&a->lo[d], &b->lo[d]) <= 0 && addr_cmp(&a->hi[d], &b->hi[d]) >= 0 &&
             a->port_lo[d] <= b->port_lo[d] && a->port_hi[d] >= b->port_hi[d];
    return in;
}

static bool overlaps(const struct guard_box *a, const struct guard_box *b)
{
    bool both = a->proto == b->proto;
    for (int d = GUARD_REMOTE; d <= GUARD_LOCAL && both; d++)
        both = addr_cmp(&a->lo[d], &b->hi[d]) <= 0 && addr_cmp(&b->lo[d], &a->hi[d]) <= 0 &&
               a->port_lo[d] <= b->port_hi[d] && b->port_lo[d] <= a->port_hi[d];
    return both;
}

/* Boxes kept so far that reach as far as the next one's beginning; the rest cannot overlap. */
struct sweep {
    const struct guard_box *box;
    size_t *active, n;
    size_t *taken; /* by layer: number of the box that found it taken, plus one */
};

static void sweep_forget(struct sweep *s, const struct guard_box *next)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct guard_box *a = &s->box[s->active[i]];
        if (a->kind == next->kind && addr_cmp(&a->hi[GUARD_REMOTE], &next->lo[GUARD_REMOTE]) >= 0)
            s->active[kept++] = s->active[i];
    }
    s->n = kept;
}

/* False: the box is covered by another one. */
static bool sweep_place(struct sweep *s, struct guard_box *box, size_t number)
{
    sweep_forget(s, box);
    for (size_t i = 0; i < s->n; i++) {
        const struct guard_box *a = &s->box[s->active[i]];
        if (contains(a, box))
            return false;
        if (overlaps(a, box))
            s->taken[a->layer] = number + 1;
    }
    box->layer = 0;
    while (s->taken[box->layer] == number + 1)
        box->layer++;
    return true;
}

static err_t spread(struct guard_boxes *b)
{
    size_t kept = 0;
    struct sweep s = {.box = b->box,
                      .active = calloc(b->n + 1, sizeof *s.active),
                      .taken = calloc(b->n + 1, sizeof *s.taken)};
    err_t e = s.active && s.taken ? 0 : E_NOMEM;
    for (size_t i = 0; i < b->n && !e; i++) {
        struct guard_box box = b->box[i];
        if (!sweep_place(&s, &box, i))
            continue;
        b->box[kept] = box;
        s.active[s.n++] = kept++;
    }
    b->n = kept;
    free(s.active);
    free(s.taken);
    return e;
}

err_t guard_boxes_make(struct guard_boxes *b, const struct nft_pair *rows, size_t n)
{
    err_t e = 0;
    *b = (struct guard_boxes){0};
    for (size_t i = 0; i < n && !e; i++)
        e = push_row(b, &rows[i]);
    if (!e && b->n) {
        qsort(b->box, b->n, sizeof *b->box, by_place);
        e = spread(b);
    }
    if (!e && b->n)
        qsort(b->box, b->n, sizeof *b->box, by_layer);
    if (e)
        guard_boxes_free(b);
    return e;
}

void guard_boxes_free(struct guard_boxes *b)
{
    free(b->box);
    *b = (struct guard_boxes){0};
}
