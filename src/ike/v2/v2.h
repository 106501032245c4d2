/* Inside of IKEv2: the SA's own half, the exchange under way, and what one file calls of another.
 */
#pragma once

#include "ike/engine.h"
#include "ike/sig.h"
#include "wire/auth.h"
#include "wire/ike_hdr.h"
#include "wire/ke.h"
#include "wire/notify.h"
#include "wire/payload.h"
#include "wire/sk.h"

#define V2_NONCE_LEN 32  /* ours */
#define V2_NONCE_MAX 256 /* RFC 7296 3.9 */

enum v2_state {
    V2_IDLE = 1, /* initiator: making its KE value */
    V2_INIT_SENT = 2,
    V2_INIT_BUSY = 4, /* initiator: computing the shared secret */
    V2_AUTH_SENT = 8,
    V2_AUTH_WAIT = 16, /* responder: IKE_AUTH came */
    V2_UP = 32,
    V2_REKEYED = 64,
    V2_DELETING = 128,
    V2_GONE = 256,
};

/* A message read, and after opening what was inside. */
struct v2_msg {
    struct ike_hdr hdr;
    struct ike_pkt pkt;
    struct bytes raw; /* a copy in the arena of its exchange: opened in place */
    struct payloads in;
    bool response, authentic;
    uint16_t number, total; /* a fragment (RFC 7383): instead of `in` there are first and inner */
    uint8_t first;
    struct bytes inner;
};

/* RFC 7296 2.3: window of one each way. */
struct v2_window {
    uint32_t next_out, next_in;
    struct v2_answer *resp; /* to next_in - 1; NULL: not given yet, or forgotten */
};

struct v2_answer {
    uint64_t forget_at; /* 2.1 allows it after several minutes */
    size_t n;
    uint8_t msg[];
};

/* SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr in one piece: 2.14. */
struct v2_keys {
    struct secret all;
    uint8_t d, a, e; /* lengths; SK_p* are as long as SK_d */
};

struct v2_suite {
    const struct alg *encr, *integ, *prf; /* integ NULL for AEAD */
};

struct v2_exch;
struct v2_sa;
typedef void v2_resume(struct ike *e, struct v2_sa *v, struct v2_exch *x);

/* AUTH, ours or the peer's, while it is made and checked: auth.c. */
struct v2_auth {
    err_t err;
    uint8_t method;
    bool cert_asked;
    enum cr_scheme scheme;
    struct bytes data;    /* ours: what the payload gets */
    struct sig_own *own;  /* what we sign with */
    struct sig_work *sig; /* what the last job did */
    v2_resume *next;
};

/* One exchange's scratch: goes when the exchange ends. */
struct v2_exch {
    struct arena arena;
    uint32_t serial;
    bool ours;          /* we are its initiator */
    v2_resume *resume;  /* set while a job is away */
    struct v2_msg *msg; /* the peer's message */
    struct bytes ni, nr;
    struct proposals *offer;
    struct proposal chosen;
    uint16_t method; /* KE; 0: none */
    struct cr_ke *ke;
    struct secret shared;
    err_t job_err;
    struct ts_list *tsi, *tsr;
    uint32_t spi;                    /* inbound SPI reserved for the CHILD SA */
    struct addr oa_local, oa_remote; /* 2.23.1, as in struct child_sa */
    uint16_t cpi_in, cpi_out;        /* 2.22 */
    enum ipsec_mode mode;            /* asked for, then: agreed */
    bool unwanted;                   /* installed only to be deleted */
    bool spi_used;                   /* it belongs to an installed CHILD SA; otherwise given back */
    uint64_t ike_spi;                /* our SPI of a rekeyed IKE SA */
    uint32_t old_child;              /* the CHILD SA being rekeyed */
    struct v2_auth auth;
    struct v2_claim *claim; /* IKE_AUTH, responder */
    bool per_cpu;           /* RFC 9611: asked for, then: agreed */
    bool later_frags;       /* as in struct child_sa; likewise */
    uint8_t cpu;            /* as in struct child_sa */
    struct conn *conn;      /* a reference */
    const struct conn_child *cc;
    uint32_t rival;    /* id of the SA that the peer's simultaneous exchange made */
    uint32_t early[4]; /* SPIs that the peer deleted before we had its answer */
    size_t early_count;
    struct bytes rival_low; /* lower nonce of that exchange: 2.8.1 */
};

/* Kept from IKE_SA_INIT to IKE_AUTH: 2.15 signs the first messages. */
struct v2_init {
    struct ike_msg req, resp;
    struct bytes ni, nr; /* ours in `nonce`, the peer's in its message */
    uint8_t nonce[V2_NONCE_LEN];
    uint8_t cookie[64];
    size_t cookie_len;
    uint16_t method;
    uint8_t restarts;
    bool half; /* counted as half open, under `from`: nobody has proved anything yet */
    struct addr from;
    struct cr_ke *ke;
};

struct v2_sa {
    struct ike_sa sa;
    uint16_t state;  /* enum v2_state */
    uint8_t auth[2]; /* how they proved themselves, the peer and we: v2_auth_name */
    bool frags;      /* RFC 7383 is agreed on */
    uint8_t first;   /* type of the first payload in parts */
    struct v2_window win;
    struct v2_keys keys;
    uint64_t iv;
    struct v2_init *init;
    struct v2_exch *req, *rsp;
    struct ike_parts *parts;         /* a message on its way in */
    uint32_t successor, predecessor; /* IKE SAs that replace this one, or that it replaces */
};

static inline struct v2_sa *v2_of(struct ike_sa *sa)
{
    return (struct v2_sa *)sa;
}

/* --- exch.c --- */
struct v2_exch *v2_exch_new(struct ike *e, bool ours);
void v2_exch_free(struct ike *e, struct v2_exch *x);
void v2_exch_conn(struct v2_exch *x, struct conn *c, const struct conn_child *cc);
void *v2_exch_alloc(struct ike *e, struct v2_exch *x, size_t n);
struct bytes v2_nonce(struct ike *e, struct v2_exch *x);
/* Sends the job away; resume runs when it is back, if the exchange still exists. */
void v2_job(struct ike *e, struct v2_sa *v, struct v2_exch *x, enum job_kind kind,
            struct bytes peer, v2_resume *resume);
void v2_sig_job(struct ike *e, struct v2_sa *v, struct v2_exch *x, struct ike_job *j,
                v2_resume *resume);
void v2_job_done(struct ike *e, struct ike_sa *sa, struct ike_job *j);
void v2_req_end(struct ike *e, struct v2_sa *v);
void v2_rsp_end(struct ike *e, struct v2_sa *v);

/* --- msg.c --- */
bool v2_notify_find(const struct v2_msg *m, uint16_t type, struct notify *out);
uint16_t v2_error_of(const struct v2_msg *m, struct notify *out); /* first error notify, 0 none */
struct bytes v2_body(const struct v2_msg *m, uint8_t type);       /* .p NULL: not there */
/* x->msg lies in the step's memory: keeps its payloads while a job is away. */
bool v2_hold(struct ike *e, struct v2_exch *x);
void v2_msg_event(struct ike *e, enum event_kind kind, const struct ike_sa *sa,
                  const struct ike_hdr *h, const struct payloads *ps);

void v2_say_clear(struct ike *e, const struct ike_sa *sa, const struct ike_hdr *h,
                  struct bytes msg);
void v2_say_proposal(struct ike *e, enum event_kind kind, const struct ike_sa *sa,
                     const struct child *c, const struct proposal *p);

struct v2_build {
    struct wr w;
    struct payload_chain c;
    struct ike_hdr hdr;
    struct sk_sizes z;
    size_t sk;
    bool sealed;
};
bool v2_build_clear(struct ike *e, struct v2_build *b, const struct ike_hdr *h);
bool v2_build_begin(struct ike *e, struct v2_sa *v, struct v2_build *b, uint8_t exchange,
                    bool response, uint32_t id);
/* Closes and seals the message, which is there until the next one begins; false when that failed
 * (ike_fail was called). */
bool v2_build_end(struct ike *e, struct v2_sa *v, struct v2_build *b, struct bytes *out);
void v2_put_notify(struct v2_build *b, uint16_t type, struct bytes data);
void v2_put_ts(struct v2_build *b, uint8_t type, const struct ts_list *l);
void v2_put_ke(struct v2_build *b, uint16_t method, struct bytes value);
void v2_put_nonce(struct v2_build *b, struct bytes n);

/* --- cp.c: virtual addresses --- */
void v2_cp_ask(struct ike *e, const struct v2_sa *v, struct v2_build *b);
/* What the answer to our request gave; an error has been reported. */
err_t v2_cp_take(struct ike *e, struct v2_sa *v, const struct v2_msg *m) must_use;
/* Responder: what to say, in the step's arena; *reply NULL: nothing. An error has been reported. */
struct cfg_body;
err_t v2_cp_give(struct ike *e, struct v2_sa *v, const struct v2_msg *m,
                 struct cfg_body **reply) must_use;
void v2_cp_put(struct v2_build *b, const struct cfg_body *reply);

/* --- sk.c --- */
void v2_sk_sizes(const struct v2_suite *s, struct sk_sizes *z);
err_t v2_sk_seal(struct ike *e, struct v2_sa *v, uint8_t *msg, const struct sk_layout *l) must_use;
/* Opens m->raw in place and parses what is inside into m->in. */
err_t v2_sk_open(const struct v2_suite *s, const struct v2_keys *k, bool by_initiator,
                 struct v2_msg *m, const struct payload *sk) must_use;

/* --- window.c --- */
enum v2_verdict { V2_NEW, V2_AGAIN, V2_OLD };
enum v2_verdict v2_window_request(const struct v2_window *w, uint32_t id);
void v2_window_take(struct ike *e, struct v2_window *w, uint32_t id);
void v2_window_forget(struct ike *e, struct v2_window *w);
bool v2_window_response(const struct ike_sa *sa, uint32_t id);
/* Sends an answer and keeps it for retransmitted requests. */
void v2_respond(struct ike *e, struct v2_sa *v, struct v2_build *b);
/* Sends a request; its answer or v2_timeout ends it. */
void v2_request(struct ike *e, struct v2_sa *v, struct v2_build *b);
bool v2_idle(const struct v2_sa *v);

/* --- keymat.c --- */
/* 2.14 and 2.18. Nonces and SPIs in the roles of the exchange that makes the SA. */
err_t v2_skeyseed(const struct alg *prf, struct bytes shared, struct bytes ni, struct bytes nr,
                  uint8_t out[CR_HASH_MAX]) must_use;
err_t v2_keys_expand(struct v2_keys *k, const struct v2_suite *s, struct bytes skeyseed,
                     struct bytes ni, struct bytes nr, uint64_t spi_i, uint64_t spi_r) must_use;
err_t v2_keys_init(struct v2_keys *k, const struct v2_suite *s, struct bytes shared,
                   struct bytes ni, struct bytes nr, uint64_t spi_i, uint64_t spi_r) must_use;
err_t v2_keys_rekey(struct v2_keys *k, const struct v2_suite *s, const struct alg *old_prf,
                    struct bytes old_d, struct bytes shared, struct bytes ni, struct bytes nr,
                    uint64_t spi_i, uint64_t spi_r) must_use;
/* AUTH was the last use of SK_p*: a few bytes less for each of 20,000 SAs. */
void v2_keys_settle(struct v2_keys *k);
struct bytes v2_key_d(const struct v2_keys *k);
struct bytes v2_key_a(const struct v2_keys *k, bool initiator);
struct bytes v2_key_e(const struct v2_keys *k, bool initiator);
struct bytes v2_key_p(const struct v2_keys *k, bool initiator);
/* RFC 7296 2.17; i2r protects what the exchange's initiator sends. */
err_t v2_child_keys(const struct alg *prf, struct bytes d, struct bytes shared, struct bytes ni,
                    struct bytes nr, const struct alg *encr, const struct alg *integ,
                    struct child_keys *i2r, struct child_keys *r2i) must_use;
bool v2_keys_export(const struct ike_sa *sa, struct buf *out);

/* --- notify.c: refusing and being refused --- */
/* Answers a request with one error notify and reports r; ends the exchange. */
void v2_refuse(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct refusal *r);
void v2_respond_notify(struct ike *e, struct v2_sa *v, uint16_t type, struct bytes data);
err_t v2_reason_of(uint16_t notify);
void v2_peer_refusal(struct ike *e, const struct ike_sa *sa, const struct notify *n,
                     struct refusal *r);
void v2_proposal_refusal(struct ike *e, struct refusal *r, const char *key,
                         struct proposal_mismatch *why, const struct proposals *ours,
                         const struct proposals *theirs);

/* --- cookie.c --- */
#define V2_COOKIE_LEN 17
bool v2_cookie_wanted(const struct ike *e, const struct endpoint *from);
void v2_cookie_make(struct ike *e, const struct endpoint *from, uint64_t spi_i, struct bytes ni,
                    uint8_t out[V2_COOKIE_LEN]);
bool v2_cookie_ok(struct ike *e, const struct endpoint *from, uint64_t spi_i, struct bytes ni,
                  struct bytes cookie);

/* --- hello.c: first messages, before anything is kept of them --- */
struct v2_hello {
    struct v2_msg *m; /* pkt and raw set by the caller */
    struct proposals *offer;
    struct ke ke;
    struct bytes ni;
};
/* Reads and checks all of it, into the memory that m and offer point to. */
err_t v2_hello_read(struct v2_hello *hi) must_use;
/* Our SPI for it: a repetition finds what the first one left by it. */
uint64_t v2_hello_spi(const struct ike *e, const struct ike_pkt *p);
bool v2_hello_known(const struct ike *e, const struct ike_pkt *p);
/* Limits reached: nobody new is listened to. */
bool v2_hello_refused(const struct ike *e, const struct endpoint *from);
/* An answer that is one notify, in clear; its length, 0 when it does not fit. */
size_t v2_hello_notify(const struct ike_pkt *p, uint16_t type, struct bytes data, uint8_t *out,
                       size_t cap);
size_t v2_cookie_reply(struct ike *e, const struct ike_pkt *p, uint8_t *out);

/* --- sa_init_i.c, sa_init_r.c, nat.c --- */
void v2_start(struct ike *e, struct ike_sa *sa);
void v2_init_request(struct ike *e, const struct ike_pkt *p);
v2_resume v2_init_response;
void v2_init_free(struct v2_init *i);
void v2_suite_set(struct ike_sa *sa, const struct proposal *p);
struct v2_suite v2_suite_of(const struct proposal *p);
/* The answer to a first message: the same bytes each time. */
bool v2_init_answer(struct ike *e, struct half *h, struct bytes *out);
void v2_init_job(struct ike *e, struct half *h, struct ike_job *j);
struct v2_nat {
    bool local, remote;
};
/* As the message says, of the way it came. */
struct v2_nat v2_nat_read(const struct v2_msg *m, uint64_t spi_i, uint64_t spi_r);
const char *v2_nat_where(struct v2_nat n); /* NULL: there is none */
void v2_nat_put(struct v2_build *b, const struct endpoint *local, const struct endpoint *remote,
                bool fake);
void v2_lost(struct ike *e, struct v2_sa *v, err_t reason);

/* --- auth.c, auth_sig.c, auth_psk.c --- */
/* What AUTH covers: own first message | the peer's nonce | prf(SK_p, ID'). */
struct v2_octets {
    uint8_t mac[CR_HASH_MAX];
    struct bytes part[3];
};
err_t v2_octets(const struct v2_sa *v, bool initiators, const struct id *id,
                struct v2_octets *out) must_use;
struct v2_who {
    struct conn *conn;
    const struct id *us;  /* as our ID payload says */
    const struct id *own; /* ours, whatever the peer calls us: secrets are found by it */
    const struct id *them;
};
void v2_prove(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct v2_who *w,
              v2_resume *next);
void v2_check(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct v2_who *w,
              v2_resume *next);
/* Of what an SA remembers: V2_AUTH_PSK, or more than that by an enum cr_scheme. NULL: nothing. */
#define V2_AUTH_PSK 1
const char *v2_auth_name(uint8_t proof);
void v2_put_auth(struct v2_build *b, const struct v2_exch *x);
void v2_put_certs(struct v2_build *b, const struct conn *c, const struct v2_exch *x);
void v2_put_certreq(struct v2_build *b, struct bytes authorities);
void v2_put_hashes(struct v2_build *b); /* RFC 7427 4 */
/* What the peer's messages say of signatures that it can check. */
struct v2_first {
    uint32_t hashes; /* RFC 7427 4; 0: it does not know them */
    bool cert_asked;
    struct bytes authorities; /* hashes of their keys */
};
void v2_certreq_read(const struct payloads *ps, struct v2_first *out);
/* Method and scheme for our key; reports when there is none. */
err_t v2_scheme_choose(struct ike *e, struct v2_sa *v, const struct conn *c,
                       const struct sig_own *own, uint32_t hashes, struct v2_auth *out) must_use;
/* Schemes that the peer's AUTH may be of, and its signature. */
err_t v2_schemes_of(struct ike *e, struct v2_sa *v, const struct conn *c, const struct auth *a,
                    struct sig_claim *out) must_use;
err_t v2_auth_psk(const struct v2_sa *v, bool initiators, const struct id *id,
                  const struct secret *psk, uint8_t out[CR_HASH_MAX]) must_use;

/* --- ike_auth_i.c, ike_auth_r.c, choose.c --- */
void v2_auth_start(struct ike *e, struct v2_sa *v);
v2_resume v2_auth_response;
v2_resume v2_auth_request;
void v2_half_done(struct ike *e, struct v2_sa *v); /* no longer counted as half open */
void v2_established(struct ike *e, struct v2_sa *v);
struct v2_choice {
    struct conn *conn;
    struct id local;
    bool id_ok;        /* somebody took the peer's identity */
    struct conn *near; /* the nearest miss, for the report */
};
/* psk: how the peer proves itself; of several, connections that want it so are taken first. */
bool v2_choose(struct ike *e, const struct v2_sa *v, const struct id *idi, const struct id *idr,
               bool psk, struct v2_choice *out);
void v2_local_id(const struct ike_sa *sa, const struct conn *c, struct id *out);

/* --- child_i.c: our offer and the peer's choice --- */
/* An inbound SPI for the CHILD SA that x makes; false: none left. */
bool v2_spi_new(struct ike *e, struct v2_exch *x);
bool v2_offer_make(struct ike *e, struct v2_sa *v, struct v2_exch *x, const struct task *t,
                   bool with_ke);
void v2_offer_put(struct v2_build *b, const struct v2_exch *x, bool with_nonce);
void v2_proposals(const struct v2_sa *v, const struct conn_child *cc, struct proposals *out);
void v2_strip_ke(struct proposals *ps);
err_t v2_offer_accept(struct ike *e, struct v2_sa *v, struct v2_exch *x,
                      struct refusal *r) must_use;
struct child *v2_child_install(struct ike *e, struct v2_sa *v, struct v2_exch *x, uint8_t dirs);
uint16_t v2_first_ke(const struct proposals *ps);
bool v2_offers_ke(const struct proposals *ps, uint16_t method);
/* --- ipcomp.c --- */
void v2_ipcomp_put(struct v2_build *b, const struct v2_exch *x);
void v2_ipcomp_ask(struct ike *e, struct v2_exch *x);
void v2_ipcomp_answered(struct v2_exch *x);
void v2_ipcomp_choose(struct ike *e, struct v2_exch *x);

/* --- frag.c --- */
bool v2_frag_take(struct ike *e, struct v2_sa *v, struct arena *a, struct v2_msg *m, err_t *err);
err_t v2_frag_split(struct ike *e, struct v2_sa *v, const struct v2_build *b, uint8_t first,
                    struct bytes inner, struct bytes *out) must_use;

/* --- mode.c --- */
enum ipsec_mode v2_mode_told(const struct v2_exch *x);
void v2_mode_choose(struct ike *e, const struct v2_sa *v, struct v2_exch *x);
void v2_mode_put(struct v2_build *b, const struct v2_exch *x);
void v2_mode_as_seen(const struct v2_sa *v, struct v2_exch *x, struct ts_list *local,
                     struct ts_list *remote);
err_t v2_mode_accept(struct ike *e, const struct v2_sa *v, struct v2_exch *x,
                     struct refusal *r) must_use;
/* Some child of the connection asks for BEET, so the peer must hear how we mean it. */
bool v2_mode_private(const struct conn *c);
void v2_mode_put_vendor(struct v2_build *b);
void v2_child_unwanted(struct ike *e, struct v2_sa *v, struct v2_exch *x);
void v2_child_refused(struct ike *e, struct v2_sa *v, const struct v2_exch *x,
                      const struct notify *n);

/* --- later_frags.c --- */
void v2_later_frags_put(struct v2_build *b, const struct v2_exch *x);
void v2_later_frags_ask(struct v2_exch *x); /* the selectors are in x */
void v2_later_frags_answered(struct v2_exch *x);
void v2_later_frags_choose(struct v2_exch *x);

/* --- per_cpu.c --- */
void v2_per_cpu_put(struct v2_build *b, const struct v2_exch *x);
void v2_per_cpu_ask(struct ike *e, struct v2_exch *x, const struct task *t);
void v2_per_cpu_answered(struct v2_exch *x);
err_t v2_per_cpu_choose(struct ike *e, const struct v2_sa *v, struct v2_exch *x, struct refusal *r);

/* --- child_r.c: the peer's offer and our choice --- */
err_t v2_child_choose(struct ike *e, struct v2_sa *v, struct v2_exch *x, bool with_ke,
                      struct refusal *r) must_use;
void v2_child_put(struct v2_build *b, const struct v2_exch *x, bool with_nonce);

/* --- create_child_i.c, create_child_r.c --- */
void v2_create_start(struct ike *e, struct v2_sa *v, struct task *t);
v2_resume v2_create_response;
v2_resume v2_create_request;

/* --- rekey_ike.c --- */
void v2_rekey_ike_start(struct ike *e, struct v2_sa *v);
v2_resume v2_rekey_ike_response;
v2_resume v2_rekey_ike_request;
/* Children and plans go to the SA that replaces this one. */
void v2_succeed(struct ike *e, struct v2_sa *v, struct v2_sa *next);
/* The peer speaks of children on this SA: then it is the one that prevails, whatever we wait for.
 */
void v2_adopt(struct ike *e, struct v2_sa *v);
/* Ends the exchange but not its task: once more, under the IKE SA that has the child by then. */
void v2_task_again(struct ike *e, struct v2_sa *v, uint64_t wait_ms);
/* What a deleted SA leaves goes to the one that all its rekeyings led to; NULL: none. */
struct ike_sa *v2_bequeath(struct ike *e, struct v2_sa *v);
bool v2_task_follow(struct ike *e, struct v2_sa *v, struct task *t, const struct child *c);
/* Made by the peer's rekeying while ours is under way: it may yet be the one to go. */
bool v2_undecided(struct ike *e, const struct v2_sa *v);

/* --- collide.c --- */
struct bytes v2_lower(struct bytes a, struct bytes b);
/* 2.8.1: did our exchange make the SA that must go? */
bool v2_we_lose(const struct v2_exch *x);
void v2_rival_set(struct ike *e, struct v2_exch *ours, const struct v2_exch *theirs, uint32_t id);

/* --- delete.c, liveness.c, informational.c --- */
void v2_delete_child_start(struct ike *e, struct v2_sa *v, struct task *t);
void v2_delete_ike_start(struct ike *e, struct v2_sa *v);
void v2_auth_failed_start(struct ike *e, struct v2_sa *v, err_t reason);
void v2_liveness_start(struct ike *e, struct v2_sa *v);
v2_resume v2_info_request;
v2_resume v2_info_response;

/* --- auth_first.c --- */
void v2_half_packet(struct ike *e, struct half *h, const struct ike_pkt *p);

/* --- table.c --- */
struct v2_msg *v2_msg_new(struct ike *e, struct arena *a, const struct ike_pkt *p);
/* Authentic? Then err says whether what is inside can be read. False: dropped and counted. */
bool v2_msg_open(struct ike *e, const struct v2_suite *s, const struct v2_keys *k,
                 bool by_initiator, bool frags, struct v2_msg *m, err_t *err);
struct v2_row;
/* An authentic new request; err: what is wrong inside. */
void v2_request_take(struct ike *e, struct v2_sa *v, const struct v2_row *row, struct v2_exch *x,
                     err_t err);
void v2_packet(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p);
/* Checks must and may of the row; R_MISSING_PAYLOAD or R_UNEXPECTED_PAYLOAD. */
struct v2_row {
    uint8_t exchange;
    uint16_t from; /* bits of enum v2_state */
    bool response;
    uint32_t must, may; /* bits of payload types, from PL_SA = bit 0 */
    v2_resume *handler;
    const char *clause;
};
const struct v2_row *v2_row_find(uint8_t exchange, bool response, uint16_t state);
err_t v2_row_check(const struct v2_row *row, const struct v2_msg *m) must_use;
void v2_timeout(struct ike *e, struct ike_sa *sa);
void v2_kick(struct ike *e, struct ike_sa *sa);
/* The peer broke the protocol in an authentic message: 2.21.3. */
void v2_fatal(struct ike *e, struct v2_sa *v, err_t reason, const char *what);
