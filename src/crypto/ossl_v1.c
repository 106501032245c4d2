/* What only IKEv1 needs: plain hashes and bare CBC (RFC 2409 appendix B). The IKE engine calls it.
 */
#include <openssl/evp.h>

#include "crypto/ltc_rc5.h"
#include "crypto/ossl.h"

static const EVP_MD *digest(const struct alg *prf)
{
    static const EVP_MD *(*const all[OM_HASHES])(void) = {EVP_md5, EVP_sha1, EVP_sha256, EVP_sha384,
                                                          EVP_sha512};
    int h = prf && prf->type == T_PRF ? ossl_mac_of_prf(prf->id) : -1;
    return h < 0 || h >= OM_HASHES ? NULL : all[h]();
}

err_t cr_hash(const struct alg *prf, const struct bytes *parts, size_t n, uint8_t *out)
{
    struct ossl_tls *t = ossl_tls_get();
    const EVP_MD *md = digest(prf);
    if (!t || !md)
        return t ? E_NOTSUP : E_NOMEM;
    bool ok = EVP_DigestInit_ex2(t->md, md, NULL) == 1;
    for (size_t i = 0; ok && i < n; i++)
        ok = !parts[i].n || EVP_DigestUpdate(t->md, parts[i].p, parts[i].n) == 1;
    return ok && EVP_DigestFinal_ex(t->md, out, NULL) == 1 ? E_OK : E_CRYPTO;
}

static bool run(struct ossl_tls *t, const struct alg *encr, const uint8_t *key, const uint8_t *iv,
                uint8_t *text, size_t n, bool seal)
{
    EVP_CIPHER_CTX *c = t->keys.cipher;
    int len = 0;
    bool ok = ossl_cipher_key(c, encr, key, iv, seal) && EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
              EVP_CipherUpdate(c, text, &len, text, (int)n) == 1 && (size_t)len == n;
    EVP_CIPHER_CTX_reset(c); /* wipes the key schedule */
    return ok;
}

static bool run_rc5(const struct alg *encr, const uint8_t *key, const uint8_t *iv, uint8_t *text,
                    size_t n, bool seal)
{
    struct ltc_rc5 *k = ltc_rc5_new(key, encr->key_len);
    bool ok = k && ltc_rc5_cbc(k, iv, text, text, n, seal);
    ltc_rc5_free(k);
    return ok;
}

err_t cr_cbc(const struct alg *encr, struct bytes key, uint8_t *iv, uint8_t *text, size_t n,
             bool seal)
{
    struct ossl_tls *t = ossl_tls_get();
    uint8_t last[16];
    if (!encr || encr->mode != MODE_CBC || key.n != encr->key_len)
        return E_USAGE;
    if (!t)
        return E_NOMEM;
    if (n == 0 || n % encr->block || n > 65535)
        return R_LENGTH;
    memcpy(last, text + n - encr->block, encr->block);
    bool ok = encr->id == ENCR_RC5 ? run_rc5(encr, key.p, iv, text, n, seal)
                                   : run(t, encr, key.p, iv, text, n, seal);
    if (!ok)
        return E_CRYPTO;
    memcpy(iv, seal ? text + n - encr->block : last, encr->block);
    return E_OK;
}
