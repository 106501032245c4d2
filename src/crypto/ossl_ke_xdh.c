/*
 * Curve25519 (31) and Curve448 (32): RFC 8031 over RFC 7748. Called by ke.c.
 *
 * The public value of Curve25519 is derived as RFC 7748 6.1 defines it, X25519(a, 9): OpenSSL's own
 * way to it costs a fifth more than its general multiplication. Importing through contexts that are
 * made once costs half of what EVP_PKEY_new_raw_* does.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "crypto/ke.h"
#include "crypto/ossl.h"

#define LEN_MAX 56

static const uint8_t nine[32] = {9};

static EVP_PKEY *import(const struct cr_ke *ke, int what, const uint8_t *pub, const uint8_t *priv)
{
    size_t n = ke->alg->pub_len;
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = ossl_tls_xdh(ke->alg->id == KE_CURVE25519 ? OX_25519 : OX_448);
    OSSL_PARAM p[3], *at = p;
    if (pub)
        *at++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)pub, n);
    if (priv)
        *at++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)priv, n);
    *at = OSSL_PARAM_construct_end();
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, what, p) != 1)
        return NULL;
    return key;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++)
        any |= p[i];
    return any == 0;
}

/* OpenSSL fails for points of small order; RFC 8031 3.2 with RFC 7748 6 asks the same: an all-zero
 * result aborts. Nothing else about the peer's value can be wrong. */
static err_t multiply(const struct cr_ke *ke, const uint8_t *point, uint8_t *out)
{
    size_t n = ke->alg->pub_len;
    EVP_PKEY *peer = import(ke, EVP_PKEY_PUBLIC_KEY, point, NULL);
    err_t e = E_CRYPTO;
    if (peer && EVP_PKEY_derive_set_peer_ex(ke->priv, peer, 0) == 1)
        e = EVP_PKEY_derive(ke->priv, out, &n) == 1 && n == ke->alg->pub_len && !all_zero(out, n)
                ? E_OK
                : R_KE_VALUE;
    EVP_PKEY_free(peer);
    return e;
}

/* With a public value given OpenSSL does not make one: any will do, it is never asked for. */
static err_t public_value(struct cr_ke *ke, const EVP_PKEY *key)
{
    size_t n = ke->alg->pub_len;
    if (ke->alg->id == KE_CURVE25519)
        return multiply(ke, nine, ke->pub);
    return EVP_PKEY_get_raw_public_key(key, ke->pub, &n) == 1 ? E_OK : E_CRYPTO;
}

static err_t xdh_make(struct cr_ke *ke, struct bytes private_value)
{
    uint8_t raw[LEN_MAX];
    size_t n = ke->alg->pub_len;
    if (!private_value.n)
        cr_random(raw, n);
    else if (private_value.n == n)
        memcpy(raw, private_value.p, n);
    else
        return E_USAGE;
    EVP_PKEY *key = import(ke, EVP_PKEY_KEYPAIR, ke->alg->id == KE_CURVE25519 ? nine : NULL, raw);
    secret_wipe(raw, sizeof raw);
    ke->priv = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    err_t e = ke->priv && EVP_PKEY_derive_init(ke->priv) == 1 ? public_value(ke, key) : E_CRYPTO;
    EVP_PKEY_free(key); /* the context holds it */
    return e;
}

static err_t xdh_derive(struct cr_ke *ke, struct bytes peer, struct secret *shared)
{
    struct secret z = {0};
    err_t e = secret_alloc(&z, ke->alg->pub_len);
    if (!e)
        e = multiply(ke, peer.p, z.p);
    if (!e)
        secret_move(shared, &z);
    secret_free(&z);
    return e;
}

static void xdh_wipe(struct cr_ke *ke)
{
    EVP_PKEY_CTX_free(ke->priv);
    ke->priv = NULL;
}

const struct ke_ops ossl_ke_xdh = {xdh_make, xdh_derive, xdh_wipe};
