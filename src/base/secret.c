/* Secrets: see secret.h. */
#include "base/secret.h"
#include <stdlib.h>

void secret_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}

bool secret_eq(const void *a, const void *b, size_t n)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t d = 0;
    for (size_t i = 0; i < n; i++)
        d |= x[i] ^ y[i];
    return d == 0;
}

err_t secret_alloc(struct secret *s, size_t n)
{
    uint8_t *p = calloc(1, n ? n : 1);
    if (!p)
        return E_NOMEM;
    secret_free(s);
    *s = (struct secret){p, n};
    return E_OK;
}

err_t secret_set(struct secret *s, struct bytes b)
{
    struct secret fresh = {0};
    err_t e = secret_alloc(&fresh, b.n);
    if (e)
        return e;
    if (b.n)
        memcpy(fresh.p, b.p, b.n);
    secret_move(s, &fresh);
    return E_OK;
}

void secret_move(struct secret *to, struct secret *from)
{
    if (to == from)
        return;
    secret_free(to);
    *to = *from;
    *from = (struct secret){0};
}

void secret_free(struct secret *s)
{
    if (s->p) {
        secret_wipe(s->p, s->n);
        free(s->p);
    }
    *s = (struct secret){0};
}
