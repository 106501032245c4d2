/*
 * Curve25519 (31) and Curve448 (32): RFC 8031 over RFC 7748. Called by ke.c.
 */
#include <openssl/evp.h>

#include "crypto/ke.h"
#include "crypto/ossl.h"

static const char *name_of(const struct cr_ke *ke)
{
    return ke->alg->id == KE_CURVE25519 ? "X25519" : "X448";
}

static err_t xdh_make(struct cr_ke *ke, struct bytes private_value)
{
    uint8_t raw[56];
    size_t n = ke->alg->pub_len;
    if (!private_value.n)
        cr_random(raw, n);
    else if (private_value.n == n)
        memcpy(raw, private_value.p, n);
    else
        return E_USAGE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, name_of(ke), NULL, raw, n);
    secret_wipe(raw, sizeof raw);
    ke->priv = key;
    if (!key || EVP_PKEY_get_raw_public_key(key, ke->pub, &n) != 1 || n != ke->alg->pub_len)
        return E_CRYPTO;
    return E_OK;
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
static err_t derive(EVP_PKEY_CTX *ctx, EVP_PKEY *peer, struct secret *z)
{
    size_t n = z->n;
    if (EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) != 1)
        return E_CRYPTO;
    if (EVP_PKEY_derive(ctx, z->p, &n) != 1 || n != z->n || all_zero(z->p, z->n))
        return R_KE_VALUE;
    return E_OK;
}

static err_t xdh_derive(struct cr_ke *ke, struct bytes peer, struct secret *shared)
{
    struct secret z = {0};
    EVP_PKEY *pub = EVP_PKEY_new_raw_public_key_ex(NULL, name_of(ke), NULL, peer.p, peer.n);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ke->priv, NULL);
    err_t e = pub && ctx ? secret_alloc(&z, ke->alg->pub_len) : E_CRYPTO;
    if (!e)
        e = derive(ctx, pub, &z);
    if (!e)
        secret_move(shared, &z);
    secret_free(&z);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pub);
    return e;
}

static void xdh_wipe(struct cr_ke *ke)
{
    EVP_PKEY_free(ke->priv);
    ke->priv = NULL;
}

const struct ke_ops ossl_ke_xdh = {xdh_make, xdh_derive, xdh_wipe};
