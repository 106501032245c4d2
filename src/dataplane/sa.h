/*
 * An SA's hot halves, what the packet path reads and writes, and its cold half for control. One
 * worker writes a hot half. Hot halves come from pools that never give memory back, so that a
 * cached pointer may be followed and its generation compared after the SA is gone.
 */
#pragma once

#include "base/hash.h"
#include "crypto/crypto.h"
#include "dataplane/replay.h"
#include "dataplane/sel.h"
#include "model/child_sa.h"

/* Use against the next threshold: soft first, then hard (lifetime.c). */
struct life {
    uint64_t bytes, packets;
    uint64_t bytes_limit, packets_limit;
};

/* What of the packet path an SA takes: the straight one, or modes_in.c and modes_out.c. */
enum sa_kind {
    KIND_TUNNEL, /* ESP in tunnel mode */
    KIND_ESP,    /* ESP otherwise: transport, BEET, with IPComp, in a bundle */
    KIND_AH,
};

struct framing {
    uint8_t hdr_len; /* SPI, sequence number, IV */
    uint8_t icv_len;
    uint8_t align_mask; /* block or 4, whichever is more, less one */
    bool esn, udp;
    uint8_t kind; /* enum sa_kind */
};

struct sa_in {
    struct cr_esp *key; /* NULL until the first packet: keying.h */
    struct replay replay;
    struct child *child;
    struct framing f;
    bool dead;         /* hard lifetime is over */
    bool announce;     /* NOTE_FIRST_IN is still to come */
    uint8_t look;      /* look.h: TCP flags */
    uint16_t tos_look; /* tunnel.h: outer TOS bits that matter */
    uint32_t child_id;
    struct life life; /* into the second line */
    uint64_t last_ms;
    uint64_t own_bits[REPLAY_INLINE];
    struct sel_v4 v4; /* instead of the child's selectors, where that is possible */
    /* third */
    uint16_t iface;                /* where its packets go */
    struct endpoint remote;        /* UDP: where the peer is thought to be */
    bool names_ports, later_frags; /* its selectors; agreed on: RFC 4301 7.3 */
    struct lateness *late;         /* NULL: all came in order so far */
    struct endpoint noted;         /* the last address told by NOTE_MOVED */
} __attribute__((aligned(64)));

struct sa_out {
    struct cr_esp *key; /* likewise; a pool's link when the SA is gone, but `gen` stays */
    uint64_t seq;       /* last one used */
    uint32_t gen;       /* changes when flows must be assigned anew */
    uint32_t spi;
    struct framing f;
    bool dead;
    uint8_t tos_mask, tos_add; /* of the inner TOS, what the outer header gets; what besides */
    uint8_t df : 2;            /* enum copy_df */
    bool frag_before : 1;      /* frag_out.h */
    uint16_t inner_mtu;
    uint16_t watch; /* longer packets are looked at: never more than inner_mtu */
    uint32_t child_id;
    struct life life; /* `packets` unused: the sequence number counts; packets_limit bounds seq */
    /* second line */
    uint64_t last_ms;
    struct endpoint local, remote;
    /* third */
    struct child *child;
    struct sa_out *next; /* of the same bind: older */
    bool active;         /* DIR_OUT is installed */
    bool whole;          /* fragments are put together before it takes them */
    uint16_t mss_max;    /* of struct tunnel_rules */
} __attribute__((aligned(64)));

struct mode;
struct probe;

/* What was dropped on an SA, by reason from R_DP_SHORT on: most SAs never need it. */
struct sa_drops {
    uint32_t n[CHILD_DROPS];
};

struct child {
    struct hash_node node, out_node; /* by id; by the outbound SPI */
    struct sa_in *in;
    struct sa_out *out;
    struct bind *bind;
    struct sa_drops *drops;            /* NULL: none yet */
    struct mode *mode;                 /* NULL: KIND_TUNNEL */
    struct probe *probe;               /* path MTU discovery; NULL: nothing large was sent yet */
    uint64_t life_bytes, life_packets; /* of struct lifetime; the soft ones: struct life */
    uint64_t seq_start;                /* numbers that were used before this SA */
    uint32_t id, policy;
    uint32_t spi_in;
    uint32_t ports_rule;         /* as in struct bind */
    uint16_t link_mtu, path_mtu; /* as told; that and what the settings say */
    uint16_t plain_max;          /* of inner packets, by the operator's word; 0: found out */
    bool in_active, soft_noted, hard_noted;
    bool quiet;              /* dp_child_quiet was called */
    uint16_t size, seeds_at; /* of all of it; child_seed */
    struct sel_set sel;
    /* two key seeds */
};
