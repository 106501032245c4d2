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
