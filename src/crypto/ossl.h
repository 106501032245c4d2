/*
 * What the ossl_*.c files share: algorithms fetched once (a fetch costs more than a hash), contexts
 * kept per thread, and the one routine that protects a message. Include <openssl/evp.h> first; only
 * ossl_*.c may.
 */
#pragma once

#include "crypto/crypto.h"

struct ossl_algs {
    EVP_MD *sha1;
    EVP_MAC *hmac;
    EVP_CIPHER *aes_cbc[3], *aes_gcm[3]; /* 128, 192, 256 */
    EVP_CIPHER *chacha, *des3;
};
extern struct ossl_algs ossl;

enum ossl_curve { OX_25519, OX_448, OX_COUNT };
enum ossl_hash { OH_MD5, OH_SHA1, OH_SHA256, OH_SHA384, OH_SHA512, OH_COUNT };

#define OSSL_POOL 512

/* Contexts of the calling thread, freed when it ends. They may hold the last key used. */
struct ossl_tls {
    EVP_MAC_CTX *hmac[OH_COUNT];
    EVP_PKEY_CTX *xdh[OX_COUNT]; /* for imports */
    EVP_MD_CTX *md;
    EVP_CIPHER_CTX *cipher;
    size_t pool_left;
    uint8_t pool[OSSL_POOL]; /* random bytes not handed out yet: ossl_rand.c */
};
struct ossl_tls *ossl_tls_get(void); /* NULL: out of memory, or before ossl_init */

EVP_CIPHER *ossl_cipher(const struct alg *encr); /* NULL for the NULL cipher */
int ossl_hash_of_prf(uint16_t prf_id);           /* enum ossl_hash or -1 */
int ossl_hash_of_integ(uint16_t integ_id);
EVP_MAC_CTX *ossl_hmac_new(enum ossl_hash h); /* its digest set, without key */
EVP_MAC_CTX *ossl_tls_hmac(enum ossl_hash h); /* the thread's own */
EVP_PKEY_CTX *ossl_tls_xdh(enum ossl_curve c);

/* One message to protect: associated data, IV, text and ICV need not be neighbours. */
struct ossl_msg {
    const struct alg *encr, *integ;
    EVP_CIPHER_CTX *cipher;    /* NULL for the NULL cipher */
    EVP_MAC_CTX *mac;          /* NULL for AEAD */
    struct bytes key, mac_key; /* empty: the context holds it already */
    const uint8_t *salt;       /* AEAD */
    struct bytes aad;
    const uint8_t *iv; /* encr->iv_len bytes */
    const uint8_t *in;
    uint8_t *out;
    size_t text_len;
    struct bytes tail; /* follows the text in the integrity check only: high half of ESN */
    uint8_t *icv;
};
err_t ossl_msg_seal(const struct ossl_msg *m) must_use;
err_t ossl_msg_open(const struct ossl_msg *m) must_use; /* R_DECRYPT: ICV wrong, out is garbage */

err_t ossl_init(const char **what) must_use;
void ossl_fini(void);
err_t ossl_modp_init(void) must_use;
void ossl_modp_fini(void);
err_t ossl_ecp_init(void) must_use;
void ossl_ecp_fini(void);
