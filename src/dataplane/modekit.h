/* For tests of the SAs that are not ESP in tunnel mode: two peers with an SA of each shape, and the
 * network between them. */
#pragma once

#include "dataplane/modes.h"
#include "dataplane/testkit.h"

struct shape {
    const char *name;
    uint8_t proto, mode;
    bool ah, zip; /* a bundle; IPComp */
    bool bare;    /* ESP leaves integrity to AH */
};

extern const struct shape shapes[];
extern const size_t SHAPES;

/* Two hosts with the addresses that testkit's packets have inside. */
struct peers {
    struct kit k;
    const struct shape *s;
    unsigned inner; /* family */
};

extern uint8_t wire[KIT_BUF], got[KIT_BUF], plain[KIT_BUF];

struct addr kit_addr(const char *text);
void mode_up(struct peers *t, const struct shape *s, unsigned inner, const struct kit_suite *u,
             const struct kit_opts *o);
/* What the network and the receiving kernel make of a packet: header and payload apart. */
struct dp_pkt mode_arrive(const struct dp_pkt *p, uint8_t *buf);
uint32_t mode_inner(uint32_t len, unsigned family);     /* into `plain` */
struct dp_pkt mode_sent(struct peers *t, uint32_t len); /* `plain`, as A sends it, in `wire` */
