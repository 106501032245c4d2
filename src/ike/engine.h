/*
 * Inside of the IKE engine: what both protocol versions share. An IKE SA is an allocation of its
 * version's size that begins with struct ike_sa; its children, tasks and timers hang on it.
 *
 * Freed SAs rest on a list until the step ends, so a handler may go on reading one it just let go.
 */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "base/slab.h"
#include "culvert/ike.h"
#include "ike/compact.h"
#include "ike/job.h"
#include "ike/timer.h"

struct half;
struct ike_sa;
struct sa_vips;
struct ike_pkt;
struct child;
struct task;

enum sa_state {
    SA_CONNECTING,
    SA_ESTABLISHED,
    SA_REKEYED,  /* replaced; waits for its Delete */
    SA_DELETING, /* our Delete is under way */
    SA_GONE,     /* only answers retransmissions until close_delay_ms is over */
};

enum child_state { CHILD_INSTALLED, CHILD_REKEYED, CHILD_DELETING };

/* Who waits for the end of something: one number of the operator, perhaps waiting for several. */
struct cmd {
    uint32_t number;
    unsigned refs;
    err_t worst;
    struct evidence *why; /* of worst, if there is any */
};

struct waiter {
    struct waiter *next;
    struct cmd *cmd;
};

enum task_kind {
    TASK_CHILD_NEW,
    TASK_CHILD_REKEY,
    TASK_CHILD_DEL,
    TASK_IKE_REKEY,
    TASK_IKE_DEL,
    TASK_LIVENESS,
};

/* An exchange that waits for its turn: RFC 7296 2.3 allows one request under way. */
struct task {
    struct list link;
    enum task_kind kind;
    uint8_t tries;
    bool acquire; /* held packets wait for the outcome */
    uint8_t cpu;  /* as in struct child_sa */
    bool has_flow;
    uint32_t child_id; /* the CHILD SA concerned; 0: none */
    uint64_t not_before;
    uint16_t ke_method; /* what the peer asked for with INVALID_KE_PAYLOAD; 0: our first */
    struct conn *conn;  /* a reference; with cc for CHILD_NEW */
    const struct conn_child *cc;
    struct ts flow_local, flow_remote;
    struct waiter *waiters;
};

struct child {
    struct list link; /* of its IKE SA */
    struct hash_node id_node;
    struct ike_sa *sa;
    struct conn *conn; /* a reference */
    const struct conn_child *cc;
    struct child_ah *ah;    /* around it, without keys; NULL: none */
    struct child_use *last; /* in and out, of one past its hard limit; NULL: ask the data plane */
    uint64_t installed_ms, rekey_ms, life_ms, idle_ms; /* UINT64_MAX: never */
    struct waiter *gone;
    uint32_t id, replaces, successor; /* the CHILD SAs that it replaced and that replaces it */
    uint32_t spi_in, spi_out;
    uint16_t cpi_in, cpi_out;
    uint8_t encr, integ, ke;          /* alg_no */
    uint8_t state, proto, mode, dirs; /* dirs: installed so far */
    bool esn, encap, redundant;
    bool ours;                 /* IKEv1: we began the quick mode that made it */
    bool per_cpu, cpus_enough; /* as in struct child_sa; the peer takes no more of them */
    uint8_t cpu;
    bool rekey_soon; /* a limit was reached: TASK_CHILD_REKEY is queued */
    uint8_t ts[];    /* ours, then theirs: model/ts_pack.h */
};

/* A connection's name, what is loaded under it and the SAs that carry it. */
struct conn_entry {
    struct hash_node node;
    struct list link; /* loaded ones, in order of loading */
    struct conn *conn;
    struct list sas;
    struct list holdoffs;  /* children that failed lately: holdoff.c */
    struct conn_key *keys; /* rows of the look-up by remote address */
    size_t key_count;
    struct child_key *child_keys; /* rows of the look-up by child's name */
    size_t child_key_count;
    char *name;
};

struct ike_msg {
    uint8_t *p;
    size_t n;
};

/* The one outstanding request, to be sent again `at`: retransmit.c. */
struct retransmit {
    uint64_t at, delay_ms;
    uint32_t id;
    uint8_t sent;
    size_t n;
    uint8_t msg[];
};

struct ike_sa {
    struct hash_node spi_node, id_node, peer_node;
    struct list all, of_conn, children, tasks;
    struct ike_timer timer;
    struct ike_sa *dirty_next;
    const struct ike_version *ver;
    struct conn *conn; /* a reference; NULL until a responder knows */
    struct conn_entry *entry;
    struct id_pair *ids;                       /* NULL until known */
    const struct alg *encr, *integ, *prf, *ke; /* NULL until negotiated */
    struct task *active;                       /* the task whose exchange is under way */
    struct retransmit *rtx;                    /* NULL: nothing outstanding */
    struct waiter *up, *gone;
    struct evidence *why; /* the last refusal */
    struct sa_vips *vips; /* of travellers: vip.h */
    uint64_t spi_i, spi_r;
    uint64_t created_ms, established_ms;
    uint64_t rekey_ms, reauth_ms, over_ms; /* UINT64_MAX: never */
    uint64_t die_ms;                       /* limit of the present state */
    uint64_t seen_ms, sent_ms;             /* last authentic message in, last datagram out */
    uint32_t id;
    err_t end_reason; /* why TASK_IKE_DEL was planned */
    struct endpoint local, remote;
    uint32_t vendors; /* ids of the peer: vendor.h */
    uint16_t attempt; /* of conn->keyingtries */
    uint8_t state;
    bool initiator, dirty, dead, in_peers;
    bool nat_local, nat_remote, nat_fake, natt; /* natt: floated to UDP 4500 */
    bool told;                                  /* its end was reported already */
    bool restart;                               /* start its children again when it is gone */
};

/* A datagram whose header was read. */
struct ike_pkt {
    struct endpoint local, remote;
    bool natt;
    struct bytes raw;
    uint64_t spi_i, spi_r;
    uint8_t next, version, exchange, flags;
    uint32_t msg_id;
};

/* What a protocol version gives to the engine. */
struct ike_version {
    uint8_t major;
    size_t sa_size;
    void (*init)(struct ike_sa *sa); /* of a fresh one, all zero; NULL: nothing to do */
    /* Starts the negotiation of a fresh initiator SA. */
    void (*start)(struct ike *e, struct ike_sa *sa);
    /* sa NULL: nothing is known by these SPIs. */
    void (*packet)(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p);
    /* ike_cookie_reply, for a packet whose SPIs nobody knows. */
    size_t (*cookie_reply)(struct ike *e, const struct ike_pkt *p, uint8_t *out);
    /* The same for one that is half open. */
    void (*half_packet)(struct ike *e, struct half *h, const struct ike_pkt *p);
    void (*half_done)(struct ike *e, struct half *h, struct ike_job *j);
    /* Takes the job over. */
    void (*job_done)(struct ike *e, struct ike_sa *sa, struct ike_job *j);
    /* Begins the next task when nothing is under way. */
    void (*kick)(struct ike *e, struct ike_sa *sa);
    /* The outstanding request stays without answer. */
    void (*timeout)(struct ike *e, struct ike_sa *sa);
    /* Own times: how long to wait, and what to do then. */
    uint64_t (*deadline)(const struct ike *e, const struct ike_sa *sa);
    void (*tick)(struct ike *e, struct ike_sa *sa);
    void (*fini)(struct ike *e, struct ike_sa *sa);
    /* Wipes what a gone SA does not need to answer retransmissions. */
    void (*strip)(struct ike *e, struct ike_sa *sa);
    bool (*keys)(const struct ike_sa *sa, struct buf *out);
    /* IKEv1's names of states and its mode, for screens; NULL: there are none. */
    const char *(*state)(const struct ike_sa *sa);
    const char *(*mode)(const struct ike_sa *sa);
    /* How each side proved itself; NULL: not known yet. */
    const char *(*auth)(const struct ike_sa *sa, bool local);
};

#define IKE_MSG_MAX 16384

struct ike_info; /* scratch of the snapshots */

struct ike {
    struct ike_settings set;
    struct ike_env env;
    const struct ike_version *ver[4];
    size_t ver_count;

    struct slab slab; /* of SAs and what is kept for each */
    struct hash by_spi, by_id, by_peer, by_child, children, entries, remotes, owners, sources,
        halves, inits1;
    struct list early1; /* IKEv1 responders that only answered a first message, oldest first */
    size_t early1_count;
    struct ike_heap heap;
    struct list refused;   /* acquires that wait: holdoff.c */
    uint64_t refused_at;   /* UINT64_MAX: none */
    struct list strangers; /* parts of first messages: parts.h */
    size_t stranger_count;
    struct list lingering; /* replaced CHILD SAs that still receive, oldest first: linger.c */
    struct list half_open; /* oldest first: half.h */
    uint64_t spi_key[2];   /* of half-open SAs: the same peer gets the same SPI again */
    struct list sas, conns, shared, wild_shared, wild_conns, pools, graveyard;
    struct ike_sa *dirty;
    struct pki *pki; /* a reference; NULL: no certificates and keys */
    uint32_t next_ike, next_child, next_conn, next_exch;
    struct ike_info *info;
    struct ike_stats stats;
    uint64_t cookie_secret[2][2];
    uint8_t cookie_version;
    uint64_t cookie_at;      /* the secret changes */
    uint64_t cookie_told_at; /* the last event about cookies */
    uint32_t cookies_untold;

    uint64_t spi_answers_at; /* INVALID_IKE_SPI of this second: 2.21.4 */
    uint32_t spi_answers;

    struct cmd *shutdown; /* IN_SHUTDOWN came */
    bool stopping;
    uint64_t shutdown_ms;

    struct arena step_home, exch_home; /* first blocks of arenas: base/arena.h */
    uint8_t *scratch;                  /* IKE_MSG_MAX: messages are put together here */

    /* the step under way */
    uint64_t now, wall_s;
    struct ike_out *out;
    err_t err;              /* our own first failure */
    struct ike_act lost;    /* where an action goes that nobody reads */
    struct event *evidence; /* the last refusal of this step, for ACT_CMD_DONE */
};

/* --- engine.c --- */
err_t ike_pkt_read(struct ike_pkt *p) must_use; /* fills all but raw and the addresses, from raw */

/* --- out.c: actions --- */
/* Bytes of a message that fit a datagram of fragment_size. */
size_t ike_datagram_room(const struct ike *e, const struct ike_sa *sa);
/* msg: one message or several, one behind the other: each goes as a datagram of its own. */
void ike_send(struct ike *e, struct ike_sa *sa, struct bytes msg);
void ike_send_to(struct ike *e, const struct endpoint *local, const struct endpoint *remote,
                 bool natt, struct bytes msg);
struct ike_act *ike_act_add(struct ike *e, enum ike_act_kind kind);
void *ike_alloc(struct ike *e, size_t n); /* in the step's arena */
const char *ike_str(struct ike *e, const char *s);
const char *ike_strf(struct ike *e, const char *fmt, ...) printf_like(2, 3);
const char *ike_str_buf(struct ike *e, struct buf *b); /* frees b */
const char *ike_str_id(struct ike *e, const struct id *id);
const char *ike_str_ts(struct ike *e, const struct ts_list *l);
void ike_fail(struct ike *e, err_t err);
uint32_t ike_random_below(struct ike *e, uint64_t limit);
uint64_t ike_random_u64(struct ike *e);

/* --- report.c: events --- */
bool ike_heard(const struct ike *e, enum event_kind kind);
/* Never NULL; what nobody hears is filled in vain. */
struct event *ike_event(struct ike *e, enum event_kind kind, const struct ike_sa *sa,
                        const struct child *c);
void ike_drop(struct ike *e, const struct ike_pkt *p, err_t reason, const char *text);

/* A refusal: what the log, VICI and explain show; strings of the step's arena or static. */
struct refusal {
    err_t reason;
    const char *what, *ours, *theirs, *hint, *clause, *text;
    const char *child;
};
void ike_refused(struct ike *e, struct ike_sa *sa, const struct refusal *r);
void ike_peer_refused(struct ike *e, struct ike_sa *sa, const struct refusal *r);

/* --- evidence.c --- */
struct evidence *evidence_new(const struct event *ev); /* NULL: no memory */
err_t evidence_reason(const struct evidence *k);
void evidence_fill(struct ike *e, const struct evidence *k, struct event *ev);
/* What failed with `reason` now failed because of what this SA was refused, if reasons agree. */
void ike_evidence_of(struct ike *e, const struct ike_sa *sa, err_t reason);

/* --- sa_table.c --- */
struct ike_sa *sa_new(struct ike *e, const struct ike_version *ver, bool initiator, uint64_t spi_i,
                      uint64_t spi_r, uint32_t id) must_use; /* id 0: a new one */
struct ike_sa *sa_by_spi(const struct ike *e, uint64_t ours);
struct ike_sa *sa_by_id(const struct ike *e, uint32_t id);
uint64_t sa_spi_new(struct ike *e); /* not in use; 0: no chance */
void sa_conn_set(struct ike *e, struct ike_sa *sa, struct conn *c);
bool sa_ids_set(struct ike *e, struct ike_sa *sa, const struct id *local,
                const struct id *remote); /* false: no memory, ike_fail was called */
void sa_dirty(struct ike *e, struct ike_sa *sa);
/* Takes the SA and all it has out of the engine: events, waiters, children, then the memory. */
void sa_drop(struct ike *e, struct ike_sa *sa, err_t reason);
/* Reports the failure and ends its tasks now; the SA itself goes when the peer was told. */
void sa_fail(struct ike *e, struct ike_sa *sa, err_t reason);
/* As sa_drop, but goes on answering retransmissions for close_delay_ms. */
void sa_close(struct ike *e, struct ike_sa *sa, err_t reason);
void sa_bury(struct ike *e);
void sa_timer_set(struct ike *e, struct ike_sa *sa);
/* Established: RFC 7296 2.4 INITIAL_CONTACT and `unique`; times. */
void sa_peers_add(struct ike *e, struct ike_sa *sa);
void sa_times_set(struct ike *e, struct ike_sa *sa);
struct ike_sa *sa_peer_next(struct ike *e, const struct ike_sa *sa, struct ike_sa *after);

/* --- child.c --- */
struct child_plan {
    struct conn *conn;
    const struct conn_child *cc;
    uint32_t replaces;
    uint32_t spi_in, spi_out;
    const struct alg *encr, *integ, *ke;
    bool esn;
    uint8_t proto, dirs, mode;
    struct addr oa_local, oa_remote; /* as in struct child_sa */
    uint16_t cpi_in, cpi_out;
    struct child_ah ah;
    bool per_cpu, later_frags;
    uint8_t cpu;
    const struct ts_list *local_ts, *remote_ts;
    uint64_t cap_s, cap_bytes; /* shorter limits that the peer wants (IKEv1); 0: none */
    struct child_keys in, out; /* borrowed, as those of ah */
};
struct child *child_add(struct ike *e, struct ike_sa *sa, const struct child_plan *p) must_use;
void child_dirs_add(struct ike *e, struct child *c, enum child_dir dir);
/* Removes it from the data plane and from the engine; says why. */
void child_remove(struct ike *e, struct child *c, err_t reason);
void child_move_all(struct ike *e, struct ike_sa *from, struct ike_sa *to);
struct child *child_by_id(const struct ike *e, uint32_t id);
struct child *child_by_spi_out(const struct ike_sa *sa, uint8_t proto, uint32_t spi);
void child_ts_get(const struct child *c, struct ts_list *local, struct ts_list *remote);
struct child *child_by_config(const struct ike_sa *sa, const char *name);
err_t child_end_reason(const struct child *c); /* why we delete it */
size_t child_count_of(const struct ike_sa *sa, const char *name);
void child_paths_set(struct ike *e, struct ike_sa *sa);
bool child_stats_get(const struct ike *e, const struct child *c, struct child_stats *out);

/* --- mode.c: how packets are wrapped --- */
bool sa_udp(const struct ike_sa *sa); /* ESP goes in UDP */
const char *mode_name(enum ipsec_mode mode);
/* Can this child be at all, between these addresses? False: r says why. */
bool mode_fits(struct ike *e, const struct ike_sa *sa, const struct conn *c,
               const struct conn_child *cc, struct refusal *r);
bool mode_usable(const struct ike_sa *sa, const struct proposal *p); /* no AH through a NAT */
void mode_differs(struct ike *e, const struct conn *c, const struct conn_child *cc,
                  enum ipsec_mode theirs, struct refusal *r);
enum { IPCOMP_DEFLATE = 2 };         /* RFC 7296 3.10.1, RFC 2407 4.4.5 */
uint16_t ike_cpi_new(struct ike *e); /* RFC 3173 3.3: 256 to 61439 are negotiated */
/* Single hosts of the list become the one that we see. */
void mode_replace_host(struct ts_list *l, const struct addr *seen);

/* --- holdoff.c: acquires after failures --- */
bool holdoff_refuses(struct ike *e, const struct conn_entry *ce, const char *child);
void holdoff_failed(struct ike *e, struct conn_entry *ce, const char *child);
void holdoff_tick(struct ike *e);
void holdoff_clear(struct conn_entry *ce, const char *child);
void holdoffs_free(struct conn_entry *ce);

/* --- half.c; more in half.h --- */
uint64_t half_at(const struct ike *e); /* when the first is over */
void half_tick(struct ike *e);

/* --- linger.c --- */
void linger_add(struct ike *e, uint32_t child_id, uint32_t spi_in);
uint64_t linger_at(const struct ike *e); /* when the first is over */
void linger_tick(struct ike *e);
void linger_flush(struct ike *e);

/* --- lookup.c: connections --- */
err_t conn_load(struct ike *e, struct conn *c) must_use;
bool conn_unload(struct ike *e, const char *name);
struct conn_entry *conn_entry_find(const struct ike *e, const char *name);
struct conn_entry *conn_entry_get(struct ike *e, const char *name); /* made when missing */
void conn_entry_release(struct ike *e, struct conn_entry *ce);
/* The first loaded that has a child of this name to protect; NULL: any child. */
struct conn *conn_of_child(const struct ike *e, const char *child);
/* Those whose addresses fit, best first, in the step's arena. */
size_t conn_candidates(struct ike *e, const struct endpoint *local, const struct endpoint *remote,
                       uint8_t version, struct conn ***out);
bool conn_remote_addr(struct ike *e, const struct conn *c, struct addr *out);
bool conn_local_addr(struct ike *e, const struct conn *c, const struct addr *remote,
                     struct addr *out);
void conns_fini(struct ike *e);

/* --- creds.c --- */
err_t shared_load(struct ike *e, struct shared *s) must_use; /* takes s in every case */
bool shared_unload(struct ike *e, const char *name);
void shared_clear(struct ike *e);
const struct shared *shared_find(const struct ike *e, enum shared_kind kind, const struct id *local,
                                 const struct id *remote);
/* What must be known by a peer that claims an identity. own: ours by configuration or address, not
 * what the peer calls us. */
const struct shared *shared_of_claim(const struct ike *e, enum shared_kind kind,
                                     const struct id *own, const struct id *claimed);

/* --- task.c --- */
struct task *task_add(struct ike *e, struct ike_sa *sa, enum task_kind kind, uint32_t child_id);
struct task *task_child_new(struct ike *e, struct ike_sa *sa, struct conn *c,
                            const struct conn_child *cc);
struct task *task_find(const struct ike_sa *sa, enum task_kind kind, uint32_t child_id);
struct task *task_find_config(const struct ike_sa *sa, const char *child);
struct task *task_next(const struct ike *e, const struct ike_sa *sa);
struct task *task_first_child(const struct ike_sa *sa);
void task_take(struct task *t); /* off the queue; the caller owns it */
void task_done(struct ike *e, struct ike_sa *sa, struct task *t, err_t reason);
bool task_is(const struct task *t, enum task_kind kind);
void tasks_fail(struct ike *e, struct ike_sa *sa, err_t reason);
void tasks_move(struct ike *e, struct ike_sa *from, struct ike_sa *to);
const char *task_name(enum task_kind k);

/* --- cmd.c, initiate.c --- */
void ike_command(struct ike *e, const struct ike_in *in);
void waiter_add(struct ike *e, struct waiter **list, struct cmd *cmd);
void waiters_done(struct ike *e, struct waiter **list, err_t reason);
void waiters_move(struct waiter **to, struct waiter **from);
void cmd_unref(struct ike *e, struct cmd *c);
/* Begins or joins the negotiation of a child; cmd may be NULL. */
err_t ike_initiate(struct ike *e, struct conn *c, const struct conn_child *cc,
                   const struct ike_in *acquire, struct cmd *cmd);
/* A new attempt of a negotiation that the peer did not answer: true if one was begun. */
bool ike_retry(struct ike *e, struct ike_sa *sa);
/* A fresh SA of the same connection between the same end points, not started; NULL: no memory. */
struct ike_sa *ike_again(struct ike *e, const struct ike_sa *sa);
void ike_shutdown_check(struct ike *e);

/* --- life.c: times common to both versions --- */
uint64_t life_deadline(const struct ike *e, const struct ike_sa *sa);
void life_tick(struct ike *e, struct ike_sa *sa);
void life_child_expire(struct ike *e, struct child *c, bool hard);

/* --- path.c --- */
void path_nat_hash(uint64_t spi_i, uint64_t spi_r, const struct endpoint *ep, uint8_t out[20]);
void path_float(struct ike *e, struct ike_sa *sa);
void path_follow(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p);
void path_move(struct ike *e, struct ike_sa *sa, const struct endpoint *local,
               const struct endpoint *remote);

/* --- retransmit.c --- */
void retransmit_start(struct ike *e, struct ike_sa *sa, uint32_t id, struct bytes msg);
uint64_t retransmit_at(const struct ike_sa *sa); /* UINT64_MAX: nothing outstanding */
void retransmit_stop(struct ike_sa *sa);
void retransmit_tick(struct ike *e, struct ike_sa *sa);
bool ike_msg_set(struct ike *e, struct ike_msg *m, struct bytes b);
void ike_msg_free(struct ike_msg *m);

/* --- info.c --- */
bool info_init(struct ike *e) must_use;
void info_free(struct ike *e);
