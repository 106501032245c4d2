/*
 * All of IPsec that is not ESP in tunnel mode: AH, transport mode, BEET, IPComp, bundles. Chosen
 * when an SA is installed; its packets leave the straight path a run at a time, and go through
 * phases of their own: modes_in.c, modes_out.c. modes.c installs.
 */
#pragma once

#include "dataplane/ah.h"
#include "dataplane/beet.h"
#include "dataplane/dp.h"
#include "dataplane/ipcomp.h"

/* A child's part of it, for both directions. */
struct mode {
    uint8_t mode; /* enum ipsec_mode */
    bool repair;  /* checksums, by csum_fix */
    uint16_t csum_fix;
    uint16_t cpi_in, cpi_out;
    uint8_t zip_fails, zip_skip; /* in a row did not shrink; so many are not tried now */
    uint32_t ah_spi_in;
    uint64_t zipped, not_zipped, unzipped; /* packets */
    struct sa_in *ah_in;                   /* of a bundle: the outer SA; NULL: none */
    struct sa_out *ah_out;
    struct addr inner_local, inner_remote; /* BEET */
    struct addr oa_local, oa_remote;
    uint8_t seeds[]; /* mode_seed */
};

/* Keying material of a bundle's AH. */
struct key_seed *mode_seed(struct mode *m, enum child_dir dir);

/* A packet between the phases. The header is a copy, and goes back in front when all is done. */
struct mode_pkt {
    struct dp_pkt *p;
    uint64_t seq;
    uint8_t *at; /* what follows the header now */
    uint32_t len;
    struct transport_at h; /* of the header, in modes.hdr; hlen 0: the kernel writes it */
    uint8_t next;          /* what `at` is */
    uint8_t slot;          /* of modes.hdr */
    uint32_t plain;        /* out: bytes of the packet as it came */
};

#define MODES_ARENA (8u << 20) /* touched as far as it is used */

/* A worker's, made with its first SA of such a kind. */
struct modes {
    struct cr_op ops[DP_BATCH];
    struct mode_pkt pkt[DP_BATCH];
    uint8_t hdr[DP_BATCH][DP_IP_MAX + 4];
    uint8_t *arena; /* packets that find no place where they came from */
    size_t used;
    struct ipcomp *zip; /* NULL: no SA with IPComp yet */
};

void modes_close(struct modes *m);
void modes_stats(const struct child *c, struct child_stats *out);

/* A batch of inbound packets begins: those of the last one are gone. */
static inline void modes_begin(struct modes *m)
{
    if (m)
        m->used = 0;
}

/* NULL: the arena is full; else cap bytes with DP_IP_MAX in front. */
uint8_t *modes_room(struct modes *m, uint32_t cap);
/* The last room becomes this long: what is behind it is free again. */
void modes_trim(struct modes *m, const uint8_t *room, uint32_t len);

/* E_NOTSUP: there is no such SA. */
err_t modes_check(const struct child_sa *sa) must_use;
static inline bool modes_needed(const struct child_sa *sa)
{
    return sa->proto != PROTO_ESP || sa->mode != MODE_TUNNEL || sa->cpi_in || sa->cpi_out ||
           sa->ah.integ;
}
/* After c->in and c->out are there: the rest of it, in c->mode. */
err_t modes_add(struct dp *d, const struct child_sa *sa, struct child *c) must_use;
void modes_install(struct dp *d, struct child *c); /* to receive */
void modes_del(struct dp *d, struct child *c);
void modes_moved(struct child *c);
/* Bytes of a packet that do not travel in ESP, for a dummy of its size; false: AH is outermost, and
 * there are no dummies. */
bool modes_dummy(const struct child *c, uint32_t *saved);
uint16_t modes_inner_mtu(const struct child *c, unsigned outer_family, uint16_t mtu);

/* n packets of one SA, which get their verdicts. */
void modes_in(struct dp *d, struct sa_in *sa, const struct in_work *w, size_t n, uint64_t now_ms);
void modes_out(struct dp *d, struct sa_out *sa, struct out_work *w, size_t n, uint64_t now_ms);
