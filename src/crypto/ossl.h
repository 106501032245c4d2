/*
 * What the ossl_*.c files share: algorithms fetched once (a fetch costs more than a hash), contexts
 * kept per thread, and the one routine that protects a message. Include <openssl/evp.h> first; only
 * ossl_*.c may.
 */
#pragma once

#include "crypto/crypto.h"
#include "crypto/ossl_mac.h"

struct ossl_algs {
    EVP_MD *sha1;
    EVP_MAC *hmac;
    EVP_CIPHER *aes128_cbc;
};
extern struct ossl_algs ossl;
extern const char *const ossl_digests[OM_HASHES];

enum ossl_curve { OX_25519, OX_448, OX_COUNT };

#define OSSL_POOL   512
#define OSSL_IV_LEN 8 /* of all counter modes, explicit or not */

/* What a message is encrypted with: which of it is used depends on the algorithm. */
struct ossl_keys {
    EVP_CIPHER_CTX *cipher; /* all but the NULL cipher and RC5 */
    struct cbc_mac ccm;
    struct ltc_rc5 *rc5;
};

/* Contexts of the calling thread, freed when it ends. They may hold the last key used. */
struct ossl_tls {
    struct ossl_mac mac[OM_COUNT];
    EVP_PKEY_CTX *xdh[OX_COUNT]; /* for imports */
    EVP_MD_CTX *md;
    struct ossl_keys keys; /* no RC5 */
    size_t pool_left;
    uint8_t pool[OSSL_POOL]; /* random bytes not handed out yet: ossl_rand.c */
};
struct ossl_tls *ossl_tls_get(void); /* NULL: out of memory, or before ossl_init */
EVP_PKEY_CTX *ossl_tls_xdh(enum ossl_curve c);

EVP_CIPHER *ossl_cipher(const struct alg *encr);    /* NULL: none, or not in this OpenSSL */
EVP_CIPHER *ossl_mac_cipher(const struct alg *ccm); /* the CBC cipher of CCM's MAC */
bool ossl_is_camellia(const struct alg *encr);
bool ossl_has_cipher(const struct alg *encr);
/* Sets cipher and key, and the IV unless that is NULL. */
bool ossl_cipher_key(EVP_CIPHER_CTX *c, const struct alg *encr, const uint8_t *key,
                     const uint8_t *iv, bool encrypt) must_use;

/* false: no memory; ossl_keys_fini is due all the same. */
bool ossl_keys_init(struct ossl_keys *k, const struct alg *encr, const uint8_t *key,
                    bool encrypt) must_use;
void ossl_keys_fini(struct ossl_keys *k);

/* One message to protect: associated data, IV, text and ICV need not be neighbours. */
struct ossl_msg {
    const struct alg *encr, *integ;
    struct ossl_keys *k;
    struct ossl_mac *mac;      /* NULL for AEAD */
    struct bytes key, mac_key; /* empty: the contexts hold it already */
    const uint8_t *salt;       /* counter modes */
    struct bytes aad;
    const uint8_t *iv; /* encr->iv_len bytes; combined modes: OSSL_IV_LEN */
    bool iv_apart;     /* AES-GMAC: the IV is not authenticated */
    const uint8_t *in;
    uint8_t *out;
    size_t text_len;
    struct bytes tail; /* follows the text in the integrity check only: high half of ESN */
    uint8_t *icv;
};
err_t ossl_msg_seal(const struct ossl_msg *m) must_use;
err_t ossl_msg_open(const struct ossl_msg *m) must_use; /* R_DECRYPT: ICV wrong, out is garbage */
err_t ossl_ccm_seal(const struct ossl_msg *m) must_use;
err_t ossl_ccm_open(const struct ossl_msg *m) must_use;

err_t ossl_init(const char **what) must_use;
void ossl_fini(void);
err_t ossl_ciphers_init(const char **what) must_use;
void ossl_ciphers_fini(void);
err_t ossl_modp_init(void) must_use;
void ossl_modp_fini(void);
err_t ossl_ecp_init(void) must_use;
void ossl_ecp_fini(void);
