/* Growing buffer: see buf.h. */
#include "base/buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct buf *b, size_t n)
{
    if (b->err)
        return false;
    if (b->cap - b->n > n)
        return true;
    if (n > SIZE_MAX / 4 - b->n) {
        b->err = E_NOMEM;
        return false;
    }
    size_t cap = b->cap ? b->cap : 64;
    while (cap - b->n <= n)
        cap *= 2;
    char *s = realloc(b->s, cap);
    if (!s) {
        b->err = E_NOMEM;
        return false;
    }
    b->s = s;
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->s + b->n, p, n);
    b->n += n;
    b->s[b->n] = 0;
}

char *buf_space(struct buf *b, size_t n)
{
    if (!reserve(b, n))
        return NULL;
    char *at = b->s + b->n;
    b->n += n;
    b->s[b->n] = 0;
    return at;
}

void buf_cut(struct buf *b, size_t n)
{
    b->n = n;
    if (b->s)
        b->s[n] = 0;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && reserve(b, (size_t)n)) {
        vsnprintf(b->s + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

size_t number_text(uint64_t v, char out[20])
{
    size_t n = 1;
    for (uint64_t t = v; t >= 10; t /= 10)
        n++;
    for (size_t i = n; i-- > 0; v /= 10)
        out[i] = (char)('0' + v % 10);
    return n;
}

void buf_number(struct buf *b, uint64_t v)
{
    char text[20];
    buf_add(b, text, number_text(v, text));
}

void buf_hex(struct buf *b, struct bytes v)
{
    for (size_t i = 0; i < v.n; i++)
        buf_printf(b, "%02x", v.p[i]);
}

void buf_clear(struct buf *b)
{
    buf_cut(b, 0);
}

void buf_free(struct buf *b)
{
    free(b->s);
    *b = (struct buf){0};
}

const char *buf_str(const struct buf *b)
{
    return b->s ? b->s : "";
}
