/*
 * Pairs of prefixes in the guard: see nft_pairs.h. A shape has two sets: pN holds the pairs, sN the
 * narrower prefix of a pair where one side lies within the other. What has both its addresses there
 * is no way across (guard_boxes.h), so a rule of the shape leaves it out; but not where it passes
 * packets, or where both sides are the same.
 */
#include "io/nft_pairs.h"
#include "base/list.h"

#include <stdlib.h>
#include <sys/random.h>

struct nft_elem {
    struct hash_node node;
    struct nft_elem *next; /* in `changed` */
    uint32_t refs : 30, changed : 1, loaded : 1;
    uint8_t shape;
    bool self; /* in sN */
    uint8_t len, key[];
};

static size_t elem_size(size_t len)
{
    return offsetof(struct nft_elem, key) + len;
}

/* What a row comes to: elements of shapes. */
struct part {
    struct nft_shape shape;
    bool self;
    uint8_t len, key[NFT_KEY_MAX];
};

enum { PARTS = 4 }; /* the pair, itself, and both again for later fragments */

/* --- rows into parts --- */

static bool prefix_of(const struct addr *lo, const struct addr *hi, uint8_t *bits)
{
    struct addr at = *lo, prefix;
    unsigned n;
    bool more = addr_range_cut(&at, hi, &prefix, &n);
    *bits = (uint8_t)n;
    return !more;
}

static bool single_or_any(uint16_t lo, uint16_t hi, bool *single)
{
    *single = lo == hi;
    return lo == hi || (lo == 0 && hi == UINT16_MAX);
}

static bool ports_of(const struct nft_pair *r, struct nft_shape *s)
{
    return single_or_any(r->remote_port_lo, r->remote_port_hi, &s->port[GUARD_REMOTE]) &&
           single_or_any(r->local_port_lo, r->local_port_hi, &s->port[GUARD_LOCAL]);
}

static bool types_of(const struct nft_pair *r, struct nft_shape *s)
{
    uint16_t lo, hi;
    s->types = s->port[GUARD_REMOTE] = true;
    return guard_types_of(r, &lo, &hi) && lo == hi;
}

static bool shape_of(const struct nft_pair *r, struct nft_shape *s)
{
    enum guard_kind kind = guard_kind_of(r);
    *s = (struct nft_shape){.family = r->local_lo.family,
                            .does = r->does,
                            .order = r->order,
                            .proto = kind != GUARD_PAIR,
                            .same = guard_row_same(r)};
    return prefix_of(&r->remote_lo, &r->remote_hi, &s->bits[GUARD_REMOTE]) &&
           prefix_of(&r->local_lo, &r->local_hi, &s->bits[GUARD_LOCAL]) &&
           (kind != GUARD_PORTS || ports_of(r, s)) && (kind != GUARD_TYPES || types_of(r, s));
}

static void put_addr(struct part *p, const struct addr *a)
{
    memcpy(p->key + p->len, a->ip, addr_len(a));
    p->len = (uint8_t)(p->len + addr_len(a));
}

static void put_word(struct part *p, const void *v, size_t n)
{
    memset(p->key + p->len, 0, 4);
    memcpy(p->key + p->len, v, n);
    p->len = (uint8_t)(p->len + 4);
}

static void put_port(struct part *p, uint16_t port)
{
    uint8_t v[2];
    put_u16(v, port);
    put_word(p, v, sizeof v);
}

static void put_type(struct part *p, const struct nft_pair *r)
{
    uint16_t lo = 0, hi;
    (void)guard_types_of(r, &lo, &hi);
    put_port(p, lo);
}

static struct part pair_part(const struct nft_pair *r, const struct nft_shape *s)
{
    struct part p = {.shape = *s};
    put_addr(&p, &r->remote_lo);
    put_addr(&p, &r->local_lo);
    if (s->proto)
        put_word(&p, &r->proto, 1);
    if (s->types)
        put_type(&p, r);
    else if (s->port[GUARD_REMOTE])
        put_port(&p, r->remote_port_lo);
    if (s->port[GUARD_LOCAL])
        put_port(&p, r->local_port_lo);
    return p;
}

static struct part self_part(const struct addr *narrow, const struct nft_shape *s)
{
    struct part p = {.shape = *s, .self = true};
    put_addr(&p, narrow);
    put_addr(&p, narrow);
    return p;
}

/* The prefix that both sides have in common, NULL: none. */
static const struct addr *common_prefix(const struct nft_pair *r, const struct nft_shape *s)
{
    bool remote_wider = s->bits[GUARD_REMOTE] <= s->bits[GUARD_LOCAL];
    const struct addr *lo = remote_wider ? &r->remote_lo : &r->local_lo;
    const struct addr *hi = remote_wider ? &r->remote_hi : &r->local_hi;
    const struct addr *in = remote_wider ? &r->local_lo : &r->remote_lo;
    return addr_cmp(lo, in) <= 0 && addr_cmp(in, hi) <= 0 ? in : NULL;
}

/* What passes has no exception, and where both sides are the same there would be nothing left. */
static bool has_self(const struct nft_shape *s)
{
    return s->does != NFT_PASS && !s->same;
}

static size_t shape_parts(const struct nft_pair *r, const struct nft_shape *s, struct part *out)
{
    const struct addr *common = has_self(s) ? common_prefix(r, s) : NULL;
    size_t n = 0;
    if (common) /* first: a pair never stands without its exception */
        out[n++] = self_part(common, s);
    out[n++] = pair_part(r, s);
    return n;
}

/* False: not of a kind that is kept here. */
static bool parts_of(const struct nft_pair *r, struct part out[PARTS], size_t *n)
{
    struct nft_shape s;
    if (!shape_of(r, &s))
        return false;
    *n = shape_parts(r, &s, out);
    if (s.does != NFT_PASS && (s.port[GUARD_REMOTE] || s.port[GUARD_LOCAL])) {
        s.port[GUARD_REMOTE] = s.port[GUARD_LOCAL] = s.types = false;
        s.frags = true;
        *n += shape_parts(r, &s, out + *n);
    }
    return true;
}

/* --- shapes and elements --- */

static bool same_shape(const struct nft_shape *a, const struct nft_shape *b)
{
    return a->family == b->family && a->bits[0] == b->bits[0] && a->bits[1] == b->bits[1] &&
           a->does == b->does && a->order == b->order && a->proto == b->proto &&
           a->port[0] == b->port[0] && a->port[1] == b->port[1] && a->types == b->types &&
           a->frags == b->frags && a->same == b->same;
}

static size_t shape_find(const struct nft_pairs *t, const struct nft_shape *s)
{
    size_t i = 0;
    while (i < t->shapes && !(t->shape[i].elems && same_shape(&t->shape[i], s)))
        i++;
    return i;
}

/* A place for a new shape; NFT_SHAPES: all are taken. One that lost its elements comes back as it
 * is, if it can. */
static size_t shape_place(struct nft_pairs *t, const struct nft_shape *s)
{
    size_t free = t->shapes;
    for (size_t i = 0; i < t->shapes; i++) {
        if (t->shape[i].elems)
            continue;
        if (same_shape(&t->shape[i], s))
            return i;
        free = i;
    }
    return free;
}

static size_t shape_get(struct nft_pairs *t, const struct nft_shape *s)
{
    size_t i = shape_find(t, s);
    if (i < t->shapes)
        return i;
    i = shape_place(t, s);
    if (i == NFT_SHAPES || (i < t->shapes && same_shape(&t->shape[i], s)))
        return i;
    t->shape[i] = *s;
    t->shape[i].elems = 0;
    t->shapes += i == t->shapes;
    t->reshaped = true;
    return i;
}

static uint64_t elem_hash(const struct nft_pairs *t, size_t shape, const struct part *p)
{
    return hash_of(&t->elems, p->key, p->len) ^ (shape << 1 | p->self) * 0x9e3779b97f4a7c15u;
}

static struct nft_elem *elem_of(struct hash_node *n)
{
    return container_of(n, struct nft_elem, node);
}

static struct nft_elem *elem_find(const struct nft_pairs *t, size_t shape, const struct part *p)
{
    uint64_t h = elem_hash(t, shape, p);
    for (struct hash_node *n = hash_first(&t->elems, h); n; n = hash_next(n)) {
        struct nft_elem *e = elem_of(n);
        if (e->shape == shape && e->self == p->self && e->len == p->len &&
            !memcmp(e->key, p->key, p->len))
            return e;
    }
    return NULL;
}

static struct nft_elem *elem_new(struct nft_pairs *t, size_t shape, const struct part *p)
{
    struct nft_elem *e = slab_get(&t->slab, elem_size(p->len));
    if (!e)
        return NULL;
    e->shape = (uint8_t)shape;
    e->self = p->self;
    e->len = p->len;
    memcpy(e->key, p->key, p->len);
    if (hash_add(&t->elems, &e->node, elem_hash(t, shape, p))) {
        slab_put(&t->slab, e, elem_size(p->len));
        return NULL;
    }
    t->shape[shape].elems++;
    return e;
}

static void touch(struct nft_pairs *t, struct nft_elem *e)
{
    if (e->changed)
        return;
    e->changed = true;
    e->next = t->changed;
    t->changed = e;
    t->changes++;
}

static void unref(struct nft_pairs *t, struct nft_elem *e)
{
    if (--e->refs == 0)
        touch(t, e);
}

static err_t part_add(struct nft_pairs *t, size_t shape, const struct part *p)
{
    struct nft_elem *e = elem_find(t, shape, p);
    if (!e)
        e = elem_new(t, shape, p);
    if (!e)
        return E_NOMEM;
    if (e->refs++ == 0)
        touch(t, e);
    return E_OK;
}

/* --- rows --- */

static void parts_del(struct nft_pairs *t, const struct part *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct nft_elem *e = elem_find(t, shape_find(t, &p[i].shape), &p[i]);
        if (e && e->refs)
            unref(t, e);
    }
}

err_t nft_pairs_add(struct nft_pairs *t, const struct nft_pair *row, bool *fits)
{
    struct part p[PARTS];
    size_t n = 0;
    *fits = parts_of(row, p, &n);
    for (size_t i = 0; *fits && i < n; i++) {
        size_t shape = shape_get(t, &p[i].shape);
        *fits = shape < NFT_SHAPES;
        err_t e = *fits ? part_add(t, shape, &p[i]) : E_OK;
        if (e || !*fits) {
            parts_del(t, p, i);
            return e;
        }
    }
    return E_OK;
}

bool nft_pairs_del(struct nft_pairs *t, const struct nft_pair *row)
{
    struct part p[PARTS];
    size_t n = 0;
    if (!parts_of(row, p, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct nft_elem *e = elem_find(t, shape_find(t, &p[i].shape), &p[i]);
        if (!e || !e->refs)
            return false;
    }
    parts_del(t, p, n);
    return true;
}

void nft_pairs_clear(struct nft_pairs *t)
{
    size_t i;
    for (struct hash_node *n = hash_begin(&t->elems, &i); n; n = hash_step(&t->elems, &i, n)) {
        elem_of(n)->refs = 0;
        touch(t, elem_of(n));
    }
}

/* --- what the kernel must hear --- */

static void set_name(char *out, size_t n, size_t shape, bool self)
{
    snprintf(out, n, "%c%u", self ? 's' : 'p', (unsigned)shape);
}

static bool due(const struct nft_elem *e, bool deleting)
{
    return deleting ? e->loaded && !e->refs : !e->loaded && e->refs;
}

size_t nft_pairs_changes(const struct nft_pairs *t, struct nft_pairs_at *at,
                         struct nft_elem_change *out, size_t max)
{
    size_t n = 0;
    if (!at->begun)
        *at = (struct nft_pairs_at){.next = t->changed, .begun = true};
    while (n < max) {
        const struct nft_elem *e = at->next;
        if (!e && at->deleting)
            break;
        if (!e) {
            at->deleting = true;
            at->next = t->changed;
            continue;
        }
        at->next = e->next;
        if (!due(e, at->deleting))
            continue;
        out[n] = (struct nft_elem_change){.gone = at->deleting, .len = e->len};
        set_name(out[n].set, sizeof out[n].set, e->shape, e->self);
        memcpy(out[n++].key, e->key, e->len);
    }
    return n;
}

void nft_pairs_settle(struct nft_pairs *t)
{
    while (t->changed) {
        struct nft_elem *e = t->changed;
        t->changed = e->next;
        e->changed = false;
        e->loaded = e->refs > 0;
        if (e->refs)
            continue;
        hash_del(&t->elems, &e->node);
        t->shape[e->shape].elems--;
        slab_put(&t->slab, e, elem_size(e->len));
    }
    t->changes = 0;
    t->reshaped = false;
}

/* --- the whole --- */

static void print_addr(struct buf *out, uint8_t family, const uint8_t *ip)
{
    char text[ADDR_STR_MAX];
    struct addr a = family == 4 ? addr_v4(ip) : addr_v6(ip);
    buf_puts(out, addr_str(&a, text));
}

static void print_elem(struct buf *out, const struct nft_shape *s, const struct nft_elem *e)
{
    size_t len = s->family == 4 ? 4 : 16;
    const uint8_t *at = e->key + 2 * len;
    print_addr(out, s->family, e->key);
    buf_puts(out, " . ");
    print_addr(out, s->family, e->key + len);
    if (e->self)
        return;
    if (s->proto)
        buf_printf(out, " . %u", *at);
    at += 4;
    for (int d = GUARD_REMOTE; d <= GUARD_LOCAL; d++) {
        if (!s->port[d])
            continue;
        buf_printf(out, " . %u", get_u16(at));
        at += 4;
    }
}

static void print_set(const struct nft_pairs *t, size_t shape, bool self, struct buf *out)
{
    const struct nft_shape *s = &t->shape[shape];
    const char *type = s->family == 4 ? "ipv4_addr" : "ipv6_addr", *sep = "; elements = {\n";
    size_t i;
    char name[8];
    set_name(name, sizeof name, shape, self);
    buf_printf(out, "set %s { type %s . %s", name, type, type);
    if (!self)
        buf_printf(out, "%s%s%s", s->proto ? " . inet_proto" : "",
                   s->port[0] ? " . inet_service" : "", s->port[1] ? " . inet_service" : "");
    for (struct hash_node *n = hash_begin(&t->elems, &i); n; n = hash_step(&t->elems, &i, n)) {
        const struct nft_elem *e = elem_of(n);
        if (e->shape != shape || e->self != self || !e->refs)
            continue;
        buf_puts(out, sep);
        print_elem(out, s, e);
        sep = ",\n";
    }
    buf_puts(out, *sep == ',' ? " } }\n" : "; }\n");
}

bool nft_pairs_shunt_ports(const struct nft_pairs *t)
{
    for (size_t i = 0; i < t->shapes; i++)
        if (t->shape[i].does != NFT_PROTECT && t->shape[i].elems &&
            (t->shape[i].port[0] || t->shape[i].port[1]))
            return true;
    return false;
}

void nft_pairs_print_sets(const struct nft_pairs *t, struct buf *out)
{
    for (size_t i = 0; i < t->shapes; i++) {
        print_set(t, i, false, out);
        if (has_self(&t->shape[i]))
            print_set(t, i, true, out);
    }
}

static void side_of(const struct nft_shape *s, const uint8_t *ip, unsigned bits, struct addr *lo,
                    struct addr *hi)
{
    struct addr a = s->family == 4 ? addr_v4(ip) : addr_v6(ip);
    addr_prefix_range(&a, bits, lo, hi);
}

void nft_pairs_protected(const struct nft_pairs *t, nft_pair_fn *fn, void *ctx)
{
    size_t i;
    for (struct hash_node *n = hash_begin(&t->elems, &i); n; n = hash_step(&t->elems, &i, n)) {
        const struct nft_elem *e = elem_of(n);
        const struct nft_shape *s = &t->shape[e->shape];
        struct nft_pair p = {.does = NFT_PROTECT};
        if (!e->refs || e->self || s->does != NFT_PROTECT)
            continue;
        side_of(s, e->key, s->bits[GUARD_REMOTE], &p.remote_lo, &p.remote_hi);
        side_of(s, e->key + (s->family == 4 ? 4 : 16), s->bits[GUARD_LOCAL], &p.local_lo,
                &p.local_hi);
        fn(ctx, &p);
    }
}

static void print_masked(struct buf *out, uint8_t family, const char *addr, unsigned bits)
{
    uint8_t mask[16] = {0};
    for (unsigned i = 0; i < bits; i++)
        mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
    buf_printf(out, "%s %s", family == 4 ? "ip" : "ip6", addr);
    if (bits == (family == 4 ? 32 : 128))
        return;
    buf_puts(out, " & ");
    print_addr(out, family, mask);
}

static void print_key(struct buf *out, const struct nft_shape *s, const struct nft_side *side,
                      unsigned remote_bits, unsigned local_bits)
{
    print_masked(out, s->family, side->addr[GUARD_REMOTE], remote_bits);
    buf_puts(out, " . ");
    print_masked(out, s->family, side->addr[GUARD_LOCAL], local_bits);
}

void nft_pairs_print_rule(const struct nft_pairs *t, size_t shape, const struct nft_side *side,
                          const char *verdict, struct buf *out)
{
    const struct nft_shape *s = &t->shape[shape];
    unsigned r = s->bits[GUARD_REMOTE], l = s->bits[GUARD_LOCAL], narrow = r > l ? r : l;
    if (s->frags)
        buf_puts(out, s->family == 4 ? "ip frag-off & 0x1fff != 0 " : "frag frag-off != 0 ");
    print_key(out, s, side, r, l);
    if (s->proto)
        buf_puts(out, " . meta l4proto");
    for (int d = GUARD_REMOTE; d <= GUARD_LOCAL; d++)
        if (s->port[d])
            buf_printf(out, " . th %s", s->types ? "sport" : side->port[d]);
    buf_printf(out, " @p%u ", (unsigned)shape);
    if (has_self(s)) {
        print_key(out, s, side, narrow, narrow);
        buf_printf(out, " != @s%u ", (unsigned)shape);
    }
    buf_printf(out, "%s\n", verdict);
}

err_t nft_pairs_init(struct nft_pairs *t)
{
    uint64_t key[2] = {0};
    *t = (struct nft_pairs){0};
    if (getrandom(key, sizeof key, 0) != sizeof key)
        return E_SYS;
    return hash_init(&t->elems, key);
}

void nft_pairs_fini(struct nft_pairs *t)
{
    size_t i;
    struct hash_node *next;
    for (struct hash_node *n = t->elems.slot ? hash_begin(&t->elems, &i) : NULL; n; n = next) {
        next = hash_step(&t->elems, &i, n);
        slab_put(&t->slab, elem_of(n), elem_size(elem_of(n)->len));
    }
    hash_fini(&t->elems);
    slab_fini(&t->slab);
    *t = (struct nft_pairs){0};
}
