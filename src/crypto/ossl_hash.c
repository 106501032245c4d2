/* Plain SHA-1, for NAT detection only (RFC 7296 2.23). */
#include <openssl/evp.h>

#include "crypto/ossl.h"

err_t cr_sha1(struct bytes data, uint8_t out[20])
{
    struct ossl_tls *t = ossl_tls_get();
    if (!t)
        return E_NOMEM;
    if (EVP_DigestInit_ex2(t->md, ossl.sha1, NULL) != 1 ||
        EVP_DigestUpdate(t->md, data.p, data.n) != 1 || EVP_DigestFinal_ex(t->md, out, NULL) != 1)
        return E_CRYPTO;
    return E_OK;
}
