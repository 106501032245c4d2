/* A growing string or byte buffer. Out of memory is sticky: err says so, appends do nothing. */
#pragma once

#include "base/cursor.h"

struct buf {
    char *s; /* always terminated once anything was added; NULL before */
    size_t n, cap;
    err_t err;
};

void buf_add(struct buf *b, const void *p, size_t n);
char *buf_space(struct buf *b, size_t n); /* n bytes for the caller to fill; NULL: no memory */
void buf_cut(struct buf *b, size_t n);    /* back to a length that it had */
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
/* Decimal; a tenth of what printf takes, for what is written by the thousand. */
void buf_number(struct buf *b, uint64_t v);
size_t number_text(uint64_t v, char out[20]); /* its length; not terminated */
void buf_hex(struct buf *b, struct bytes v);
void buf_clear(struct buf *b); /* keeps the memory */
void buf_free(struct buf *b);
const char *buf_str(const struct buf *b); /* "" when empty */
