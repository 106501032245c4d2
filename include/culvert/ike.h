/*
 * The IKE engine: message in, actions out. It knows no sockets, no clock and no threads: time,
 * chance and SPIs come from the caller, slow work leaves as JOB and returns as JOB_DONE. The same
 * inputs give the same bytes out.
 */
#pragma once

#include "base/arena.h"
#include "base/event.h"
#include "model/addr_pool.h"
#include "model/child_sa.h"
#include "model/conn.h"

struct ike;
struct ike_job;     /* slow work: Diffie-Hellman, signatures; run anywhere, once */
struct ike_version; /* const tables of one protocol version */
struct pki;         /* certificates and keys: pki/pki.h */

extern const struct ike_version ike_v1, ike_v2;

/*
 * What an inbound SPI is for. The data plane chooses by it the worker that the SA will live on: one
 * that replaces another goes where that is, one for the same child or the same peers likewise.
 */
struct ike_spi_use {
    uint8_t proto;
    const char *conn, *child;
    bool ours;                    /* we asked for the SA, not the peer */
    uint32_t replaces;            /* id of a CHILD SA, 0: none */
    uint32_t beside;              /* an SPI of ours that its packets come together with, 0: none */
    uint8_t cpu;                  /* as in struct child_sa */
    const struct ts_list *remote; /* as far as they are known; NULL: not */
};

/* What the engine asks of its surroundings while it runs; all must return at once. */
struct ike_env {
    void *ctx;
    void (*random)(void *ctx, void *p, size_t n);
    /* Reserves an inbound SPI; 0 when none is left. Given back by ACT_SPI_FREE or ACT_CHILD_DEL. */
    uint32_t (*spi_alloc)(void *ctx, const struct ike_spi_use *use);
    /* Counters of a CHILD SA by its id; false if unknown. For liveness: traffic proves life. */
    bool (*child_stats)(void *ctx, uint32_t child_id, struct child_stats *out);
    /* The source address the kernel would use toward `remote`; false when there is no route. */
    bool (*source_addr)(void *ctx, const struct addr *remote, struct addr *out);
    /* Resolves a host name of the configuration from a cache; false: not known (yet). */
    bool (*resolve)(void *ctx, const char *host, uint8_t family, struct addr *out);
    /* Does anybody hear events of this kind? Those beyond LEVEL_AUDIT are not made otherwise, and
     * texts for people are left out. NULL: all are heard. */
    bool (*hears)(void *ctx, enum event_kind kind);
};

/* charon's names and defaults where it has them (charon.retransmit_* ...). */
struct ike_settings {
    uint32_t retransmit_tries;      /* 5 */
    uint32_t retransmit_timeout_ms; /* 4000 */
    uint32_t retransmit_base_pct;   /* 180: 1.8 */
    uint32_t half_open_timeout_ms;  /* 30000 */
    uint32_t cookie_threshold;      /* 30 half-open SAs: ask everybody for a cookie */
    uint32_t half_open_max;         /* 10000: drop first messages beyond */
    uint32_t init_limit_per_source; /* 0: off */
    uint32_t keepalive_ms;          /* 20000: NAT keepalives, RFC 3948 4 */
    /* How long a deleted SA answers retransmissions, and a replaced CHILD SA still receives what
     * was under way: 5000. */
    uint32_t close_delay_ms;
    uint16_t port, port_natt; /* ours: 500, 4500 */
    uint16_t fragment_size;   /* 1280: largest IP packet with a message in it, where parts go */
    bool make_before_break;
    uint8_t cpus; /* workers that may have SAs of their own (RFC 9611): 1 */
};
void ike_settings_default(struct ike_settings *s);

struct ike *ike_new(const struct ike_settings *s, const struct ike_env *env,
                    const struct ike_version *const *versions, size_t count) must_use;
void ike_free(struct ike *e);

/* --- in --- */

enum ike_in_kind {
    IN_PACKET,      /* a datagram from `remote` to `local`; without the non-ESP marker */
    IN_TICK,        /* time passed (wake_ms came) */
    IN_JOB_DONE,    /* a job came back */
    IN_ACQUIRE,     /* a packet met a protect policy without SA */
    IN_EXPIRE,      /* the data plane says: soft or hard limit of a CHILD SA */
    IN_PATH_CHANGE, /* authenticated ESP of this CHILD SA came from another address or port */
    IN_FIRST_IN,    /* first authentic packet came on a new CHILD SA that replaces another */
    IN_INITIATE,    /* commands of the operator */
    IN_TERMINATE,
    IN_REKEY,
    IN_CONN_LOAD, /* configuration; a reference is taken */
    IN_CONN_UNLOAD,
    IN_SHARED_LOAD, /* ownership passes to the engine */
    IN_SHARED_UNLOAD,
    IN_CREDS_CLEAR, /* forget all shared secrets */
    IN_PKI,         /* certificates and keys, all of them anew; a reference is taken */
    IN_POOL_LOAD,   /* ownership passes; refused while leases of another range are online */
    IN_POOL_UNLOAD,
    IN_SHUTDOWN, /* delete all SAs, politely */
};

struct ike_in {
    enum ike_in_kind kind;
    uint64_t now_ms; /* monotonic */
    uint64_t wall_s; /* seconds since 1970, for certificates */
    uint32_t cmd;    /* commands: number that ACT_CMD_DONE carries back; 0 wants no answer */

    struct endpoint local, remote; /* PACKET, PATH_CHANGE (remote: the new one) */
    bool natt;                     /* PACKET came through the NAT-T socket */
    struct bytes data;             /* PACKET */

    struct ike_job *job; /* JOB_DONE */

    const char *conn; /* ACQUIRE, INITIATE, TERMINATE, REKEY, CONN_UNLOAD, by name; may be NULL */
    const char *child;
    uint32_t ike_id,
        child_id; /* TERMINATE, REKEY, EXPIRE, PATH_CHANGE, FIRST_IN by number; 0: not given */
    bool force;   /* TERMINATE without waiting for the peer */
    bool reauth;  /* REKEY */
    bool hard;    /* EXPIRE */
    struct ts flow_local, flow_remote; /* ACQUIRE: the packet, as selectors */
    uint8_t cpu; /* ACQUIRE: for a worker of its own, when 9611 was agreed; as in struct child_sa */

    struct conn *load;       /* CONN_LOAD */
    struct shared *shared;   /* SHARED_LOAD */
    const char *shared_name; /* SHARED_UNLOAD */
    struct pki *pki;         /* PKI; NULL: none */
    struct addr_pool *pool;  /* POOL_LOAD */
    const char *pool_name;   /* POOL_UNLOAD */
};

/* --- out --- */

enum ike_act_kind {
    ACT_SEND, /* datagram `data` from local to remote; natt: through the NAT-T socket, marker to be
                 added */
    ACT_KEEPALIVE,   /* one byte 0xff from local to remote through the NAT-T socket */
    ACT_CHILD_ADD,   /* install sa; with `dirs` */
    ACT_CHILD_DIR,   /* install the direction that was left out before: sa with id and dirs only */
    ACT_CHILD_QUIET, /* sa->id is replaced: it only receives now, until ACT_CHILD_DEL */
    ACT_CHILD_DEL,   /* remove the pair sa->id; frees its inbound SPI */
    ACT_CHILD_MOVE,  /* NAT mapping changed: sa->id has new local and remote */
    ACT_SPI_FREE,    /* spi was reserved and is not used */
    ACT_JOB,         /* run ike_job_run(job) somewhere, then IN_JOB_DONE */
    ACT_CMD_DONE,    /* the command `cmd` ended: reason 0 or why not; `event` has the evidence */
    ACT_EVENT,       /* event */
    ACT_VIP_ADD,     /* local.addr is ours from now on, while anything holds it: counted */
    ACT_VIP_DEL,
    ACT_ACQUIRE_FAILED, /* the negotiation for conn/child (policy id) failed: drop what is held */
};

struct ike_act {
    struct ike_act *next;
    enum ike_act_kind kind;
    struct endpoint local, remote;
    bool natt;
    struct bytes data;
    const struct child_sa *sa; /* keys included: wiped with the arena */
    uint32_t spi;
    struct ike_job *job;
    uint32_t cmd;
    err_t reason;
    struct event event; /* strings live in the arena */
};

struct ike_out {
    struct arena arena, *home; /* its memory goes back to the engine */
    struct ike_act *first, *last;
    uint64_t wake_ms; /* call IN_TICK at this time; UINT64_MAX: never */
};

/* One step. Zero, or a negative error when the engine itself failed (memory). What a peer does
 * wrong is an event, never an error here. Call ike_out_free after carrying out the actions. */
err_t ike_step(struct ike *e, const struct ike_in *in, struct ike_out *out) must_use;
void ike_out_free(struct ike_out *out);

/*
 * For IN_PACKET, before ike_step: a first message that only gets a cookie (RFC 7296 2.6) is
 * answered from itself alone, without allocation, actions or events. Gives the length of the answer
 * in `out`, to be sent as ACT_SEND says; 0: the packet is ike_step's. Once a second one goes that
 * way in any case, for the log.
 */
#define IKE_COOKIE_REPLY_MAX 64
size_t ike_cookie_reply(struct ike *e, const struct ike_in *in, uint8_t out[IKE_COOKIE_REPLY_MAX]);

/* Runs a job; any thread, no engine state touched. */
void ike_job_run(struct ike_job *j);
/* Done in about 0.1 ms: cheaper on the spot than handed to another thread and back. */
bool ike_job_quick(const struct ike_job *j);
/* For a job that will never return to its engine (shutdown). */
void ike_job_free(struct ike_job *j);

/* --- looking in: snapshots, valid until the next step --- */

struct ike_sa_info {
    uint32_t id;
    const struct conn *conn;
    uint8_t version;
    const char *state;    /* CREATED CONNECTING ESTABLISHED REKEYING REKEYED DELETING */
    const char *v1_state; /* MM_NO_STATE ... QM_IDLE; NULL with IKEv2 */
    const char *v1_mode;  /* main, aggressive; NULL with IKEv2 */
    const char *auth_local, *auth_remote; /* psk, rsa-sha256, ecdsa-384 ...; NULL until known */
    bool initiator;
    uint64_t spi_i, spi_r;
    struct endpoint local, remote;
    const struct id *local_id, *remote_id; /* ID_ANY until known */
    bool nat_local, nat_remote, nat_fake, nat_any;
    const struct proposal *proposal;     /* NULL until selected */
    uint64_t created_ms, established_ms; /* 0: not yet */
    uint64_t rekey_ms, reauth_ms;        /* absolute times; 0: never */
    uint32_t vendors;                    /* ids of the peer: wire/vendor.h */
    const char *tasks;                   /* exchanges under way, space separated, "" */
    size_t child_count;
    /* Travellers: addresses that we have and that the peer has, its name servers for us, and who it
     * logged in as (XAUTH; NULL: nobody). */
    struct addr local_vip[CONN_VIPS_MAX], remote_vip[CONN_VIPS_MAX], dns[CONN_VIPS_MAX];
    size_t local_vips, remote_vips, dns_count;
    const struct id *remote_user;
};

struct child_sa_info {
    uint32_t id;
    const struct conn *conn;
    const struct conn_child *child;
    uint32_t reqid;
    const char *state; /* CREATED INSTALLING INSTALLED UPDATING REKEYING REKEYED DELETING */
    uint8_t proto, mode;
    bool encap;
    uint32_t spi_in, spi_out;
    uint16_t cpi_in, cpi_out;            /* IPComp; 0: none */
    const struct child_ah *ah;           /* around it, without keys; NULL: none */
    const struct alg *encr, *integ, *ke; /* ke NULL without PFS */
    bool esn;
    bool per_cpu; /* as in struct child_sa */
    uint8_t cpu;
    uint64_t installed_ms, rekey_ms, life_ms; /* absolute */
    const struct child_use *last; /* in and out, when it expired; NULL: it is installed */
    const struct ts_list *local_ts, *remote_ts;
};

typedef void ike_sa_fn(void *ctx, const struct ike_sa_info *info);
typedef void child_sa_fn(void *ctx, const struct child_sa_info *info);
void ike_sa_each(const struct ike *e, ike_sa_fn *fn, void *ctx); /* oldest first, half-open last */
/* The same for the SAs of one connection; whose CHILD SA this is, 0: nobody's. */
void ike_conn_sas_each(const struct ike *e, const char *conn, ike_sa_fn *fn, void *ctx);
/* Numbers of all SAs or those of one connection, oldest first, as far as there is room; how many
 * there are. */
size_t ike_sa_ids(const struct ike *e, const char *conn, uint32_t *out, size_t max);
uint32_t ike_sa_of_child(const struct ike *e, uint32_t child_id);
void child_sa_each(const struct ike *e, uint32_t ike_id, child_sa_fn *fn, void *ctx);
bool ike_sa_info_get(const struct ike *e, uint32_t ike_id, struct ike_sa_info *out);
const struct conn *ike_conn_get(const struct ike *e, const char *name);
/* The first loaded connection that has a child of this name to protect. */
const struct conn *ike_conn_of_child(const struct ike *e, const char *child);
typedef void ike_conn_fn(void *ctx, const struct conn *c);
void ike_conn_each(const struct ike *e, ike_conn_fn *fn, void *ctx); /* in order of loading */
typedef void ike_shared_fn(void *ctx, const char *name);
void ike_shared_each(const struct ike *e, ike_shared_fn *fn, void *ctx);

struct ike_pool_info {
    const struct addr_pool *conf;
    size_t online, known; /* leases in use; all, with those that are kept for their owners */
};
typedef void ike_pool_fn(void *ctx, const struct ike_pool_info *p);
void ike_pool_each(const struct ike *e, ike_pool_fn *fn, void *ctx); /* in order of loading */
bool ike_pool_get(const struct ike *e, const char *name, struct ike_pool_info *out);
typedef void ike_lease_fn(void *ctx, const struct addr *a, const struct id *who, bool online);
void ike_lease_each(const struct ike *e, const char *pool, ike_lease_fn *fn, void *ctx);

struct ike_stats {
    size_t ike_sas, half_open, children;
    uint64_t acquires_refused; /* too soon after a failure */
    uint64_t packets_in, packets_out, dropped[R_COUNT], retransmits, cookies_sent;
};
void ike_stats_get(const struct ike *e, struct ike_stats *out);

/* Secrets of an SA for decoding a capture, in tshark's ikev2_decryption_table form; the caller
 * decides who may see it. False if unknown or not keyed. */
bool ike_keys_export(const struct ike *e, uint32_t ike_id, struct buf *out);
