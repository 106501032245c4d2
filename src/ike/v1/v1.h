/*
 * Inside of IKEv1 (RFC 2407, 2408, 2409): the SA's own half, phase 1 under way, the exchanges of
 * phase 2, and what one file calls of another.
 */
#pragma once

#include "ike/half.h"
#include "ike/sig.h"
#include "wire/cfg.h"
#include "wire/id_v1.h"
#include "wire/ike_hdr.h"
#include "wire/notify_v1.h"
#include "wire/payload_v1.h"
#include "wire/sa_v1.h"

#define V1_NONCE_LEN 32
#define V1_MSG_MAX   16384
#define V1_BLOCK_MAX 16
#define V1_SEEN      16 /* message ids of the peer that we remember */
#define V1_ASKED_MAX 32 /* authorities that a peer asks for */
#define V1_QUICK_MAX 8  /* quick modes of the peer under way at once */

enum v1_state {
    V1_I_NEW = 1, /* initiator: making its KE value for aggressive mode */
    V1_I_MM1 = 2, /* this message is sent */
    V1_I_MM3 = 4,
    V1_I_MM5 = 8,
    V1_R_MM2 = 16,
    V1_R_MM4 = 32,
    V1_I_AM1 = 64,
    V1_R_AM1 = 128, /* responder of aggressive mode: computing */
    V1_R_AM2 = 256,
    V1_UP = 512,
    V1_GONE = 1024,
    V1_XAUTH = 2048, /* phase 1 is done: a user logs in */
    V1_CONF = 4096,  /* a virtual address is agreed on */
};

/* A message read; raw is a copy that was decrypted in place. */
struct v1_msg {
    struct ike_hdr hdr;
    struct ike_pkt pkt;
    struct bytes raw;
    struct payloads in;
    size_t used;              /* bytes of the chain, without padding */
    uint8_t iv[V1_BLOCK_MAX]; /* where the chain of IVs goes on, if this message is true */
    bool encrypted;
};

/* SKEYID | SKEYID_d | SKEYID_a | SKEYID_e | the cipher's key: RFC 2409 5 and appendix B. */
struct v1_keys {
    struct secret all;
    uint8_t n, key; /* lengths: of each SKEYID, of the key */
};

struct v1_sa;
struct v1_exch;
struct v1_msg;
typedef void v1_handler(struct ike *e, struct v1_sa *v, struct v1_msg *m);
typedef void v1_p1_resume(struct ike *e, struct v1_sa *v);
typedef void v1_resume(struct ike *e, struct v1_sa *v, struct v1_exch *x);

/* Phase 1 under way; goes when the SA is up. */
struct v1_phase1 {
    uint32_t serial;
    v1_p1_resume *resume;              /* set while a job is away */
    struct ike_msg sa_i, id_i, id_r;   /* bodies as HASH_I and HASH_R cover them */
    struct ike_msg ke_i, ke_r, ni, nr; /* public values, nonces */
    struct ike_msg chosen;             /* responder: the transform to return, unaltered */
    uint8_t chosen_proposal;
    uint16_t method;
    struct cr_ke *ke;
    struct secret shared, psk;
    err_t job_err;
    struct ike_msg proof; /* ours: HASH or SIG */
    err_t proof_err;      /* of ours or the peer's, whichever was made or checked last */
    v1_p1_resume *next;   /* goes on with it */
    struct sig_own *own;  /* what we sign with */
    struct sig_work *sig; /* what the last job did */
    struct bytes asked[V1_ASKED_MAX]; /* names of authorities that the peer trusts, in `asking` */
    size_t asked_count;
    struct arena asking;
    bool cert_asked;
    struct conn *peer_conn; /* by the identity that is being proved; a reference */
    struct arena arena;     /* of `held` */
    struct v1_msg *held;    /* the message whose proof is being checked */
    struct ike_pkt early;   /* came meanwhile; raw.p NULL: nothing */
    bool initial_contact;   /* the peer said so, authenticated */
};

/* One exchange of phase 2, ours or the peer's: a quick mode or a transaction. */
struct v1_exch {
    struct list link;
    struct arena arena;
    uint32_t serial, msg_id;
    uint8_t exchange, cfg_type; /* EXCH_V1_QUICK or _TRANSACTION: then what we asked with */
    uint16_t asked_in;          /* and in which state */
    uint16_t cfg_id;
    bool ours, done;
    bool commit; /* the peer set the commit bit: RFC 2408 3.1 */
    v1_resume *resume;
    struct v1_msg *msg;
    uint8_t iv[V1_BLOCK_MAX];
    uint8_t last_in[20];
    struct ike_msg last_out; /* repeated when last_in comes again */
    uint64_t resend_at, resend_ms, die_ms;
    uint8_t resends;
    struct bytes ni, nr;
    struct v1_transform *offer; /* ours */
    size_t offer_count;
    struct v1_transform chosen;
    uint16_t method;
    struct cr_ke *ke;
    struct secret shared;
    err_t job_err;
    struct ts local, remote;
    struct addr oa_local, oa_remote; /* RFC 3947 5.2, as in struct child_sa */
    struct ts_list *narrow;          /* with split networks: what the responder's side really is */
    uint32_t spi, spi_out;
    uint32_t ah_spi, ah_spi_out; /* of AH around ESP; 0: none */
    uint16_t cpi;                /* ours, when IPComp is offered or taken */
    bool spi_used;
    uint32_t old_child, child;
    uint64_t cap_s, cap_kb; /* of the peer, 0: none */
    struct conn *conn;      /* a reference */
    const struct conn_child *cc;
};

/* --- method.c --- */
enum v1_proof {
    V1_PROOF_PSK,  /* HASH, under a SKEYID that a secret made */
    V1_PROOF_SIG,  /* SIG */
    V1_PROOF_OPEN, /* HASH, which proves nothing: whoever gives it must prove more later */
};
enum v1_xauth { V1_XAUTH_NONE, V1_XAUTH_INITIATOR, V1_XAUTH_RESPONDER }; /* who logs in */

struct v1_method {
    uint16_t number;  /* on the wire */
    const char *name; /* for screens */
    enum v1_proof initiator, responder;
    enum cr_key_type key; /* of every SIG, with the curve's bits */
    uint16_t bits;
    enum cr_scheme scheme;
    enum v1_xauth xauth;
};

#define V1_METHODS_MAX 8
const struct v1_method *v1_method_of(uint16_t number); /* NULL: not spoken */
/* Those of a connection, in order of preference; none: a key is missing. */
size_t v1_methods(const struct ike *e, const struct conn *c, const struct addr *local,
                  bool initiator, const struct v1_method *out[V1_METHODS_MAX]);
bool v1_uses_psk(const struct v1_method *m);
enum v1_proof v1_proof_of(const struct v1_sa *v, bool initiators);

struct v1_sa {
    struct ike_sa sa;
    const struct v1_method *method; /* agreed; NULL: not yet */
    struct hash_node init_node;     /* responder: by source and initiator's cookie */
    struct list early;              /* responders of main mode that nothing is invested in yet */
    struct endpoint init_from;
    bool in_inits, half; /* half: counted as half open, under init_from */
    uint16_t state;      /* enum v1_state */
    bool aggressive, peer_dpd, peer_natt, peer_frag, peer_unity;
    uint16_t frag_id;        /* of the last message that we sent in fragments */
    struct ike_parts *parts; /* a message on its way in */
    bool xauth_ok;           /* who logs in is who it says */
    uint64_t conf_at;        /* XAUTH and Mode Config shall be over by then; 0: they are */
    struct v1_keys keys;
    uint8_t iv[V1_BLOCK_MAX]; /* last block of phase 1: what phase 2 begins with */
    uint8_t last_in[20];      /* of phase 1: digest, and the answer to repeat */
    struct ike_msg last_out;
    uint64_t forget_at; /* when last_out may go; 0: not */
    uint64_t life_s;    /* negotiated */
    struct v1_phase1 *p1;
    struct list exchs;
    uint32_t seen[V1_SEEN];
    uint8_t seen_next;
    uint32_t dpd_out, dpd_in; /* sequence numbers: RFC 3706 6.2 */
    bool dpd_in_set;
    uint64_t dpd_at, dpd_ms, dpd_since; /* 0: none outstanding */
    uint32_t replaces, successor;       /* ISAKMP SAs: renewing */
};

static inline struct v1_sa *v1_of(struct ike_sa *sa)
{
    return (struct v1_sa *)sa;
}

static inline struct bytes v1_bytes(const struct ike_msg *m)
{
    return bytes_of(m->p, m->n);
}

/* --- keymat.c --- */
struct v1_seeds { /* what the keys of phase 1 are made of */
    const struct alg *prf, *encr;
    struct bytes psk; /* empty: signatures */
    struct bytes shared, ni, nr;
    uint64_t cky_i, cky_r;
};
err_t v1_keys_make(struct v1_keys *k, const struct v1_seeds *s) must_use;
struct bytes v1_skeyid(const struct v1_keys *k);
struct bytes v1_key_d(const struct v1_keys *k);
struct bytes v1_key_a(const struct v1_keys *k);
struct bytes v1_key_cipher(const struct v1_keys *k);
/* HASH_I or HASH_R: 5. */
err_t v1_hash_phase1(const struct v1_sa *v, const struct alg *prf, bool initiators,
                     uint8_t *out) must_use;
/* IV of phase 1 from both public values, of phase 2 from the last block and the message id. */
err_t v1_iv_phase1(const struct alg *prf, struct bytes ke_i, struct bytes ke_r,
                   uint8_t iv[V1_BLOCK_MAX]) must_use;
err_t v1_iv_phase2(const struct v1_sa *v, uint32_t msg_id, uint8_t iv[V1_BLOCK_MAX]) must_use;
/* prf(SKEYID_a, [0 |] M-ID | parts ...) */
err_t v1_hash_phase2(const struct v1_sa *v, bool third, uint32_t msg_id, const struct bytes *parts,
                     size_t n, uint8_t *out) must_use;
/* 5.5: keys of the SA that is received on `spi`. */
err_t v1_child_keys(const struct alg *prf, struct bytes d, struct bytes shared, uint8_t proto,
                    uint32_t spi, struct bytes ni, struct bytes nr, const struct alg *encr,
                    const struct alg *integ, struct child_keys *out) must_use;
bool v1_keys_export(const struct ike_sa *sa, struct buf *out);

/* --- msg.c --- */
struct v1_build {
    struct wr w;
    struct payload_chain c;
    struct ike_hdr hdr;
    size_t hash_len; /* of a HASH payload at the beginning */
};
bool v1_build_begin(struct ike *e, const struct v1_sa *v, struct v1_build *b, uint8_t exchange,
                    uint32_t msg_id);
/* Phase 2: begins with a HASH payload that v1_build_hash fills in the end. */
bool v1_build_begin2(struct ike *e, const struct v1_sa *v, struct v1_build *b, uint8_t exchange,
                     uint32_t msg_id);
bool v1_build_hash(struct ike *e, const struct v1_sa *v, struct v1_build *b, bool third,
                   struct bytes ni, struct bytes nr);
/* Closes and copies the message; iv: encrypts with it and moves it on; NULL: in clear. */
bool v1_build_end(struct ike *e, struct v1_sa *v, struct v1_build *b, uint8_t *iv,
                  struct ike_msg *out);
void v1_put_sa(struct v1_build *b, bool ike, const struct v1_transform *t, size_t n);
void v1_put_notify(struct v1_build *b, uint8_t proto, uint16_t type, struct bytes spi,
                   struct bytes data);
void v1_put_notify_sa(struct v1_build *b, const struct v1_sa *v, uint16_t type, struct bytes data);
struct v1_msg *v1_msg_new(struct ike *e, struct arena *a, const struct ike_pkt *p);
/* Reads a message: decrypts (iv not NULL) and splits it. Nothing of the SA changes. */
err_t v1_msg_read(const struct v1_sa *v, struct v1_msg *m, const uint8_t *iv) must_use;
struct bytes v1_body(const struct v1_msg *m, uint8_t type); /* .p NULL: not there */
/* What HASH(1) and HASH(2) cover: all behind the HASH payload, which must be first. */
bool v1_after_hash(const struct v1_msg *m, struct bytes *hash, struct bytes *rest);
void v1_msg_event(struct ike *e, enum event_kind kind, const struct ike_sa *sa,
                  const struct ike_hdr *h, const struct payloads *ps);

/* --- offer.c --- */
/* Every suite of our proposals that IKEv1 can say, in our order; in the step's arena. */
size_t v1_offer_ike(struct ike *e, const struct conn *c, const struct addr *local, bool initiator,
                    bool one_group, struct v1_transform **out);
enum ipsec_mode v1_mode(const struct conn_child *cc); /* what there is of what it asks for */
size_t v1_offer_esp(struct ike *e, const struct conn_child *cc, const struct v1_sa *v,
                    bool one_group, struct v1_transform **out);

/* --- choose.c --- */
/* Our first that is among theirs; NULL and r filled: each attribute in which the nearest differ. */
const struct v1_transform *v1_choose(struct ike *e, bool ike, const struct v1_transform *ours,
                                     size_t n, const struct v1_sa_body *theirs, struct refusal *r);
bool v1_same_suite(const struct v1_transform *a, const struct v1_transform *b);
void v1_suite_set(struct ike_sa *sa, const struct proposal *p);
void v1_suite_print(const struct v1_transform *t, struct buf *out);
const char *v1_offer_str(struct ike *e, const struct v1_transform *t, size_t n);

/* --- phase1.c: what both modes and roles share --- */
struct v1_phase1 *v1_p1_new(struct ike *e, struct v1_sa *v);
void v1_p1_free(struct v1_phase1 *p);
void v1_p1_job(struct ike *e, struct v1_sa *v, enum job_kind kind, struct bytes peer,
               v1_p1_resume *resume);
bool v1_p1_nonce(struct ike *e, struct ike_msg *to);
bool v1_p1_keys(struct ike *e, struct v1_sa *v); /* from p1; false: failed, SA dropped */
void v1_put_vendors(struct v1_build *b, const struct v1_sa *v);
void v1_read_vendors(struct ike *e, struct v1_sa *v, const struct v1_msg *m);
void v1_local_id(const struct ike_sa *sa, const struct conn *c, struct id *out);
/* The body of an ID payload, as the hashes cover it. */
bool v1_id_body(struct ike *e, const struct id *id, struct ike_msg *out);
bool v1_hash_ok(struct ike *e, const struct v1_sa *v, bool initiators, struct bytes got);
bool v1_first_contact(struct ike *e, struct v1_sa *v);
/* Sends a message of phase 1: repeated by time, or only when the peer repeats its own. */
void v1_p1_ask(struct ike *e, struct v1_sa *v, struct ike_msg *m);
void v1_p1_answer(struct ike *e, struct v1_sa *v, struct ike_msg *m);
void v1_p1_accept(struct v1_sa *v, const struct v1_msg *m); /* moves IV and digest on */
void v1_lost(struct ike *e, struct v1_sa *v, err_t reason);
void v1_refuse_clear(struct ike *e, const struct ike_pkt *p, uint16_t type);
void v1_up(struct ike *e, struct v1_sa *v); /* all is agreed on, children may come */
/* The peer is up with its last message of phase 1, which we may still be checking: keeps the next,
 * which v1_established takes. */
bool v1_keep_early(struct v1_sa *v, const struct ike_pkt *p);
void v1_read_contact(struct v1_sa *v, const struct v1_msg *m);
void v1_silent(struct ike *e, struct v1_sa *v);

/* --- proof.c --- */
void v1_prove(struct ike *e, struct v1_sa *v, v1_p1_resume *next);
void v1_put_proof(struct v1_build *b, const struct v1_sa *v); /* CERTs, and HASH or SIG */
err_t v1_unbelieved(struct ike *e, struct v1_sa *v, const char *theirs); /* gives the reason */
void v1_put_certreqs(struct ike *e, struct v1_build *b, const struct v1_sa *v);
/* The held message did not prove enough: the peer is told and the SA goes, or the SA stays for a
 * true one. */
void v1_unproved(struct ike *e, struct v1_sa *v);
void v1_read_certreqs(struct v1_sa *v, const struct v1_msg *m);
bool v1_hold(struct ike *e, struct v1_sa *v, const struct v1_msg *m);
/* Of the held message. */
void v1_check_proof(struct ike *e, struct v1_sa *v, const struct id *them, v1_p1_resume *next);
void v1_p1_sig(struct ike *e, struct v1_sa *v, struct ike_job *j, v1_p1_resume *resume);

/* --- psk.c: pre-shared keys of phase 1 --- */
bool v1_psk_find(struct ike *e, struct v1_sa *v, const struct conn *c, const struct id *them);
/* Does who claims `them` have to know the secret in use? */
bool v1_psk_proves(struct ike *e, const struct v1_sa *v, const struct conn *c,
                   const struct id *them);
void v1_psk_missing(struct ike *e, struct v1_sa *v, const struct conn *c, const struct id *them);
void v1_psk_differs(struct ike *e, struct v1_sa *v, const char *theirs);
void v1_expected_peer(const struct v1_sa *v, struct id *out);
/* Whose connection it would be; NULL: nobody's. */
struct conn *v1_peer_conn(struct ike *e, const struct v1_sa *v, const struct id *them);
void v1_peer_conn_set(struct v1_phase1 *p, struct conn *c);
bool v1_peer_id(struct ike *e, struct v1_sa *v, const struct id *them);

/* --- nat.c --- */
void v1_nat_put(struct ike *e, struct v1_build *b, const struct v1_sa *v);
void v1_nat_read(struct ike *e, struct v1_sa *v, const struct v1_msg *m);

/* --- frag.c --- */
void v1_frag_in(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p);
/* out: the message, or its fragments. */
bool v1_frag_split(struct ike *e, struct v1_sa *v, const struct ike_hdr *whole_hdr,
                   struct bytes msg, struct ike_msg *out);

/* --- nat_oa.c --- */
void v1_nat_oa_put(struct v1_build *b, const struct v1_sa *v, const struct v1_exch *x);
err_t v1_nat_oa_read(struct ike *e, struct v1_sa *v, struct v1_exch *x, struct refusal *r) must_use;

/* --- main_i.c, main_r.c, aggressive_i.c, aggressive_r.c --- */
void v1_start(struct ike *e, struct ike_sa *sa);
bool v1_put_offer(struct ike *e, struct v1_sa *v, struct v1_build *b);
bool v1_take_choice(struct ike *e, struct v1_sa *v, struct v1_msg *m); /* false: dropped */
v1_handler v1_main2, v1_main4, v1_main6, v1_main3, v1_main5;
void v1_first(struct ike *e, const struct ike_pkt *p);
/* A responder's SA for a first message; c: the connection taken. */
void v1_count_half(struct ike *e, struct v1_sa *v, bool on);
struct v1_sa *v1_half_open(struct ike *e, const struct v1_msg *m, struct conn *c,
                           const struct v1_transform *chosen);
/* idi: as claimed in aggressive mode. False: refused. */
bool v1_choose_conn(struct ike *e, const struct v1_msg *m, const struct v1_sa_body *offer,
                    const struct id *idi, struct conn **conn, const struct v1_transform **chosen);
void v1_early_end(struct ike *e, struct v1_sa *v);
void v1_garbled(struct ike *e, struct v1_sa *v, const struct ike_pkt *p, err_t reason);
void v1_put_choice(struct v1_build *b, const struct v1_sa *v);
void v1_aggressive_start(struct ike *e, struct v1_sa *v);
void v1_aggressive1(struct ike *e, struct v1_msg *m);
v1_handler v1_aggressive2, v1_aggressive3;

/* --- exch.c --- */
struct v1_exch *v1_exch_new(struct ike *e, struct v1_sa *v, bool ours, uint32_t msg_id);
void v1_exch_end(struct ike *e, struct v1_exch *x);
struct v1_exch *v1_exch_find(const struct v1_sa *v, uint32_t msg_id);
/* The message that was answered before: then the answer goes again. */
bool v1_exch_repeated(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct ike_pkt *p);
void v1_exch_conn(struct v1_exch *x, struct conn *c, const struct conn_child *cc);
void *v1_exch_alloc(struct ike *e, struct v1_exch *x, size_t n);
void v1_exch_job(struct ike *e, struct v1_sa *v, struct v1_exch *x, enum job_kind kind,
                 struct bytes peer, v1_resume *resume);
void v1_job_done(struct ike *e, struct ike_sa *sa, struct ike_job *j);
struct bytes v1_nonce(struct ike *e, struct v1_exch *x);
struct v1_exch *v1_own_quick(const struct v1_sa *v);
uint32_t v1_message_id(struct ike *e, const struct v1_sa *v);
bool v1_seen(struct v1_sa *v, uint32_t msg_id); /* and remembers it */
uint64_t v1_exchs_at(const struct v1_sa *v);
void v1_exchs_tick(struct ike *e, struct v1_sa *v);

/* --- quick_i.c, quick_r.c, quick.c --- */
void v1_quick_start(struct ike *e, struct v1_sa *v, struct task *t);
void v1_quick2(struct ike *e, struct v1_sa *v, struct v1_exch *x);
void v1_quick1(struct ike *e, struct v1_sa *v, struct v1_exch *x);
void v1_quick3(struct ike *e, struct v1_sa *v, struct v1_exch *x);

void v1_quick_in(struct ike *e, struct v1_sa *v, const struct ike_pkt *p);
void v1_quick_failed(struct ike *e, struct v1_sa *v, struct v1_exch *x, err_t reason);
void v1_quick_refused(struct ike *e, struct v1_sa *v, uint16_t type);
void v1_quick_confirmed(struct ike *e, struct v1_sa *v, struct v1_exch *x);
void v1_quick_over(struct ike *e, struct v1_sa *v, struct v1_exch *x); /* no third message */
bool v1_spi_new(struct ike *e, struct v1_exch *x); /* x->spi; false: none left */
/* What the peer chose, or we of what it offers; false: it has no SPIs of its own. */
bool v1_take_spis(struct v1_exch *x, const struct v1_transform *t);
struct child *v1_child_install(struct ike *e, struct v1_sa *v, struct v1_exch *x, uint8_t dirs);
void v1_say_installed(struct ike *e, struct v1_sa *v, const struct v1_exch *x, struct child *c);
/* Another one up for the same selectors: both sides rekeyed at once. */
struct child *v1_twin(const struct child *c);
/* Which of two stays, so that both peers say the same without a word. */
bool v1_twin_stays(const struct child *c, const struct child *twin);
void v1_retire(struct ike *e, struct v1_sa *v, uint32_t old, const struct child *by, bool delete);
void v1_settle(struct ike *e, struct v1_sa *v, const struct v1_exch *x); /* after x */
void v1_exch_keep(struct ike *e, struct v1_exch *x); /* done; answers repetitions */
void v1_connected(struct ike *e, struct v1_sa *v, struct v1_exch *x);

/* --- conf.c: between phase 1 and quick mode --- */
void v1_established(struct ike *e, struct v1_sa *v);   /* phase 1 is done */
void v1_authenticated(struct ike *e, struct v1_sa *v); /* and so is XAUTH */
void v1_conf_failed(struct ike *e, struct v1_sa *v, err_t reason);
void v1_conf_silent(struct ike *e, struct v1_sa *v);
void v1_conf_tick(struct ike *e, struct v1_sa *v);

/* --- trans.c: transaction exchanges --- */
struct v1_exch *v1_trans_new(struct ike *e, struct v1_sa *v);
void v1_trans_in(struct ike *e, struct v1_sa *v, const struct ike_pkt *p);
void v1_trans_ask(struct ike *e, struct v1_sa *v, const struct cfg_body *c);
void v1_trans_answer(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c);

/* --- xauth.c, xauth_user.c --- */
void v1_xauth_ask(struct ike *e, struct v1_sa *v);
void v1_xauth_answered(struct ike *e, struct v1_sa *v, uint8_t question, const struct cfg_body *c);
void v1_xauth_asked(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c);
bool v1_user_id(struct bytes name, struct id *out);
/* own: our identity, user: who logs in. claimed: at the peer's word. */
const struct shared *v1_user_secret(const struct ike *e, const struct id *own,
                                    const struct id *user, bool claimed);

/* --- modecfg.c --- */
void v1_modecfg_pull(struct ike *e, struct v1_sa *v);
void v1_modecfg_push(struct ike *e, struct v1_sa *v);
void v1_modecfg_answered(struct ike *e, struct v1_sa *v, uint8_t question,
                         const struct cfg_body *c);
void v1_modecfg_asked(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c);

/* --- info.c, delete.c, dpd.c --- */
bool v1_hash1_ok(struct ike *e, const struct v1_sa *v, const struct v1_msg *m);
void v1_info_in(struct ike *e, struct v1_sa *v, const struct ike_pkt *p);
void v1_inform(struct ike *e, struct v1_sa *v, uint8_t proto, uint16_t type, struct bytes spi,
               struct bytes data);
void v1_send_delete(struct ike *e, struct v1_sa *v, uint8_t proto, struct bytes spi);
err_t v1_reason_of(uint16_t type);
void v1_delete_in(struct ike *e, struct v1_sa *v, const struct delete_v1 *d);
void v1_delete_child(struct ike *e, struct v1_sa *v, struct task *t);
void v1_delete_ike(struct ike *e, struct v1_sa *v);
void v1_tell_deleted(struct ike *e, struct v1_sa *v); /* the ISAKMP SA is gone */
void v1_dpd_start(struct ike *e, struct v1_sa *v);
void v1_dpd_in(struct ike *e, struct v1_sa *v, const struct notify_v1 *n);
void v1_dpd_tick(struct ike *e, struct v1_sa *v);

/* --- renew.c --- */
void v1_renew(struct ike *e, struct v1_sa *v, struct task *t);
void v1_renewed(struct ike *e, struct v1_sa *v);
bool v1_may_renew(const struct v1_sa *v);
bool v1_must_keep(struct ike *e, struct v1_sa *v); /* unique = keep: refused */
void v1_hand_over(struct ike *e, struct ike_sa *from, struct ike_sa *to);
struct ike_sa *v1_other(struct ike *e, const struct ike_sa *sa); /* established, same peers */

/* --- table.c --- */
void v1_packet(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p);
void v1_timeout(struct ike *e, struct ike_sa *sa);
void v1_kick(struct ike *e, struct ike_sa *sa);
void v1_digest(struct bytes raw, uint8_t out[20]);
const char *v1_state_name(const struct ike_sa *sa);
/* Must and may of a message: R_MISSING_PAYLOAD or R_UNEXPECTED_PAYLOAD. */
#define V1_BIT(t) (1u << (t))
err_t v1_payloads_check(const struct v1_msg *m, uint32_t must, uint32_t may) must_use;
