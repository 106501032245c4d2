/* RC5 by libtomcrypt: see ltc_rc5.h. Called by ossl_msg.c and ossl_v1.c. */
#include <tomcrypt.h>

#include "base/secret.h"
#include "crypto/ltc_rc5.h"
#include <stdlib.h>

#define BLOCK  8
#define ROUNDS 16 /* RFC 2451 2.1 */

struct ltc_rc5 {
    symmetric_CBC cbc;
};

struct ltc_rc5 *ltc_rc5_new(const uint8_t *key, size_t n)
{
    static const uint8_t zero[BLOCK];
    int rc5 = register_cipher(&rc5_desc); /* finds what is registered already */
    struct ltc_rc5 *k = rc5 < 0 ? NULL : calloc(1, sizeof *k);
    if (k && cbc_start(rc5, zero, key, (int)n, ROUNDS, &k->cbc) != CRYPT_OK) {
        ltc_rc5_free(k);
        return NULL;
    }
    return k;
}

void ltc_rc5_free(struct ltc_rc5 *k)
{
    if (k)
        secret_wipe(k, sizeof *k);
    free(k);
}

bool ltc_rc5_cbc(struct ltc_rc5 *k, const uint8_t *iv, const uint8_t *in, uint8_t *out, size_t n,
                 bool encrypt)
{
    if (cbc_setiv(iv, BLOCK, &k->cbc) != CRYPT_OK)
        return false;
    return (encrypt ? cbc_encrypt : cbc_decrypt)(in, out, n, &k->cbc) == CRYPT_OK;
}
