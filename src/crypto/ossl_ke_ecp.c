/*
 * ECP groups 19, 20, 21 (RFC 5903), 25, 26 (RFC 5114), 27 to 30 (RFC 6954). The public value is X |
 * Y without a leading octet (7), the shared secret X alone (7, 9). Called by ke.c. Points directly
 * instead of EVP_PKEY objects, whose import and export cost more than the P-256 multiplication
 * itself.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#include "crypto/ke.h"
#include "crypto/ossl.h"

#define PUB_MAX 132

static struct curve {
    uint16_t id;
    int nid;
    EC_GROUP *group;
} curves[] = {
    {KE_ECP_256, NID_X9_62_prime256v1, NULL},   {KE_ECP_384, NID_secp384r1, NULL},
    {KE_ECP_521, NID_secp521r1, NULL},          {KE_ECP_192, NID_X9_62_prime192v1, NULL},
    {KE_ECP_224, NID_secp224r1, NULL},          {KE_ECP_224_BP, NID_brainpoolP224r1, NULL},
    {KE_ECP_256_BP, NID_brainpoolP256r1, NULL}, {KE_ECP_384_BP, NID_brainpoolP384r1, NULL},
    {KE_ECP_512_BP, NID_brainpoolP512r1, NULL},
};
#define CURVES (sizeof curves / sizeof curves[0])

static const EC_GROUP *group_find(uint16_t id)
{
    for (size_t i = 0; i < CURVES; i++)
        if (curves[i].id == id)
            return curves[i].group;
    return NULL;
}

err_t ossl_ecp_init(void)
{
    for (size_t i = 0; i < CURVES; i++) {
        curves[i].group = EC_GROUP_new_by_curve_name(curves[i].nid);
        if (!curves[i].group)
            return E_CRYPTO;
    }
    return E_OK;
}

void ossl_ecp_fini(void)
{
    for (size_t i = 0; i < CURVES; i++) {
        EC_GROUP_free(curves[i].group);
        curves[i].group = NULL;
    }
}

static BIGNUM *private_value_of(const EC_GROUP *g, struct bytes given)
{
    BIGNUM *x = BN_secure_new();
    bool ok = x != NULL;
    if (ok && given.n)
        ok = BN_bin2bn(given.p, (int)given.n, x) != NULL && BN_cmp(x, EC_GROUP_get0_order(g)) < 0 &&
             !BN_is_zero(x);
    else if (ok)
        do
            ok = BN_priv_rand_range(x, EC_GROUP_get0_order(g));
        while (ok && BN_is_zero(x));
    if (!ok) {
        BN_clear_free(x);
        return NULL;
    }
    BN_set_flags(x, BN_FLG_CONSTTIME);
    return x;
}

/* Writes X | Y of k times `base` (NULL: the generator). The multiplication is a ladder for base
 * and generator alike as long as it is one of them only: constant time. */
static err_t multiply(const EC_GROUP *g, const BIGNUM *k, const EC_POINT *base, uint8_t *xy,
                      size_t n)
{
    uint8_t oct[1 + PUB_MAX];
    BN_CTX *ctx = BN_CTX_secure_new();
    EC_POINT *r = EC_POINT_new(g);
    err_t e = E_CRYPTO;
    if (ctx && r && n <= PUB_MAX &&
        EC_POINT_mul(g, r, base ? NULL : k, base, base ? k : NULL, ctx) &&
        EC_POINT_point2oct(g, r, POINT_CONVERSION_UNCOMPRESSED, oct, n + 1, ctx) == n + 1) {
        memcpy(xy, oct + 1, n);
        e = E_OK;
    }
    secret_wipe(oct, sizeof oct);
    EC_POINT_clear_free(r);
    BN_CTX_free(ctx);
    return e;
}

static err_t ecp_make(struct cr_ke *ke, struct bytes private_value)
{
    const EC_GROUP *g = group_find(ke->alg->id);
    if (!g)
        return E_USAGE;
    ke->priv = private_value_of(g, private_value);
    if (!ke->priv)
        return E_CRYPTO;
    return multiply(g, ke->priv, NULL, ke->pub, ke->alg->pub_len);
}

/* RFC 6989 2.3: both coordinates below p and the point on the curve; oct2point checks both, and
 * the uncompressed form cannot express infinity. The cofactor is 1. */
static EC_POINT *peer_point(const EC_GROUP *g, struct bytes peer)
{
    uint8_t oct[1 + PUB_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    EC_POINT *p = EC_POINT_new(g);
    if (!p || peer.n > PUB_MAX)
        return p;
    memcpy(oct + 1, peer.p, peer.n);
    if (!EC_POINT_oct2point(g, p, oct, peer.n + 1, NULL) || EC_POINT_is_at_infinity(g, p) ||
        EC_POINT_is_on_curve(g, p, NULL) != 1) {
        EC_POINT_free(p);
        return NULL;
    }
    return p;
}

static err_t ecp_derive(struct cr_ke *ke, struct bytes peer, struct secret *shared)
{
    const EC_GROUP *g = group_find(ke->alg->id);
    uint8_t xy[PUB_MAX];
    EC_POINT *point = peer_point(g, peer);
    if (!point)
        return R_KE_VALUE;
    err_t e = multiply(g, ke->priv, point, xy, ke->alg->pub_len);
    if (!e)
        e = secret_set(shared, bytes_of(xy, ke->alg->pub_len / 2));
    secret_wipe(xy, sizeof xy);
    EC_POINT_free(point);
    return e;
}

static void ecp_wipe(struct cr_ke *ke)
{
    BN_clear_free(ke->priv);
    ke->priv = NULL;
}

const struct ke_ops ossl_ke_ecp = {ecp_make, ecp_derive, ecp_wipe};
