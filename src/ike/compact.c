/* Compact copies: see compact.h. 20,000 SAs must not carry 20,000 empty arrays. */
#include "ike/compact.h"

static size_t pair_size(size_t local, size_t remote)
{
    return sizeof(struct id_pair) + local + remote;
}

void id_pair_free(struct slab *s, struct id_pair *p)
{
    if (p)
        slab_put(s, p, pair_size(p->len[0], p->len[1]));
}

struct id_pair *id_pair_new(struct slab *s, const struct id *local, const struct id *remote)
{
    struct id_pair *p = slab_get(s, pair_size(local->len, remote->len));
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
