/*
 * Signatures and certificates as the engine uses them: which key of ours proves who we are, and
 * JOBs that sign and verify. A job has copies of what it needs and references of what never
 * changes; whoever asked may be gone when it returns. RFC 7296 2.15, RFC 2409 5.1.
 */
#pragma once

#include "culvert/ike.h"
#include "pki/pki.h"

struct ike_sa;

#define SIG_CERTS_MAX   PKI_CHAIN_MAX /* of a peer's chain; what is more is not looked at */
#define SIG_SCHEMES_MAX 4
#define SIG_PARTS_MAX   3

/* What is signed, in pieces. */
struct sig_octets {
    struct bytes part[SIG_PARTS_MAX];
    size_t count;
};

/* --- ours --- */

/* A certificate with its key, and references of what they are borrowed from. */
struct sig_own {
    struct pki *store;
    struct conn *conn;
    struct pki_own o;
};

/* Reports R_NO_KEY when there is none; us: who we are. */
err_t sig_own_find(struct ike *e, struct ike_sa *sa, struct conn *c, const struct id *us,
                   const struct pki_wish *wish, struct sig_own **out) must_use;
void sig_own_free(struct sig_own *own);
/* The same without asking for more than whether there is one. */
bool sig_own_has(const struct ike *e, const struct conn *c, const struct id *us,
                 const struct pki_wish *wish);
/* Who we are: as configured, or our address. */
void sig_local_id(const struct conn *c, const struct addr *local, struct id *out);
/* Does the certificate go with the signature? */
bool sig_send_cert(const struct conn *c, bool asked);

/* --- authorities that we ask for: CERTREQ --- */

#define SIG_AUTHORITIES_MAX 32 /* in one message */
/* c NULL: all that are trusted. In the step's arena. */
size_t sig_authorities(struct ike *e, const struct conn *c, struct pki_ca **out);
struct bytes sig_authority_hashes(struct ike *e, const struct conn *c); /* RFC 7296 3.7 */

/* --- jobs --- */

/* What a job shall do, has done and knows why not. */
struct sig_work {
    err_t err; /* 0, a reason with evidence in why, or our own failure */
    struct pki_why why;
    struct cr_key *key;                     /* that signs; the peer's once it is trusted */
    enum cr_scheme scheme[SIG_SCHEMES_MAX]; /* that it may be; then [0] is the one that it was */
    size_t schemes, parts, certs, sig_len;
    struct bytes part[SIG_PARTS_MAX], cert[SIG_CERTS_MAX], claimed; /* within data */
    uint8_t sig[CR_SIG_MAX];
    struct pki *store;
    struct conn *conn; /* which wants something of the peer; a reference */
    struct id id;
    uint64_t wall_s;
    uint8_t data[];
};

/* Both NULL: no memory. */
struct ike_job *sig_sign_job(struct ike *e, const struct sig_own *own, enum cr_scheme scheme,
                             const struct sig_octets *o);

struct sig_claim { /* of a peer; all of it is copied */
    struct conn *conn;
    const struct id *id;
    struct bytes cert[SIG_CERTS_MAX]; /* its own first */
    size_t certs;
    enum cr_scheme scheme[SIG_SCHEMES_MAX];
    size_t schemes;
    struct sig_octets octets;
    struct bytes signature;
};
struct ike_job *sig_verify_job(struct ike *e, const struct sig_claim *c);

void sig_sign(struct sig_work *w);   /* any thread */
void sig_verify(struct sig_work *w); /* any thread */
bool sig_quick(const struct sig_work *w);
void sig_work_free(struct sig_work *w);
/* Tells why it failed: in the log, and as evidence of the SA. */
void sig_refused(struct ike *e, struct ike_sa *sa, const struct conn *c, const struct sig_work *w);
