/*
 * Shared secrets and who they belong to. A secret is found through the hash of its owners, so that
 * the cost does not grow with their number; patterns and secrets for everybody are tried after.
 */
#include "ike/creds.h"
#include "ike/engine.h"
#include <stdlib.h>

static bool owner_wild(const struct id *id)
{
    return id->type == ID_ANY || id->type == ID_DER_ASN1_DN || /* many bytes may be one name */
           (id->len && memchr(id->data, '*', id->len));
}

/* FQDN and mail addresses ignore case, so the hash must as well. */
static uint64_t owner_hash(const struct ike *e, const struct id *id)
{
    uint8_t key[ID_MAX + 1];
    key[0] = id->type;
    for (size_t i = 0; i < id->len; i++)
        key[i + 1] =
            id->data[i] >= 'A' && id->data[i] <= 'Z' ? (uint8_t)(id->data[i] + 32) : id->data[i];
    return hash_of(&e->owners, key, id->len + 1u);
}

static void entry_free(struct ike *e, struct shared_entry *se)
{
    for (size_t i = 0; i < se->key_count; i++)
        hash_del(&e->owners, &se->key[i].node);
    list_del(&se->link);
    list_del(&se->wild);
    shared_free(se->s);
    free(se);
}

static err_t entry_index(struct ike *e, struct shared_entry *se)
{
    bool wild = se->s->owner_count == 0;
    for (size_t i = 0; i < se->s->owner_count; i++) {
        const struct id *id = &se->s->owner[i];
        if (owner_wild(id)) {
            wild = true;
            continue;
        }
        struct shared_key *k = &se->key[se->key_count];
        k->entry = se;
        if (hash_add(&e->owners, &k->node, owner_hash(e, id)))
            return E_NOMEM;
        se->key_count++;
    }
    if (wild)
        list_add_tail(&e->wild_shared, &se->wild);
    return E_OK;
}

static struct shared_entry *entry_find(const struct ike *e, const char *name)
{
    list_each (it, (struct list *)&e->shared) {
        struct shared_entry *se = container_of(it, struct shared_entry, link);
        if (strcmp(se->s->name, name) == 0)
            return se;
    }
    return NULL;
}

err_t shared_load(struct ike *e, struct shared *s)
{
    struct shared_entry *old = entry_find(e, s->name);
    struct shared_entry *se = calloc(1, sizeof *se + s->owner_count * sizeof se->key[0]);
    if (!se) {
        shared_free(s);
        return E_NOMEM;
    }
    se->s = s;
    list_init(&se->wild);
    list_init(&se->link);
    err_t err = entry_index(e, se);
    if (err) {
        entry_free(e, se);
        return err;
    }
    if (old)
        entry_free(e, old);
    list_add_tail(&e->shared, &se->link);
    return E_OK;
}

bool shared_unload(struct ike *e, const char *name)
{
    struct shared_entry *se = entry_find(e, name);
    if (se)
        entry_free(e, se);
    return se != NULL;
}

void shared_clear(struct ike *e)
{
    list_each_safe (it, nx, &e->shared)
        entry_free(e, container_of(it, struct shared_entry, link));
}

static int owners_rank(const struct shared *s, const struct id *id)
{
    int best = 0;
    for (size_t i = 0; i < s->owner_count; i++) {
        int rank = id_match(&s->owner[i], id);
        if (rank > best)
            best = rank;
    }
    return best;
}

struct best {
    const struct shared *s;
    int rank;
    bool proof; /* wanted for what a peer claims */
};

/*
 * Who knows a secret is one of its owners: it does not prove that somebody is another, unless it
 * names nobody but us and so is for all our peers. Secrets of two owners would otherwise let either
 * come as anybody who has no secret.
 */
static bool proves(const struct shared *s, const struct id *local, const struct id *remote)
{
    if (!s->owner_count || owners_rank(s, remote))
        return true;
    for (size_t i = 0; i < s->owner_count; i++)
        if (!id_match(&s->owner[i], local))
            return false;
    return true;
}

/* The peer's name counts more than ours: a gateway has one of its own and many peers. */
static void consider(struct best *b, const struct shared *s, enum shared_kind kind,
                     const struct id *local, const struct id *remote)
{
    if (s->kind != kind || (b->proof && !proves(s, local, remote)))
        return;
    int rank = 1;
    if (s->owner_count) {
        rank = owners_rank(s, remote) * 8 + owners_rank(s, local) * 2;
        if (!rank)
            return;
    }
    if (rank > b->rank) {
        b->s = s;
        b->rank = rank;
    }
}

static void consider_key(const struct ike *e, struct best *b, enum shared_kind kind,
                         const struct id *key, const struct id *local, const struct id *remote)
{
    for (struct hash_node *n = hash_first(&e->owners, owner_hash(e, key)); n; n = hash_next(n))
        consider(b, container_of(n, struct shared_key, node)->entry->s, kind, local, remote);
}

static const struct shared *find(const struct ike *e, struct best b, enum shared_kind kind,
                                 const struct id *local, const struct id *remote)
{
    consider_key(e, &b, kind, remote, local, remote);
    if (b.s)
        return b.s;
    list_each (it, (struct list *)&e->wild_shared)
        consider(&b, container_of(it, struct shared_entry, wild)->s, kind, local, remote);
    consider_key(e, &b, kind, local, local, remote);
    return b.s;
}

const struct shared *shared_find(const struct ike *e, enum shared_kind kind, const struct id *local,
                                 const struct id *remote)
{
    return find(e, (struct best){0}, kind, local, remote);
}

const struct shared *shared_of_claim(const struct ike *e, enum shared_kind kind,
                                     const struct id *own, const struct id *claimed)
{
    return find(e, (struct best){.proof = true}, kind, own, claimed);
}

void ike_shared_each(const struct ike *e, ike_shared_fn *fn, void *ctx)
{
    list_each (it, (struct list *)&e->shared)
        fn(ctx, container_of(it, struct shared_entry, link)->s->name);
}
