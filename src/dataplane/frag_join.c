/* Fragments put together: see frag_join.h. */
#include "dataplane/frag_join.h"
#include "dataplane/transport.h"
#include <stdlib.h>

enum { P_HOPOPT = 0, P_ROUTING = 43, P_FRAGMENT = 44, P_DSTOPTS = 60, PACKET_MAX = 65535 };

struct slot {
    uint8_t key[40]; /* addresses, identification, protocol, interface */
    uint64_t used;   /* when it was begun or completed, by the count of such events; 0: never */
    uint32_t len;    /* of the payload so far; 0: no datagram is on its way here */
    struct transport_at h;
    uint8_t next;
    uint8_t mem[DP_HEADROOM + PACKET_MAX + DP_TAILROOM];
};

struct frag_join {
    uint64_t events;
    struct slot slot[FRAG_JOIN_SLOTS];
};

/* One fragment, taken apart. */
struct piece {
    uint8_t key[40];
    struct transport_at h; /* without the fragment header */
    uint32_t at, len;      /* of its payload in the packet */
    uint32_t offset;       /* in the datagram */
    uint8_t next;
    bool more;
};

struct frag_join *frag_join_new(void)
{
    return calloc(1, sizeof(struct frag_join));
}

void frag_join_free(struct frag_join *f)
{
    free(f);
}

static bool v4_piece(const uint8_t *p, uint32_t len, struct piece *f)
{
    uint32_t hlen = (p[0] & 15u) * 4u;
    uint16_t frag = get_u16(p + 6);
    if (len < 20 || hlen < 20 || hlen > len)
        return false;
    f->h = (struct transport_at){hlen, 9};
    f->at = hlen;
    f->offset = (frag & 0x1fffu) * 8;
    f->more = frag & 0x2000;
    f->next = p[9];
    memcpy(f->key, p + 12, 8);
    memcpy(f->key + 8, p + 4, 2);
    f->key[10] = p[9];
    return f->more || f->offset;
}

/* Up to the fragment header, behind what every fragment must carry: RFC 8200 4.5. */
static bool v6_piece(const uint8_t *p, uint32_t len, struct piece *f)
{
    uint32_t at = 40, next_at = 6;
    while (len >= at + 8 &&
           (p[next_at] == P_HOPOPT || p[next_at] == P_ROUTING || p[next_at] == P_DSTOPTS)) {
        next_at = at;
        at += (p[at + 1] + 1u) * 8u;
    }
    if (len < at + 8 || p[next_at] != P_FRAGMENT)
        return false;
    f->h = (struct transport_at){at, next_at};
    f->at = at + 8;
    f->offset = get_u16(p + at + 2) & 0xfff8u;
    f->more = p[at + 3] & 1;
    f->next = p[at];
    memcpy(f->key, p + 8, 32);
    memcpy(f->key + 32, p + at + 4, 4);
    f->key[36] = 6;
    return true;
}

static bool piece_of(const uint8_t *p, uint32_t len, struct piece *f)
{
    *f = (struct piece){0};
    bool is = len >= 20 && (p[0] >> 4 == 4 ? v4_piece(p, len, f) : v6_piece(p, len, f));
    f->len = is ? len - f->at : 0;
    return is;
}

bool frag_join_is(const uint8_t *p, uint32_t len)
{
    struct piece f;
    return piece_of(p, len, &f);
}

static struct slot *find(struct frag_join *f, const struct piece *x)
{
    for (struct slot *s = f->slot; s < f->slot + FRAG_JOIN_SLOTS; s++)
        if (s->len && memcmp(s->key, x->key, sizeof s->key) == 0)
            return s;
    return NULL;
}

static struct slot *oldest(struct frag_join *f)
{
    struct slot *s = f->slot;
    for (struct slot *i = s; i < f->slot + FRAG_JOIN_SLOTS; i++)
        if (i->used < s->used)
            s = i;
    return s;
}

static struct slot *begin(struct frag_join *f, const struct piece *x, const uint8_t *p)
{
    struct slot *s = find(f, x); /* the sender begins anew */
    s = s ? s : oldest(f);
    memcpy(s->key, x->key, sizeof s->key);
    s->used = ++f->events;
    s->len = 0;
    s->h = x->h;
    s->next = x->next;
    memcpy(s->mem + DP_HEADROOM, p, x->h.hlen);
    return s;
}

/* The header as it would be, had the datagram not been cut. */
static void complete(struct frag_join *f, struct slot *s, uint8_t **whole, uint32_t *n)
{
    uint8_t *p = s->mem + DP_HEADROOM;
    if (p[0] >> 4 == 4)
        put_u16(p + 6, 0);
    transport_finish(p, &s->h, s->next, s->len);
    *whole = p;
    *n = s->h.hlen + s->len;
    s->used = ++f->events;
    s->len = 0;
}

err_t frag_join_put(struct frag_join *f, uint16_t iface, const uint8_t *p, uint32_t len,
                    uint8_t **whole, uint32_t *n)
{
    struct piece x;
    *whole = NULL;
    if (!piece_of(p, len, &x) || !x.len || (x.more && x.len % 8))
        return R_DP_FRAGMENT;
    put_u16(x.key + 38, iface);
    struct slot *s = x.offset ? find(f, &x) : begin(f, &x, p);
    if (!s || x.offset != s->len)
        return R_DP_FRAGMENT;
    if (s->h.hlen + s->len + x.len > PACKET_MAX) {
        s->len = 0;
        return R_DP_FRAGMENT;
    }
    memcpy(s->mem + DP_HEADROOM + s->h.hlen + s->len, p + x.at, x.len);
    s->len += x.len;
    if (!x.more)
        complete(f, s, whole, n);
    return E_OK;
}
