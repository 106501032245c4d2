/*
 * Simultaneous rekeying: RFC 7296 2.8.1 and 2.8.2. When both sides rekey the same SA at once, four
 * nonces are there; the SA made with the lowest of them is closed by the side that started it.
 */
#include "ike/v2/v2.h"

/* Octet by octet; the shorter one is lower if it begins the longer. */
struct bytes v2_lower(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;
    return d < 0 || (d == 0 && a.n <= b.n) ? a : b;
}

bool v2_we_lose(const struct v2_exch *x)
{
    struct bytes mine = v2_lower(x->ni, x->nr);
    return v2_lower(mine, x->rival_low).p == mine.p;
}

void v2_rival_set(struct ike *e, struct v2_exch *ours, const struct v2_exch *theirs, uint32_t id)
{
    ours->rival = id;
    ours->rival_low = arena_copy(&ours->arena, v2_lower(theirs->ni, theirs->nr));
    if (!ours->rival_low.p)
        ike_fail(e, E_NOMEM);
}
