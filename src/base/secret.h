/*
 * Keys and whatever is derived on the way to them: wiped when freed or replaced, compared in
 * constant time, never printed.
 */
#pragma once

#include "base/cursor.h"

struct secret {
    uint8_t *p;
    size_t n;
};

void secret_wipe(void *p, size_t n);                         /* not optimised away */
bool secret_eq(const void *a, const void *b, size_t n);      /* constant time */
err_t secret_set(struct secret *s, struct bytes b) must_use; /* copies; frees what was there */
err_t secret_alloc(struct secret *s, size_t n) must_use;     /* n zero bytes */
void secret_move(struct secret *to, struct secret *from); /* frees to's old value, empties from */
void secret_free(struct secret *s);

static inline struct bytes secret_bytes(const struct secret *s)
{
    return bytes_of(s->p, s->n);
}
