/* Copies of exactly the size needed of model structs that are made for the worst case. */
#pragma once

#include "base/slab.h"
#include "model/id.h"

/* Both identities of an IKE SA. */
struct id_pair {
    uint8_t type[2]; /* ours, theirs */
    uint16_t len[2];
    uint8_t data[];
};

struct id_pair *id_pair_new(struct slab *s, const struct id *local,
                            const struct id *remote) must_use; /* NULL: E_NOMEM */
void id_pair_free(struct slab *s, struct id_pair *p);
/* NULL gives ID_ANY; where NULL is given nothing goes. */
void id_pair_get(const struct id_pair *p, struct id *local, struct id *remote);
bool id_pair_eq(const struct id_pair *a, const struct id_pair *b);
