/* What only IKEv1 needs: plain hashes and bare CBC (RFC 2409 appendix B). The IKE engine calls it.
 */
#include <openssl/evp.h>

#include "crypto/ossl.h"

static const EVP_MD *digest(const struct alg *prf)
{
    static const EVP_MD *(*const all[OH_COUNT])(void) = {EVP_md5, EVP_sha1, EVP_sha256, EVP_sha384,
                                                         EVP_sha512};
    int h = prf && prf->type == T_PRF ? ossl_hash_of_prf(prf->id) : -1;
    return h < 0 ? NULL : all[h]();
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

static bool run(EVP_CIPHER_CTX *c, const EVP_CIPHER *cipher, struct bytes key, const uint8_t *iv,
                uint8_t *text, size_t n, bool seal)
{
    int len = 0;
    return EVP_CipherInit_ex2(c, cipher, key.p, iv, seal, NULL) == 1 &&
           EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
           EVP_CipherUpdate(c, text, &len, text, (int)n) == 1 && (size_t)len == n;
}

err_t cr_cbc(const struct alg *encr, struct bytes key, uint8_t *iv, uint8_t *text, size_t n,
             bool seal)
{
    struct ossl_tls *t = ossl_tls_get();
    EVP_CIPHER *cipher = encr && !encr->aead ? ossl_cipher(encr) : NULL;
    uint8_t last[16];
    if (!cipher || encr->block < 8 || key.n != encr->key_len)
        return E_USAGE;
    if (!t)
        return E_NOMEM;
    if (n == 0 || n % encr->block || n > 65535)
        return R_LENGTH;
    memcpy(last, text + n - encr->block, encr->block);
    bool ok = run(t->cipher, cipher, key, iv, text, n, seal);
    EVP_CIPHER_CTX_reset(t->cipher); /* wipes the key schedule */
    if (!ok)
        return E_CRYPTO;
    memcpy(iv, seal ? text + n - encr->block : last, encr->block);
    return E_OK;
}
