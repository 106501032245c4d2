/*
 * Fragments where selectors name ports, ICMP types or Mobility Header types: RFC 4301 7. A later
 * fragment has the ports of the first one of its datagram, on its way out and on its way in, and
 * is then a packet like any other: it meets the policy, the SA and the worker of its datagram.
 * Where the peer has not agreed to later fragments (NON_FIRST_FRAGMENTS_ALSO), datagrams are put
 * together before they are protected. Data planes without such selectors have none of this, and
 * packets that are whole never come here. Called by esp_out.c, modes_out.c, rx.c, view.c, child.c.
 */
#pragma once

#include "dataplane/dp.h"

/* Made with the first policy or SA whose selectors name ports. */
struct frags {
    struct spd *spd; /* these policies and SAs, as if any port were theirs: whom ports matter to */
    struct frag_table out, in;
    struct frag_wait wait;
    struct frag_join *join; /* NULL: every peer so far takes fragments */
};

void frags_free(struct frags *f);
/* Rules that name ports; *rule 0: there are none. E_NOMEM: nothing changed. */
err_t frags_rules_add(struct dp *d, const struct policy *p, uint32_t *rule) must_use;
void frags_rules_del(struct dp *d, uint32_t rule);
/* Memory to put datagrams together in, for an SA that takes none but whole ones. */
err_t frags_join_open(struct dp *d) must_use;

/* A fragment on its way out: ip->flow becomes that of its datagram, ip->frag 0 where later ones go
 * ways of their own (7.2). False: it has its verdict. */
bool frags_out(struct dp *d, struct dp_pkt *p, struct ip_info *ip);
/* Collects the fragments of a datagram that must be whole. True: the packet has its verdict. False:
 * it is no fragment; or the last one, and the datagram, w->len bytes, has taken its place. */
bool frags_collect(struct dp *d, const struct sa_out *sa, struct out_work *w);

#define FRAGS_HELD R_COUNT /* instead of a reason: it waits for the first fragment */
/* A decrypted fragment, of an SA whose selectors name ports or are OPAQUE. */
err_t frags_in(struct dp *d, struct sa_in *sa, const struct dp_pkt *p, const uint8_t *inner,
               struct ip_info *ip) must_use;

/* The next one whose first fragment has come, with its verdict; false: none. */
bool frags_next(struct dp *d, struct dp_pkt *p, size_t cap, uint64_t now_ms);
void frags_tick(struct dp *d, uint64_t now_ms);
static inline bool frags_ready(const struct dp *d)
{
    return d->frags && d->frags->wait.ready;
}
static inline bool frags_waiting(const struct dp *d)
{
    return d->frags && d->frags->wait.count;
}
