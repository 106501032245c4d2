/*
 * The authentication methods of phase 1: who proves itself with what, and whether XAUTH follows.
 * RFC 2409 5, RFC 4754 3. A connection's methods stand in its offers in this order; what a peer
 * proves is read with the row of the method that was agreed.
 */
#include "ike/v1/v1.h"

#define SIG(number, name, type, bits, scheme)                                                      \
    {                                                                                              \
        number, name, V1_PROOF_SIG, V1_PROOF_SIG, type, bits, scheme, V1_XAUTH_NONE                \
    }
#define PSK_LOGIN(number, name, who)                                                               \
    {                                                                                              \
        number, name, V1_PROOF_PSK, V1_PROOF_PSK, 0, 0, CR_SCHEME_NONE, who                        \
    }
#define RSA_LOGIN(number, name, initiator, responder, who)                                         \
    {                                                                                              \
        number, name, initiator, responder, CR_KEY_RSA, 0, CR_RSA_RAW, who                         \
    }

static const struct v1_method rows[] = {
    /* number, name, initiator's proof, responder's proof, key, bits, scheme, XAUTH */
    {AUTH1_PSK, "psk", V1_PROOF_PSK, V1_PROOF_PSK, 0, 0, CR_SCHEME_NONE, V1_XAUTH_NONE},
    SIG(AUTH1_RSA_SIG, "rsig", CR_KEY_RSA, 0, CR_RSA_RAW),
    SIG(AUTH1_ECDSA_256, "ecdsa-256", CR_KEY_ECDSA, 256, CR_ECDSA_RAW),
    SIG(AUTH1_ECDSA_384, "ecdsa-384", CR_KEY_ECDSA, 384, CR_ECDSA_RAW),
    SIG(AUTH1_ECDSA_521, "ecdsa-521", CR_KEY_ECDSA, 521, CR_ECDSA_RAW),
    /* draft-beaulieu-ike-xauth-02 5 */
    PSK_LOGIN(AUTH1_XAUTH_INIT_PSK, "psk and xauth", V1_XAUTH_INITIATOR),
    PSK_LOGIN(AUTH1_XAUTH_RESP_PSK, "psk and xauth", V1_XAUTH_RESPONDER),
    RSA_LOGIN(AUTH1_XAUTH_INIT_RSA, "rsig and xauth", V1_PROOF_SIG, V1_PROOF_SIG,
              V1_XAUTH_INITIATOR),
    RSA_LOGIN(AUTH1_XAUTH_RESP_RSA, "rsig and xauth", V1_PROOF_SIG, V1_PROOF_SIG,
              V1_XAUTH_RESPONDER),
    /* draft-zegman-ike-hybrid-auth: who logs in proves nothing before */
    RSA_LOGIN(AUTH1_HYBRID_INIT_RSA, "hybrid", V1_PROOF_OPEN, V1_PROOF_SIG, V1_XAUTH_INITIATOR),
    RSA_LOGIN(AUTH1_HYBRID_RESP_RSA, "hybrid", V1_PROOF_SIG, V1_PROOF_OPEN, V1_XAUTH_RESPONDER),
};

const struct v1_method *v1_method_of(uint16_t number)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].number == number)
            return &rows[i];
    return NULL;
}

enum v1_proof v1_proof_of(const struct v1_sa *v, bool initiators)
{
    return initiators ? v->method->initiator : v->method->responder;
}

/* RFC 2409 5: of main mode's methods only this one needs a secret before the identity is known. */
bool v1_uses_psk(const struct v1_method *m)
{
    return m->initiator == V1_PROOF_PSK || m->responder == V1_PROOF_PSK;
}

static bool have_key(const struct ike *e, const struct conn *c, const struct id *us,
                     const struct v1_method *m)
{
    const struct pki_wish wish = {.type = m->key, .bits = m->bits};
    return sig_own_has(e, c, us, &wish);
}

static enum v1_proof proof_with(const struct conn_auth *a)
{
    return a->kind == AUTH_PUBKEY  ? V1_PROOF_SIG
           : a->kind == AUTH_XAUTH ? V1_PROOF_OPEN
                                   : V1_PROOF_PSK;
}

static bool is_of(const struct v1_method *m, const struct conn *c, bool initiator)
{
    enum v1_xauth who = V1_XAUTH_NONE;
    if (c->xauth_local || c->xauth_remote)
        who = initiator == (c->xauth_local != NULL) ? V1_XAUTH_INITIATOR : V1_XAUTH_RESPONDER;
    return m->xauth == who &&
           (initiator ? m->initiator : m->responder) == proof_with(&c->auth_local) &&
           (initiator ? m->responder : m->initiator) == proof_with(&c->auth_remote);
}

/* A connection with certificates can offer what it has keys for. Without any it can only compare:
 * what is missing is told when it comes to signing. */
size_t v1_methods(const struct ike *e, const struct conn *c, const struct addr *local,
                  bool initiator, const struct v1_method *out[V1_METHODS_MAX])
{
    struct id us;
    size_t n = 0;
    const struct v1_method *first = NULL;
    sig_local_id(c, local, &us);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!is_of(&rows[i], c, initiator))
            continue;
        if (!first)
            first = &rows[i];
        if (c->auth_local.kind != AUTH_PUBKEY || have_key(e, c, &us, &rows[i]))
            out[n++] = &rows[i];
    }
    if (!n && first)
        out[n++] = first;
    return n;
}
