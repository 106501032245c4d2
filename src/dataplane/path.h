/*
 * How large a packet a path carries, found by asking: the search of RFC 8899 for one SA, as a pure
 * machine. A round is a ladder of probes, sent at once, the largest first and a small one last; the
 * peer answers each that came. When the small one's answer is there, what else was not answered is
 * taken for lost; several rounds must agree before anything is believed too large. All sizes are
 * lengths of inner packets. Called by probe.c, which has the packets and the time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PATH_RUNGS 12
#define PATH_TRIES 3 /* rounds without any answer: the peer does not speak this */

enum path_next {
    PATH_WAIT, /* for answers */
    PATH_SEND, /* a round is ready in p->size */
    PATH_DONE, /* p->mtu has been proven */
    PATH_MUTE, /* nobody answers: p->mtu is as good as before */
};

struct path {
    uint16_t cap, base; /* never larger; the small probe, which is believed to pass */
    uint16_t align;     /* sizes differ on the wire by steps of this */
    uint16_t mtu;       /* what is believed now: cap at first */
    uint16_t goal;      /* of this search: proving it ends it */
    uint16_t lo, hi;    /* answered; believed lost, 0: none */
    uint8_t strikes, need, silent;
    bool searching;
    /* the round: */
    uint16_t size[PATH_RUNGS];
    uint16_t answered; /* bit mask */
    uint8_t rungs;
    uint8_t round; /* a number that answers carry */
};

void path_init(struct path *p, uint16_t cap, uint16_t base, uint16_t align);
/* Begins a search up to `goal`; the round is ready to be sent. need: rounds that must miss a size.
 */
void path_search(struct path *p, uint16_t goal, uint8_t need);
/* A probe of this round came to the peer. Rungs of the round before may still come. */
enum path_next path_answer(struct path *p, uint8_t round, unsigned rung, uint16_t size);
/* No more answers are to be expected to this round. */
enum path_next path_timeout(struct path *p);
