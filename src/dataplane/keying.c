/* Keys of SAs: see keying.h. */
#include "dataplane/keying.h"
#include <stdlib.h>

struct key_seed {
    const struct alg *encr, *integ;
    uint8_t n, integ_n;
    uint8_t material[];
};

static size_t seed_size(const struct key_seed *s)
{
    return sizeof *s + s->n + s->integ_n;
}

err_t keying_keep(const struct keying *y, const struct alg *encr, const struct alg *integ,
                  struct bytes key, struct bytes integ_key, struct key_seed **out)
{
    err_t e = cr_esp_check((enum cr_impl)y->impl, encr, integ, key, integ_key);
    if (e)
        return e;
    struct key_seed *s = malloc(sizeof *s + key.n + integ_key.n);
    if (!s)
        return E_NOMEM;
    *s = (struct key_seed){
        .encr = encr, .integ = integ, .n = (uint8_t)key.n, .integ_n = (uint8_t)integ_key.n};
    if (key.n)
        memcpy(s->material, key.p, key.n);
    if (integ_key.n)
        memcpy(s->material + key.n, integ_key.p, integ_key.n);
    *out = s;
    return E_OK;
}

static size_t round_up(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

/* The pool of objects of this size; there are fewer sizes than pools. */
static struct pool *pool_of(struct keying *y, size_t size)
{
    for (size_t i = 0; i < KEY_SIZES; i++) {
        struct pool *p = &y->pools[i];
        if (!p->size)
            p->size = round_up(size);
        if (p->size == round_up(size))
            return p;
    }
    return NULL;
}

static void seed_free(struct key_seed *s)
{
    if (s)
        secret_wipe(s, seed_size(s));
    free(s);
}

struct cr_esp *keying_make(struct keying *y, struct key_seed **seed)
{
    struct key_seed *s = *seed;
    struct pool *p = pool_of(y, cr_esp_size((enum cr_impl)y->impl, s->encr, s->integ));
    void *mem = p ? pool_get(p) : NULL;
    if (!mem)
        return NULL;
    if (cr_esp_init((enum cr_impl)y->impl, s->encr, s->integ, bytes_of(s->material, s->n),
                    bytes_of(s->material + s->n, s->integ_n), mem)) {
        pool_put(p, mem);
        return NULL;
    }
    seed_free(s);
    *seed = NULL;
    return mem;
}

void keying_drop(struct keying *y, struct key_seed *seed, struct cr_esp *key)
{
    seed_free(seed);
    if (!key)
        return;
    struct pool *p = pool_of(y, cr_esp_size_of(key));
    cr_esp_fini(key);
    if (p)
        pool_put(p, key);
}

void keying_fini(struct keying *y)
{
    for (size_t i = 0; i < KEY_SIZES; i++)
        pool_fini(&y->pools[i]);
}
