/* Keyed MACs: see ossl_mac.h. Called by ossl_prf.c (PRFs), ossl_msg.c and ossl_esp.c (integrity).
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "crypto/ossl.h"

int ossl_mac_of_prf(uint16_t prf_id)
{
    static const struct {
        uint16_t prf;
        enum ossl_mac_kind kind;
    } rows[] = {
        {PRF_HMAC_MD5, OM_MD5},         {PRF_HMAC_SHA1, OM_SHA1},
        {PRF_HMAC_SHA2_256, OM_SHA256}, {PRF_HMAC_SHA2_384, OM_SHA384},
        {PRF_HMAC_SHA2_512, OM_SHA512}, {PRF_AES128_XCBC, OM_XCBC},
        {PRF_AES128_CMAC, OM_CMAC},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].prf == prf_id)
            return (int)rows[i].kind;
    return -1;
}

int ossl_mac_of_integ(uint16_t integ_id)
{
    const struct alg *prf = alg_prf_of_integ(integ_id);
    return prf ? ossl_mac_of_prf(prf->id) : -1;
}

static EVP_MAC_CTX *hmac_new(enum ossl_mac_kind kind)
{
    char name[16];
    memcpy(name, ossl_digests[kind], strlen(ossl_digests[kind]) + 1);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *c = EVP_MAC_CTX_new(ossl.hmac);
    if (c && EVP_MAC_CTX_set_params(c, params) != 1) {
        EVP_MAC_CTX_free(c);
        return NULL;
    }
    return c;
}

bool ossl_mac_new(struct ossl_mac *m, enum ossl_mac_kind kind)
{
    *m = (struct ossl_mac){.kind = kind};
    if (kind >= OM_HASHES)
        return cbc_mac_new(&m->cbc, kind == OM_XCBC ? CBC_MAC_XCBC : CBC_MAC_CMAC);
    m->hmac = hmac_new(kind);
    return m->hmac != NULL;
}

void ossl_mac_free(struct ossl_mac *m)
{
    EVP_MAC_CTX_free(m->hmac);
    cbc_mac_free(&m->cbc);
    *m = (struct ossl_mac){0};
}

bool ossl_mac_start(struct ossl_mac *m, const uint8_t *key, size_t n)
{
    if (m->hmac)
        return EVP_MAC_init(m->hmac, key, key ? n : 0, NULL) == 1;
    if (!key)
        return cbc_mac_again(&m->cbc);
    return n == CBC_MAC_BLOCK && cbc_mac_key(&m->cbc, ossl.aes128_cbc, key);
}

bool ossl_mac_update(struct ossl_mac *m, const struct bytes *parts, size_t n)
{
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        if (parts[i].n)
            ok = m->hmac ? EVP_MAC_update(m->hmac, parts[i].p, parts[i].n) == 1
                         : cbc_mac_update(&m->cbc, parts[i]);
    return ok;
}

bool ossl_mac_final(struct ossl_mac *m, uint8_t *out, size_t n)
{
    uint8_t all[CR_HASH_MAX];
    size_t got = CBC_MAC_BLOCK;
    bool ok =
        m->hmac ? EVP_MAC_final(m->hmac, all, &got, sizeof all) == 1 : cbc_mac_final(&m->cbc, all);
    ok = ok && n <= got;
    if (ok)
        memcpy(out, all, n);
    secret_wipe(all, sizeof all);
    return ok;
}

struct ossl_mac *ossl_tls_mac(enum ossl_mac_kind kind)
{
    struct ossl_tls *t = ossl_tls_get();
    if (!t)
        return NULL;
    struct ossl_mac *m = &t->mac[kind];
    if (!m->hmac && !m->cbc.cipher && !ossl_mac_new(m, kind))
        return NULL;
    return m;
}
