/* Keys of SAs: see keying.h. */
#include "dataplane/keying.h"

void keying_init(struct keying *y, struct pool_home *home, int impl)
{
    *y = (struct keying){.impl = impl, .home = home};
}

size_t keying_seed_size(struct bytes key, struct bytes integ_key)
{
    return sizeof(struct key_seed) + key.n + integ_key.n;
}

struct key_seed *keying_seed_next(struct key_seed *s)
{
    return (struct key_seed *)(s->material + s->n + s->integ_n);
}

err_t keying_keep(const struct keying *y, const struct alg *encr, const struct alg *integ,
                  struct bytes key, struct bytes integ_key, struct key_seed *to)
{
    err_t e = cr_esp_check((enum cr_impl)y->impl, encr, integ, key, integ_key);
    if (e)
        return e;
    *to = (struct key_seed){.encr = alg_no(encr),
                            .integ = alg_no(integ),
                            .n = (uint8_t)key.n,
                            .integ_n = (uint8_t)integ_key.n};
    if (key.n)
        memcpy(to->material, key.p, key.n);
    if (integ_key.n)
        memcpy(to->material + key.n, integ_key.p, integ_key.n);
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
            pool_init(p, y->home, round_up(size));
        if (p->size == round_up(size))
            return p;
    }
    return NULL;
}

/* Where the next one is stays known. */
static void seed_wipe(struct key_seed *s)
{
    secret_wipe(s->material, (size_t)s->n + s->integ_n);
    s->encr = 0;
}

struct cr_esp *keying_make(struct keying *y, struct key_seed *s)
{
    const struct alg *encr = alg_at(s->encr), *integ = alg_at(s->integ);
    struct pool *p = pool_of(y, cr_esp_size((enum cr_impl)y->impl, encr, integ));
    void *mem = p ? pool_get(p) : NULL;
    if (!mem)
        return NULL;
    if (cr_esp_init((enum cr_impl)y->impl, encr, integ, bytes_of(s->material, s->n),
                    bytes_of(s->material + s->n, s->integ_n), mem)) {
        pool_put(p, mem);
        return NULL;
    }
    seed_wipe(s);
    return mem;
}

void keying_drop(struct keying *y, struct key_seed *seed, struct cr_esp *key)
{
    seed_wipe(seed);
    if (!key)
        return;
    struct pool *p = pool_of(y, cr_esp_size_of(key));
    cr_esp_fini(key);
    if (p)
        pool_put(p, key);
}
