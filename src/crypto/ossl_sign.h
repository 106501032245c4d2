/* Keys inside: what the ossl_sign*.c files share, and src/pki gives and takes. */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "crypto/sign.h"

/* Both take a reference. That of a certificate costs a tenth: it need not be encoded again. */
err_t cr_key_of_pkey(EVP_PKEY *pkey, bool secret, struct cr_key **out) must_use;
err_t cr_key_of_cert(X509 *x, struct cr_key **out) must_use;
EVP_PKEY *cr_key_pkey(const struct cr_key *k);
