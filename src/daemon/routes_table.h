/*
 * Which routes follow from the SPD, computed without a network: a sorted table in which each prefix
 * stands once. Called by routes.c, which makes the kernel agree with it.
 */
#pragma once

#include "model/policy.h"

struct route {
    struct addr prefix, src; /* src: of our own packets, family 0: the kernel chooses */
    unsigned bits;
    bool throw_back; /* to the next table: bypass, or our own side */
};

struct route_table {
    struct route *r;
    size_t n, cap;
};

/* Tells one of our own addresses within lo..hi; false: none. */
struct route_source {
    void *ctx;
    bool (*local_in)(void *ctx, const struct addr *lo, const struct addr *hi, struct addr *out);
};

/*
 * What a protect or drop policy selects leads into the TUN device, what a bypass policy of whole
 * addresses or our own side under a wider remote selector is thrown back. Of a route and a throw
 * for the same prefix the route stays: fail closed. On failure *t is empty.
 */
err_t route_table_make(struct route_table *t, const struct policy *p, size_t n,
                       const struct route_source *from) must_use;
void route_table_free(struct route_table *t);
int route_cmp(const void *x, const void *y); /* order of the table: prefix, length, kind */
