/* Compact copies: see compact.h. 20,000 SAs must not carry 20,000 empty arrays. */
#include "ike/compact.h"
#include <stdlib.h>

struct id_copy *id_copy_new(const struct id *id)
{
    struct id_copy *c = malloc(sizeof *c + id->len);
    if (!c)
        return NULL;
    c->type = id->type;
    c->len = id->len;
    memcpy(c->data, id->data, id->len);
    return c;
}

void id_copy_get(const struct id_copy *c, struct id *out)
{
    *out = (struct id){0};
    if (!c)
        return;
    out->type = c->type;
    out->len = c->len;
    memcpy(out->data, c->data, c->len);
}

bool id_copy_eq(const struct id_copy *a, const struct id_copy *b)
{
    if (!a || !b)
        return a == b;
    struct id x, y;
    id_copy_get(a, &x);
    id_copy_get(b, &y);
    return id_eq(&x, &y);
}

err_t ts_copy_set(struct ts_copy *c, const struct ts_list *l)
{
    struct ts *v = calloc(l->count ? l->count : 1, sizeof *v);
    if (!v)
        return E_NOMEM;
    memcpy(v, l->ts, l->count * sizeof *v);
    free(c->ts);
    *c = (struct ts_copy){v, (uint32_t)l->count};
    return E_OK;
}

void ts_copy_get(const struct ts_copy *c, struct ts_list *out)
{
    out->count = c->count;
    if (c->count)
        memcpy(out->ts, c->ts, c->count * sizeof *c->ts);
}

void ts_copy_free(struct ts_copy *c)
{
    free(c->ts);
    *c = (struct ts_copy){0};
}
