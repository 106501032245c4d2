/*
 * Keyed MACs, one object for all kinds: HMAC (RFC 2104) through OpenSSL's EVP_MAC, the CBC family
 * through ossl_cbc_mac.c. Include <openssl/evp.h> first; only ossl_*.c may.
 */
#pragma once

#include "base/secret.h"
#include "model/alg.h"

#define CBC_MAC_BLOCK 16

enum cbc_mac_kind { CBC_MAC_PLAIN, CBC_MAC_CMAC, CBC_MAC_XCBC };

struct cbc_mac {
    enum cbc_mac_kind kind;
    EVP_CIPHER_CTX *cipher;
    uint8_t whole[CBC_MAC_BLOCK], padded[CBC_MAC_BLOCK]; /* keys of the last block */
    uint8_t block[CBC_MAC_BLOCK];                        /* not encrypted yet */
    size_t n;
};
bool cbc_mac_new(struct cbc_mac *m, enum cbc_mac_kind kind) must_use;
void cbc_mac_free(struct cbc_mac *m);
bool cbc_mac_key(struct cbc_mac *m, EVP_CIPHER *cipher, const uint8_t *key) must_use;
bool cbc_mac_again(struct cbc_mac *m) must_use; /* from the beginning, with the same key */
void cbc_mac_forget(struct cbc_mac *m);         /* the key */
bool cbc_mac_update(struct cbc_mac *m, struct bytes b) must_use;
bool cbc_mac_pad(struct cbc_mac *m) must_use; /* zeros up to a whole block: CCM */
bool cbc_mac_final(struct cbc_mac *m, uint8_t out[CBC_MAC_BLOCK]) must_use;

enum ossl_mac_kind {
    OM_MD5,
    OM_SHA1,
    OM_SHA256,
    OM_SHA384,
    OM_SHA512,
    OM_HASHES,
    OM_XCBC = OM_HASHES,
    OM_CMAC,
    OM_COUNT
};

struct ossl_mac {
    enum ossl_mac_kind kind;
    EVP_MAC_CTX *hmac; /* NULL for the CBC family */
    struct cbc_mac cbc;
};

int ossl_mac_of_prf(uint16_t prf_id);     /* enum ossl_mac_kind or -1 */
int ossl_mac_of_integ(uint16_t integ_id); /* -1: AES-GMAC, which is no such MAC */

bool ossl_mac_new(struct ossl_mac *m, enum ossl_mac_kind kind) must_use;
void ossl_mac_free(struct ossl_mac *m);
/* An empty key with an address is a key; the CBC family takes 16 bytes. NULL: the same again. */
bool ossl_mac_start(struct ossl_mac *m, const uint8_t *key, size_t n) must_use;
bool ossl_mac_update(struct ossl_mac *m, const struct bytes *parts, size_t n) must_use;
bool ossl_mac_final(struct ossl_mac *m, uint8_t *out, size_t n) must_use; /* the first n bytes */
struct ossl_mac *ossl_tls_mac(enum ossl_mac_kind kind); /* the thread's own; may keep its key */
