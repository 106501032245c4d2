/*
 * Packets that came before their SA: a peer may send on a CHILD SA as soon as it answered, and its
 * packets may overtake the answer. The SPI is reserved then (we chose it), the keys are not there
 * yet. A fixed, small store; strangers cannot fill it, for they do not know the SPI.
 */
#pragma once

#include <culvert/dataplane.h>

#define EARLY_MAX  32
#define EARLY_SIZE 2048 /* larger packets are not kept */
#define EARLY_MS   2000

struct early_slot {
    uint32_t spi; /* 0: free */
    bool ready;   /* the SA is there */
    uint64_t at_ms;
    struct dp_pkt pkt;
};

struct early {
    struct early_slot slot[EARLY_MAX];
    uint8_t *mem;
    uint32_t count, ready;
};

err_t early_init(struct early *e) must_use;
void early_fini(struct early *e);
bool early_put(struct early *e, uint32_t spi, const struct dp_pkt *p, uint64_t now_ms);
void early_release(struct early *e, uint32_t spi); /* the SA was installed: packets may be taken */
/* The oldest packet whose SA is there, copied to p->data, which has room for cap bytes. */
bool early_take(struct early *e, struct dp_pkt *p, size_t cap);
uint32_t early_expire(struct early *e, uint64_t now_ms); /* how many went */
