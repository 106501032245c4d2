/*
 * Protection of IKE messages: the SK payload of RFC 7296 3.14, with AEAD as in RFC 5282 and
 * AES-CTR as in RFC 5930. The IKE
 * engine calls it. An SK object holds keys only, the cipher contexts are the thread's: tens of
 * thousands of idle IKE SAs need no key schedules, and a message is rare enough to pay for one.
 */
#include <openssl/evp.h>

#include "crypto/ossl.h"
#include <stdlib.h>

struct cr_sk {
    const struct alg *encr, *integ;
    uint8_t key[32 + 4]; /* then the salt */
    uint8_t integ_key[64];
};

static bool suite_ok(const struct alg *encr, const struct alg *integ, size_t key, size_t integ_key)
{
    if (!encr || encr->type != T_ENCR || encr->not_ike ||
        key != (size_t)encr->key_len + encr->salt_len)
        return false;
    if (encr->aead)
        return !integ && integ_key == 0;
    return integ && integ->type == T_INTEG && !integ->ah_only && integ_key == integ->key_len;
}

err_t cr_sk_new(const struct alg *encr, const struct alg *integ, struct bytes encr_key,
                struct bytes integ_key, struct cr_sk **out)
{
    *out = NULL;
    if (!suite_ok(encr, integ, encr_key.n, integ_key.n))
        return E_USAGE;
    struct cr_sk *sk = calloc(1, sizeof *sk);
    if (!sk)
        return E_NOMEM;
    sk->encr = encr;
    sk->integ = integ;
    if (encr_key.n)
        memcpy(sk->key, encr_key.p, encr_key.n);
    if (integ_key.n)
        memcpy(sk->integ_key, integ_key.p, integ_key.n);
    *out = sk;
    return E_OK;
}

void cr_sk_free(struct cr_sk *sk)
{
    if (!sk)
        return;
    secret_wipe(sk, sizeof *sk);
    free(sk);
}

static err_t message(struct cr_sk *sk, uint8_t *msg, size_t aad_len, size_t text_len,
                     struct ossl_msg *m)
{
    struct ossl_tls *t = ossl_tls_get();
    if (!t)
        return E_NOMEM;
    uint8_t *text = msg + aad_len + sk->encr->iv_len;
    *m = (struct ossl_msg){.encr = sk->encr,
                           .integ = sk->integ,
                           .k = &t->keys,
                           .key = bytes_of(sk->key, sk->encr->key_len),
                           .salt = sk->key + sk->encr->key_len,
                           .aad = bytes_of(msg, aad_len),
                           .iv = msg + aad_len,
                           .in = text,
                           .out = text,
                           .text_len = text_len,
                           .icv = text + text_len};
    if (!sk->integ)
        return E_OK;
    m->mac = ossl_tls_mac((enum ossl_mac_kind)ossl_mac_of_integ(sk->integ->id));
    m->mac_key = bytes_of(sk->integ_key, sk->integ->key_len);
    return m->mac ? E_OK : E_NOMEM;
}

/* Resetting wipes the key schedule from the thread's contexts. */
static void forget(const struct ossl_msg *m)
{
    EVP_CIPHER_CTX_reset(m->k->cipher);
    if (m->encr->mode == MODE_CCM)
        cbc_mac_forget(&m->k->ccm);
}

err_t cr_sk_seal(struct cr_sk *sk, uint8_t *msg, size_t aad_len, size_t text_len)
{
    struct ossl_msg m;
    err_t e = message(sk, msg, aad_len, text_len, &m);
    if (e)
        return e;
    e = ossl_msg_seal(&m);
    forget(&m);
    return e;
}

err_t cr_sk_open(struct cr_sk *sk, uint8_t *msg, size_t aad_len, size_t text_len)
{
    struct ossl_msg m;
    /* A length that is no multiple of the block is the peer's fault: RFC 7296 3.14 */
    if (text_len % sk->encr->block)
        return R_DECRYPT;
    err_t e = message(sk, msg, aad_len, text_len, &m);
    if (e)
        return e;
    e = ossl_msg_open(&m);
    forget(&m);
    return e;
}
