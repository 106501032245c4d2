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

/*
 * An arena that is made and freed all the time borrows its first block: arena_reserve makes one at
 * `home`, arena_borrow takes it (there is none while another has it), arena_return wipes and gives
 * back the largest block and frees the others.
 */
bool arena_reserve(struct arena *home, size_t n) must_use;
void arena_borrow(struct arena *a, struct arena *home);
void arena_return(struct arena *a, struct arena *home);
