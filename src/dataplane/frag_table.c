/* First fragments remembered: see frag_table.h. */
#include "dataplane/frag_table.h"
#include "dataplane/pool.h"
#include <stdlib.h>

static void v4_piece(const uint8_t *p, const struct ip_info *ip, struct frag_piece *f)
{
    f->key.meta =
        (uint64_t)get_u16(p + 4) << 32 | flow_meta(4, p[9]); /* RFC 791 3.2: what tells datagrams */
    f->offset = (get_u16(p + 6) & 0x1fffu) * 8;
    f->end = f->offset + ip->len - (p[0] & 15u) * 4u;
}

/* RFC 8200 4.5: the protocol is not among what tells datagrams, fragments may differ in it. */
static void v6_piece(const uint8_t *p, const struct ip_info *ip, struct frag_piece *f)
{
    const uint8_t *h = p + ip->frag;
    f->key.meta = (uint64_t)get_u32(h + 4) << 32 | flow_meta(6, 0);
    f->offset = get_u16(h + 2) & 0xfff8u;
    f->end = f->offset + ip->len - ip->frag - 8;
}

void frag_piece_of(const uint8_t *p, const struct ip_info *ip, struct frag_piece *out)
{
    out->key = ip->flow;
    if (p[0] >> 4 == 4)
        v4_piece(p, ip, out);
    else
        v6_piece(p, ip, out);
}

err_t frag_table_init(struct frag_table *t, const uint64_t seed[2])
{
    t->e = table_new(sizeof *t->e * FRAG_TABLE_SETS * FRAG_TABLE_WAYS);
    flow_key_init(&t->hash, seed);
    return t->e ? E_OK : E_NOMEM;
}

void frag_table_fini(struct frag_table *t)
{
    free(t->e);
    t->e = NULL;
}

static struct frag_first *set_of(const struct frag_table *t, const struct flow *key)
{
    return &t->e[(flow_hash(&t->hash, key) % FRAG_TABLE_SETS) * FRAG_TABLE_WAYS];
}

static struct frag_first *entry_of(struct frag_first *set, const struct flow *key, uint32_t scope)
{
    for (struct frag_first *e = set; e < set + FRAG_TABLE_WAYS && e->used; e++)
        if (e->scope == scope && flow_eq(&e->key, key))
            return e;
    return NULL;
}

void frag_table_put(struct frag_table *t, const struct frag_piece *f, uint32_t scope, uint64_t meta,
                    uint64_t now_ms)
{
    struct frag_first *set = set_of(t, &f->key), *e = entry_of(set, &f->key, scope);
    if (!e)
        e = set + FRAG_TABLE_WAYS - 1; /* the oldest goes */
    memmove(set + 1, set, (size_t)(e - set) * sizeof *set);
    *set = (struct frag_first){.key = f->key,
                               .meta = meta,
                               .scope = scope,
                               .at_ms = (uint32_t)now_ms,
                               .end = f->end,
                               .used = true};
}

const struct frag_first *frag_table_find(const struct frag_table *t, const struct flow *key,
                                         uint32_t scope, uint64_t now_ms)
{
    const struct frag_first *e = entry_of(set_of(t, key), key, scope);
    return e && (uint32_t)now_ms - e->at_ms < FRAG_TABLE_MS ? e : NULL;
}
