/*
 * The inbound SA table. We choose our SPIs: the low bits are the slot, the others a random
 * generation, so that a look-up is one load and one compare and an SPI of a deleted SA finds
 * nothing. SPIs chosen elsewhere (manual keys) are taken when their slot is free.
 */
#pragma once

#include "base/err.h"
#include <stdbool.h>

struct sa_in;

struct sad_slot {
    uint32_t spi;       /* 0: free */
    uint32_t next_free; /* index + 1 in the queue of freed slots; flags */
    struct sa_in *sa;   /* NULL: reserved only */
};

struct sad {
    struct sad_slot *slot;
    uint32_t mask, fresh; /* slots from `fresh` on were never used */
    uint32_t free_first, free_last, used;
    uint32_t tag; /* upper bits of the SPIs made here, in place; see sad_tag */
    uint32_t tag_mask;
    uint64_t seed[2], counter;
};

#define SAD_TAG_BITS 6
#define SPI_MIN      256 /* RFC 4303 2.1: 1 to 255 are IANA's, 0 is local */

err_t sad_init(struct sad *t, uint32_t size, const uint64_t seed[2]) must_use; /* rounded up */
void sad_fini(struct sad *t);
/* The highest `bits` bits of new SPIs say `tag`; at most SAD_TAG_BITS, so that a generation is
 * left. */
void sad_tag(struct sad *t, unsigned bits, uint32_t tag);
uint32_t sad_alloc(struct sad *t);           /* 0: full */
bool sad_adopt(struct sad *t, uint32_t spi); /* reserves this SPI; false: slot taken */
/* The SPI belongs to an SA from now on, installed or not; false: it did already. */
bool sad_take(struct sad *t, uint32_t spi);
void sad_untake(struct sad *t, uint32_t spi);
bool sad_taken(const struct sad *t, uint32_t spi);
void sad_release(struct sad *t, uint32_t spi);

static inline struct sad_slot *sad_slot_of(const struct sad *t, uint32_t spi)
{
    return &t->slot[spi & t->mask];
}

static inline bool sad_reserved(const struct sad *t, uint32_t spi)
{
    return spi && sad_slot_of(t, spi)->spi == spi;
}

static inline struct sa_in *sad_find(const struct sad *t, uint32_t spi)
{
    const struct sad_slot *s = sad_slot_of(t, spi);
    return s->spi == spi ? s->sa : NULL;
}
