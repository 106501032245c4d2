/*
 * Certificates for the IKE engine: whom we trust, who we are, and whether a peer is who it says
 * (RFC 5280, RFC 4945). A store is immutable once it is shared, so jobs read it on any thread; a
 * change of credentials makes a new one, and the old lives as long as somebody holds a reference.
 * pki/build.h is how a store comes to be; the daemon does that.
 */
#pragma once

#include "crypto/sign.h"
#include "model/conn.h"

struct pki;

struct pki *pki_ref(const struct pki *p); /* any thread */
void pki_unref(struct pki *p);            /* any thread; NULL is fine */

#define PKI_CHAIN_MAX 8 /* certificates of one chain, the root included */

/* Why not: evidence for a refusal. Texts are whole, owned by this struct, and name files or keys of
 * the configuration where there are any. */
struct pki_why {
    err_t reason;
    const char *what;   /* "certificate", "id", "revocation", "cacerts", "auth" ... static */
    const char *clause; /* static */
    char ours[384], theirs[384], hint[384];
};

/* --- ours --- */

/* What a peer asked for; zero: nothing. */
struct pki_wish {
    struct bytes hashes;       /* CERTREQs of IKEv2: SHA-1 of authorities' keys, 20 bytes each */
    const struct bytes *names; /* CERTREQs of IKEv1: DNs; an empty one asks for anybody's */
    size_t name_count;
    enum cr_key_type type; /* the key that an IKEv1 method needs; 0: any */
    uint16_t bits;         /* of the curve; 0: any */
};

struct pki_own {
    const struct cr_key *key;
    struct bytes chain[PKI_CHAIN_MAX]; /* DER, ours first, without the root */
    size_t chain_len;
};

/*
 * The certificate and private key to authenticate as `id` with: of auth->pki->certs those that the
 * peer's wishes fit best, else of the store's those that are for this identity. What `out` has is
 * borrowed from the store. R_NO_KEY with evidence in why.
 */
err_t pki_own_find(const struct pki *p, const struct conn_auth *auth, const struct id *id,
                   const struct pki_wish *wish, struct pki_own *out, struct pki_why *why) must_use;

/* Authorities that the peer's certificate may come from: auth->pki->cacerts, else all. Borrowed
 * from the store. Gives how many there are. */
struct pki_ca {
    struct bytes name;   /* DN */
    const uint8_t *spki; /* 20 bytes */
};
size_t pki_ca_list(const struct pki *p, const struct conn_auth *auth, struct pki_ca *out,
                   size_t max);

/* --- the peer's --- */

struct pki_peer {
    const struct conn_auth *auth; /* what the connection wants of the peer */
    const struct id *id;          /* as it says */
    const struct bytes *cert;     /* DER as received, the peer's own first; none: we must have it */
    size_t cert_count;
    uint64_t wall_s;
};

/*
 * Slow: a JOB; any thread. The chain up to an authority of ours, each date, extension and
 * revocation list, the identity, limits on keys. On success *key is the peer's, with a reference
 * for the caller. Otherwise a reason with evidence in why.
 */
err_t pki_verify(const struct pki *p, const struct pki_peer *q, struct cr_key **key,
                 struct pki_why *why) must_use;

/* Does the peer's signature keep to what the connection wants (auth = rsa-sha256, ike:...)? 0 or
 * R_AUTH_METHOD. key: the peer's. */
err_t pki_scheme_check(const struct conn_auth *auth, const struct cr_key *key, enum cr_scheme s,
                       struct pki_why *why) must_use;
/* The scheme for RFC 7427: the best that our key and auth have and the peer knows (bit 1 << n for
 * each number of its SIGNATURE_HASH_ALGORITHMS). CR_SCHEME_NONE: none. */
enum cr_scheme pki_scheme_pick(const struct conn_auth *auth, const struct cr_key *key,
                               uint32_t peer_hashes);
