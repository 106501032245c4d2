/*
 * All that crosses from the IKE engine to the data plane: one pair of IPsec SAs with their
 * selectors, and what the data plane reports back about them.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include "base/secret.h"
#include "model/alg.h"
#include "model/lifetime.h"
#include "model/proposal.h"
#include "model/ts.h"
#include "model/tunnel.h"

/* RFC 4301 4.1; BEET: transport's packets with the addresses of a tunnel */
enum ipsec_mode { MODE_TUNNEL = 0, MODE_TRANSPORT = 1, MODE_BEET = 2 };

/* Which directions to (un)install: RFC 7296 2.8: a responder of a rekeying receives on the new SA
 * at once and sends on it only when the initiator did or the old one is deleted. */
enum child_dir { DIR_IN = 1, DIR_OUT = 2, DIR_BOTH = 3 };

struct child_keys {
    struct secret encr;  /* key and salt, as negotiated keying material has it */
    struct secret integ; /* empty for AEAD */
};

/* AH around ESP, both negotiated together (RFC 2407 4.6.1, RFC 4301 5.1): outbound AH comes last.
 */
struct child_ah {
    uint32_t spi_in, spi_out; /* 0: no bundle */
    const struct alg *integ;
    struct secret in, out; /* keys */
    bool esn;
};

struct child_sa {
    uint32_t id;       /* unique id of the CHILD SA, for reports and VICI */
    uint32_t replaces; /* id of the CHILD SA that this one takes over from, 0 none */
    uint32_t policy;   /* policy id of the connection's child that triggered it, 0 none */
    const char *conn, *child;
    uint8_t proto; /* PROTO_ESP; PROTO_AH: encr is NULL */
    uint8_t mode;  /* enum ipsec_mode */
    uint8_t dirs;  /* enum child_dir */
    uint32_t spi_in, spi_out;
    const struct alg *encr,
        *integ; /* integ NULL for AEAD, and within AH where ESP has none; encr NULL for AH */
    bool esn;
    uint32_t replay_window; /* packets; 0 turns the check off */
    bool udp_encap;
    struct endpoint local, remote; /* tunnel end points; ports count with udp_encap */
    uint64_t seq_in, seq_out; /* highest numbers of its keys received and sent before; 0: none */
    struct child_keys in, out;
    struct ts_list local_ts, remote_ts;
    /* The peers agreed that later fragments, which have no ports, may come although the selectors
     * name ports: RFC 7296 1.3.1, RFC 4301 7.3. */
    bool later_frags;
    /* Transport mode behind a NAT: RFC 3947 5.2, RFC 7296 2.23.1. The peer made the checksums of
     * its packets between oa_remote, its own address as it knows it, and oa_local, ours as it sees
     * it; RFC 3948 3.1.2 has them made right for remote and local. Family 0: nothing to repair. */
    struct addr oa_local, oa_remote;
    /* IPComp inside (RFC 3173, DEFLATE): what we expect, what the peer does; 0: none. */
    uint16_t cpi_in, cpi_out;
    struct child_ah ah; /* the second SA of a bundle */
    uint16_t path_mtu;  /* of route and interface toward the peer; 0: not known */
    struct lifetime life;
    struct tunnel_rules ip;
    /* RFC 9611: per_cpu: the peers agreed on further SAs with these selectors, one for each worker;
     * cpu: 1 + the worker whose own this one is, 0: the fallback SA, for all that have none. */
    bool per_cpu;
    uint8_t cpu;
    uint16_t iface; /* its packets come and go through this interface; 0: the shared one */
    uint32_t mark;  /* reserved for marks of a connection, 0 */
};

struct child_use {
    uint64_t bytes, packets;
    uint64_t last_ms; /* monotonic time of the last packet, 0 never */
};

#define CHILD_LATE_STEPS 18
#define CHILD_DROPS      (R_DP_ROOM - R_DP_SHORT + 1) /* reasons of the data plane */

struct child_stats {
    struct child_use in, out;
    uint64_t seq_in, seq_out;                               /* highest numbers */
    uint64_t duplicate, late, icv_failed, selector_dropped; /* drops */
    uint32_t lateness[CHILD_LATE_STEPS]; /* packets that came from 2^i numbers behind on */
    uint32_t window, window_advice;      /* packets: as it is, and one that would have done */
    uint64_t limit_bytes;                /* of each direction; 0: none */
    uint16_t iface;                      /* as in struct child_sa */
    uint16_t path_mtu, plain_mtu;        /* what outer and inner packets may have */
    uint32_t drops[CHILD_DROPS];         /* by reason, from R_DP_SHORT on; both directions */
    uint64_t compressed, not_compressed, decompressed; /* packets: IPComp */
};
