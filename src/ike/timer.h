/* A binary heap of times: the next one due is at hand, each change costs the logarithm. */
#pragma once

#include "base/err.h"
#include <stdint.h>

struct ike_timer {
    uint64_t at;
    size_t pos; /* 1-based place in the heap; 0: not in it */
};

struct ike_heap {
    struct ike_timer **v;
    size_t n, cap;
};

err_t heap_set(struct ike_heap *h, struct ike_timer *t, uint64_t at) must_use; /* UINT64_MAX: out */
void heap_del(struct ike_heap *h, struct ike_timer *t);
struct ike_timer *heap_first(const struct ike_heap *h);
void heap_free(struct ike_heap *h);
