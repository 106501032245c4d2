/* Memory that lives as long as one exchange or one step and goes at once. Returned memory is zero.
 */
#pragma once

#include "base/cursor.h"
#include <stdarg.h>

struct arena {
    struct arena_block *blocks;
};

void *arena_alloc(struct arena *a, size_t n) must_use; /* NULL when out of memory */
struct bytes arena_copy(struct arena *a, struct bytes b);
char *arena_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) printf_like(2, 0);
void arena_free(struct arena *a); /* wipes: arenas may hold key material */
