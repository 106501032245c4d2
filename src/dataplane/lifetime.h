/*
 * Limits of bytes, packets and sequence numbers of an SA (RFC 4301 4.4.2.1, RFC 4303 3.3.3). The
 * packet path compares with one threshold for each; reaching it comes here: first the soft limit,
 * then the hard one. Bytes are those of the inner packets; each direction counts for itself.
 */
#pragma once

#include "dataplane/dp.h"

void life_init_in(struct sa_in *sa, const struct lifetime *limits);
void life_init_out(struct sa_out *sa, const struct lifetime *limits);

static inline bool life_due(const struct life *l, uint64_t packets)
{
    return l->bytes >= l->bytes_limit || packets >= l->packets_limit;
}

/* n packets more might reach a limit. */
static inline bool life_near(const struct life *l, uint64_t packets, size_t n)
{
    return l->bytes + n * 65536 >= l->bytes_limit || packets + n >= l->packets_limit;
}

void life_reached_in(struct dp *d, struct sa_in *sa);
void life_reached_out(struct dp *d, struct sa_out *sa);
/* A packet met an SA past its hard limit: tells the control side if it has not heard yet. */
err_t life_dead_in(struct dp *d, struct sa_in *sa);
err_t life_dead_out(struct dp *d, struct sa_out *sa);
