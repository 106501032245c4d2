/*
 * The data plane: plain packets in, ESP out, and back, a batch at a time. It knows no sockets, no
 * clock and no IKE; control calls and packet calls come in turn. Several workers have one each: an
 * SA lives in exactly one of them, and its inbound SPI says in which.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include "model/child_sa.h"
#include "model/policy.h"

struct dp;

/*
 * Where a policy's SAs are. `spread` (RFC 9611): its flows come to all workers, and one that has an
 * SA of its own uses it; one that has none asks for it and hands over to the owner, who has the
 * fallback SA.
 */
struct dp_owner {
    uint8_t worker;
    bool spread;
};

struct dp_settings {
    uint32_t sa_max;          /* slots of the inbound SA table: 131072 */
    uint32_t hold_max;        /* packets held in all while tunnels come up: 1024 */
    uint32_t hold_per_policy; /* 32 */
    uint64_t hold_ms;         /* a held packet is dropped after: 30000 */
    uint16_t mtu;             /* outer path MTU assumed: 1500 */
    bool path_probes;         /* search for the path MTU by probes inside of SAs: yes */
    uint64_t seed[2];         /* for hashes and SPIs */
    int crypto;               /* enum cr_impl of crypto/crypto.h; 0: automatic */
    uint32_t workers;         /* that share policies and SAs; 0 and 1: this one is alone */
    uint32_t self;            /* which of them this is, from 0 */
    /* Which worker has the SAs of a policy that is met first. NULL: this one. */
    struct dp_owner (*owner)(void *ctx, uint32_t policy_id);
    void *owner_ctx;
};
void dp_settings_default(struct dp_settings *s);

/* An SPI's worker stands in its upper bits: this many of them. */
static inline unsigned dp_tag_bits(uint32_t workers)
{
    unsigned bits = 0;
    while (1u << bits < workers)
        bits++;
    return bits;
}

/* Whom an inbound SPI belongs to, also one that nobody has given out. */
static inline uint32_t dp_spi_worker(uint32_t spi, uint32_t workers)
{
    unsigned bits = dp_tag_bits(workers);
    return bits ? (spi >> (32 - bits)) % workers : 0;
}

#define DP_WORKERS_MAX 64

/* Who serves an interface of struct policy, and has all its SAs. */
static inline uint32_t dp_iface_worker(uint16_t iface, uint32_t workers)
{
    return workers ? iface % workers : 0;
}

struct dp *dp_new(const struct dp_settings *s) must_use;
void dp_free(struct dp *d);

/* --- control --- */

/* An inbound SPI, its slot and generation; never below 256 (RFC 4303 2.1). 0: table full. */
uint32_t dp_spi_alloc(struct dp *d);
void dp_spi_free(struct dp *d, uint32_t spi);
err_t dp_child_add(struct dp *d, const struct child_sa *sa, uint64_t now_ms) must_use;
/* Installs the direction left out by dp_child_add. */
err_t dp_child_dir(struct dp *d, uint32_t child_id, enum child_dir dir) must_use;
/* Stops sending on it; it receives until dp_child_del: what is under way when an SA was replaced.
 * Both tell the policy that it served until now; 0: it is not known, or quiet already. */
uint32_t dp_child_quiet(struct dp *d, uint32_t child_id);
uint32_t dp_child_del(struct dp *d, uint32_t child_id);
err_t dp_child_move(struct dp *d, uint32_t child_id, const struct endpoint *local,
                    const struct endpoint *remote) must_use;
/*
 * What outgoing link and route carry toward an SA's peer now, 0: not known. What was found out
 * about the path stays, as far as the link has room for it.
 */
err_t dp_child_mtu(struct dp *d, uint32_t child_id, uint16_t mtu) must_use;
struct dp_child_link {
    uint32_t child_id;
    uint16_t mtu; /* as dp_child_mtu was told */
    struct addr remote;
};
/* All SAs, at most max; their number. */
size_t dp_child_links(const struct dp *d, struct dp_child_link *out, size_t max);
/* The smallest of what links and routes leave to the plain packets of an interface's SAs; 0: none
 * is there. */
uint16_t dp_iface_mtu(const struct dp *d, uint16_t iface);
/* A packet of this SA, of len bytes with its outer IP header, did not fit the outgoing link and is
 * lost; link_mtu as above. */
void dp_link_too_big(struct dp *d, uint32_t child_id, uint32_t len, uint16_t link_mtu,
                     uint64_t now_ms);
/* What an ICMP error says of a packet that was too big. True: it is about an SA of this data plane,
 * and likely to be true; the SA's path MTU is not larger any more. */
struct dp_too_big {
    struct endpoint local, remote; /* of the packet; ports with udp */
    uint32_t spi, seq;
    uint16_t mtu;
    bool udp, ah;
    /* Spi and seq are not known: nothing is believed, but SAs to this peer ask the path themselves.
     * Costs time with the number of SAs. */
    bool weak;
};
bool dp_path_too_big(struct dp *d, const struct dp_too_big *t, uint64_t now_ms);
bool dp_child_stats(const struct dp *d, uint32_t child_id, struct child_stats *out);

/*
 * Policies come and go one by one, at the same cost with one and with 100,000 others, and count
 * from the next batch on. The lower priority goes first, of equal ones the narrower, then the lower
 * id. Like all control calls they need packet calls of this data plane kept out, and nobody else:
 * each has policies of its own. R_EXISTS: the id is taken.
 */
err_t dp_policy_add(struct dp *d, const struct policy *p) must_use;
void dp_policy_del(struct dp *d, uint32_t id); /* an unknown id is fine */

/* Packets held for a policy: released by dp_child_add of an SA whose `policy` it is (fetch them
 * with dp_held), or dropped here. */
void dp_hold_drop(struct dp *d, uint32_t policy_id);
bool dp_held_ready(const struct dp *d); /* dp_held_next has something */
/* The policy's owner from now on; what is held for it elsewhere goes there. */
void dp_policy_moved(struct dp *d, uint32_t policy_id, struct dp_owner owner);
uint32_t dp_policy_held(const struct dp *d, uint32_t policy_id); /* packets */

/* --- packets --- */

/* A packet in a buffer of the caller: headroom and tailroom let headers grow in place. */
#define DP_HEADROOM 128 /* bytes free before data for outer headers */
#define DP_TAILROOM 96  /* bytes free behind data for padding and ICV */
#define DP_BATCH    64
#define DP_IP_MAX   124 /* bytes of IP and extension headers that AH and transport mode take */

enum dp_verdict {
    DP_NONE = 0,
    DP_TO_NET,    /* encapsulated: send to `remote` from `local` (udp: in UDP; whole: as it is; else
                     protocol 50) */
    DP_TO_HOST,   /* plain packet for the TUN device */
    DP_TO_IKE,    /* data is an IKE message, marker stripped */
    DP_HELD,      /* the data plane keeps a copy; buffer may be reused */
    DP_DROP,      /* reason says why; already counted */
    DP_KEEPALIVE, /* NAT keepalive: nothing to do */
    DP_ELSEWHERE, /* another worker's: `owner` has the SA; the packet is as it came */
};

struct dp_pkt {
    uint8_t *data; /* first byte of the packet now */
    uint32_t len;
    enum dp_verdict verdict;
    err_t reason;
    struct endpoint local, remote; /* encrypted side: in: whence it came and where; out: where to */
    bool udp;                      /* encrypted side: ESP in UDP */
    bool ah;                       /* in: protocol 51; `data` is at the SPI all the same */
    bool whole;                    /* out: data begins with an IP header that must stay as it is */
    bool brief;                    /* out: data stay only until the next call: send before it */
    uint32_t label;                /* out: IPv6 flow label of the outer header; 0: any */
    uint8_t ttl;                   /* out: TTL or hop limit of the outer header; 0: the usual one */
    /* In: bytes in front of data that came with it: IP header, extension headers, the four bytes of
     * AH before its SPI. 0: they are not there; then AH cannot be checked. */
    uint16_t ip_len;
    uint16_t iface; /* plain side: the interface it came from or is for, as in struct policy */
    uint8_t tos;    /* outer DSCP and ECN; in: as received, set by the caller, 0 if unknown */
    bool df;        /* out: IPv4 DF of the outer header */
    uint8_t owner;  /* DP_ELSEWHERE */
    bool close;     /* to dp_outbound: head and back bytes are free instead of head- and tailroom */
    uint8_t head, back;
    uint32_t child_id; /* SA that carried it */
    /*
     * To dp_outbound: the last body_len of the packet's bytes are here and not yet behind the
     * others, where there is room for them; IP and transport header are in place. So a segment of a
     * super-packet is encrypted without a copy. NULL: all is in place.
     */
    uint32_t body_len;
    const uint8_t *body;
};

/*
 * Plain packets (IPv4 or IPv6 from byte 0) from the TUN device. What a bypass policy selects by
 * address alone never enters it; what one selects by port or type leaves `whole`, in clear.
 * With a too big packet an ICMP answer takes its place: verdict DP_TO_HOST.
 */
void dp_outbound(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms);

/*
 * What ESP puts around the packets of a flow that it knows: so that the segments of a super-packet
 * can be laid out as close as the train that they leave in, and go to the kernel as one piece.
 * pkt: the super-packet, len bytes; segments of up to `each` bytes. False: not known, or they would
 * not fit the path; then they need head- and tailroom as all do.
 */
struct dp_room {
    uint8_t head, align_mask, icv_len;
};
bool dp_out_room(const struct dp *d, uint16_t iface, const uint8_t *pkt, uint32_t len,
                 uint32_t each, struct dp_room *room) must_use;
static inline uint8_t dp_room_back(const struct dp_room *r, uint32_t len)
{
    return (uint8_t)(((0u - (len + 2)) & r->align_mask) + 2 + r->icv_len);
}

/* From the network. udp: datagrams of the NAT-T socket (IKE, keepalives and ESP mixed); otherwise
 * ESP and AH packets from the SPI on, local and remote set by the caller. The packets that come out
 * stay where they are until the next call; some lie in memory of the data plane. */
void dp_inbound(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms);

/* Packets of our own (probes, DP_TO_NET), and held packets whose SA is up now, already encapsulated
 * (verdict DP_TO_NET), or answered (DP_TO_HOST: too big), or another worker's by now
 * (DP_ELSEWHERE); false: no more. The buffer must hold DP_HEADROOM + 65535 + DP_TAILROOM bytes. */
bool dp_held_next(struct dp *d, struct dp_pkt *p, uint8_t *buf, size_t cap, uint64_t now_ms);

/* --- what the control side must hear --- */

enum dp_note_kind {
    NOTE_ACQUIRE,  /* policy_id, flow */
    NOTE_SOFT,     /* child_id: soft limit of bytes, packets or sequence numbers */
    NOTE_HARD,     /* child_id */
    NOTE_MOVED,    /* child_id: authentic packets come from `remote` now */
    NOTE_FIRST_IN, /* child_id: first authentic packet on a new SA that replaces another */
    NOTE_PATH_MTU, /* child_id: its outer packets may have path_mtu bytes from now on */
    NOTE_DROP,     /* reason: an auditable drop; RFC 4303 4 */
};

/* How that was found out. */
enum dp_path_source {
    DP_PATH_PROBED,   /* by probes inside of the SA */
    DP_PATH_ICMP,     /* by an ICMP error about one of its packets */
    DP_PATH_INFERRED, /* TCP inside fell into a black hole */
    DP_PATH_AGED,     /* what was lower is not believed any more */
    DP_PATH_LINK,     /* the outgoing link or route is another, or has another MTU */
};

struct dp_note {
    enum dp_note_kind kind;
    uint32_t policy_id, child_id;
    uint8_t
        cpu; /* ACQUIRE: as in struct child_sa: a worker wants an SA of its own; 0: there is none */
    struct ts flow_local, flow_remote;
    struct endpoint local, remote;
    uint16_t path_mtu;
    enum dp_path_source path_source;
    uint16_t iface; /* PATH_MTU: of the SA, as in struct policy */
    /* DROP: child_id and what was still to be seen of the packet: spi, seq and addresses, or flow_local
     * and flow_remote (its source and destination); count: so many since the last note of this */
    err_t reason;
    uint32_t count, spi, seq;
};

/* Drains the bounded queue of notes; false: empty. Time limits are the IKE engine's own business.
 */
bool dp_note_next(struct dp *d, struct dp_note *n);
bool dp_notes(const struct dp *d); /* there are some */
/* Once a second while dp_ticks: holds that are over, path MTUs to be asked for again. */
void dp_tick(struct dp *d, uint64_t now_ms);
bool dp_ticks(const struct dp *d);

struct dp_stats {
    uint64_t packets_in, packets_out, bytes_in, bytes_out;
    uint64_t packets_bypassed;
    uint64_t drops[R_COUNT];
    size_t sas, held;
};
/* A packet that the caller itself had to drop, so that all drops are counted in one place. */
void dp_count_drop(struct dp *d, err_t reason);
void dp_stats_get(const struct dp *d, struct dp_stats *out);

/* The protect policy that this flow (as selectors of local and remote) of the shared interface
 * meets; 0: none. */
uint32_t dp_policy_lookup(const struct dp *d, const struct ts *local, const struct ts *remote);
