/*
 * An SA's keys, before and after its first packet. Until then a direction holds the keying material
 * alone, some fifty bytes; what the packet path works with, up to two kilobytes of key schedules
 * and hash states, is made of it at the first packet, once (about 1 us), and the material wiped.
 * Most tunnels of a large gateway are idle. Used by child.c, esp_in.c and esp_out.c.
 */
#pragma once

#include "dataplane/pool.h"
#include "dataplane/sa.h"

#define KEY_SIZES 8 /* of crypto objects on one machine: by suite and size of key */

/* Keying material, in memory of the owner: its SA's. `encr` 0: there is none (any more). */
struct key_seed {
    uint8_t encr, integ; /* alg_no */
    uint8_t n, integ_n;
    uint8_t material[];
};

size_t keying_seed_size(struct bytes key, struct bytes integ_key);
/* The one behind it. */
struct key_seed *keying_seed_next(struct key_seed *s);

struct keying {
    int impl; /* enum cr_impl */
    struct pool_home *home;
    struct pool pools[KEY_SIZES];
};

void keying_init(struct keying *y, struct pool_home *home, int impl);
/* Checks suite and lengths, so that later only memory can fail. `to`: keying_seed_size bytes. */
err_t keying_keep(const struct keying *y, const struct alg *encr, const struct alg *integ,
                  struct bytes key, struct bytes integ_key, struct key_seed *to) must_use;
/* The key, and the material is gone; NULL: out of memory, nothing has changed. */
struct cr_esp *keying_make(struct keying *y, struct key_seed *seed) must_use;
/* Either of them, or none. */
void keying_drop(struct keying *y, struct key_seed *seed, struct cr_esp *key);
