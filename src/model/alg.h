/*
 * The table of every algorithm: its name as swanctl.conf spells it, IANA's numbers for IKEv1,
 * IKEv2, ESP and AH, sizes, and what RFC 8221 (ESP, AH) and RFC 8247 (IKEv2) say of it. It stands
 * in the model because configuration, wire, VICI and crypto all read it; crypto implements its
 * rows.
 *
 * An algorithm is named everywhere by IANA's IKEv2 transform type, transform id and key length.
 */
#pragma once

#include "base/cursor.h"

/* RFC 7296 3.3.2 */
enum transform_type { T_ENCR = 1, T_PRF = 2, T_INTEG = 3, T_KE = 4, T_ESN = 5 };

enum { /* IANA IKEv2 encryption transform ids */
       ENCR_DES = 2,
       ENCR_3DES = 3,
       ENCR_RC5 = 4,
       ENCR_CAST = 6,
       ENCR_BLOWFISH = 7,
       ENCR_NULL = 11,
       ENCR_AES_CBC = 12,
       ENCR_AES_CTR = 13,
       ENCR_AES_CCM_8 = 14,
       ENCR_AES_CCM_12 = 15,
       ENCR_AES_CCM_16 = 16,
       ENCR_AES_GCM_8 = 18,
       ENCR_AES_GCM_12 = 19,
       ENCR_AES_GCM_16 = 20,
       ENCR_AES_GMAC = 21, /* ENCR_NULL_AUTH_AES_GMAC */
       ENCR_CAMELLIA_CBC = 23,
       ENCR_CAMELLIA_CTR = 24,
       ENCR_CAMELLIA_CCM_8 = 25,
       ENCR_CAMELLIA_CCM_12 = 26,
       ENCR_CAMELLIA_CCM_16 = 27,
       ENCR_CHACHA20_POLY1305 = 28,
       ENCR_AES_CCM_8_IIV = 29, /* implicit IV, RFC 8750 */
       ENCR_AES_GCM_16_IIV = 30,
       ENCR_CHACHA20_POLY1305_IIV = 31,
};
enum { /* PRF */
       PRF_HMAC_MD5 = 1,
       PRF_HMAC_SHA1 = 2,
       PRF_AES128_XCBC = 4,
       PRF_HMAC_SHA2_256 = 5,
       PRF_HMAC_SHA2_384 = 6,
       PRF_HMAC_SHA2_512 = 7,
       PRF_AES128_CMAC = 8,
};
enum { /* integrity */
       AUTH_NONE = 0,
       AUTH_HMAC_MD5_96 = 1,
       AUTH_HMAC_SHA1_96 = 2,
       AUTH_AES_XCBC_96 = 5,
       AUTH_AES_CMAC_96 = 8,
       AUTH_AES_128_GMAC = 9,
       AUTH_AES_192_GMAC = 10,
       AUTH_AES_256_GMAC = 11,
       AUTH_HMAC_SHA2_256_128 = 12,
       AUTH_HMAC_SHA2_384_192 = 13,
       AUTH_HMAC_SHA2_512_256 = 14,
       AUTH_HMAC_SHA2_256_96 = 1026, /* strongSwan's number: the draft that RFC 4868 replaced */
};
enum { /* key exchange methods (Diffie-Hellman groups) */
       KE_NONE = 0,
       KE_MODP_768 = 1,
       KE_MODP_1024 = 2,
       KE_MODP_1536 = 5,
       KE_MODP_2048 = 14,
       KE_MODP_3072 = 15,
       KE_MODP_4096 = 16,
       KE_MODP_6144 = 17,
       KE_MODP_8192 = 18,
       KE_ECP_256 = 19,
       KE_ECP_384 = 20,
       KE_ECP_521 = 21,
       KE_MODP_1024_160 = 22,
       KE_MODP_2048_224 = 23,
       KE_MODP_2048_256 = 24,
       KE_ECP_192 = 25,
       KE_ECP_224 = 26,
       KE_ECP_224_BP = 27, /* Brainpool, RFC 6954 */
       KE_ECP_256_BP = 28,
       KE_ECP_384_BP = 29,
       KE_ECP_512_BP = 30,
       KE_CURVE25519 = 31,
       KE_CURVE448 = 32,
};
enum { ESN_NO = 0, ESN_YES = 1 };

/* What the RFCs demand of an implementation; anything below MAY is never in a default. */
enum alg_status { ST_MUST, ST_SHOULD, ST_MAY, ST_SHOULD_NOT, ST_MUST_NOT };

/* What an encryption row does with its block cipher. Combined modes are `aead` as well. */
enum cipher_mode { MODE_NULL, MODE_CBC, MODE_CTR, MODE_GCM, MODE_CCM, MODE_GMAC, MODE_CHACHA };

struct alg {
    enum transform_type type;
    uint16_t id;       /* IANA IKEv2 transform id */
    uint16_t key_bits; /* key length attribute; 0 for algorithms of fixed key length */
    const char *name;  /* swanctl.conf: "aes128", "aes256gcm16", "sha256", "prfsha256", "x25519" */
    const char *iana;  /* VICI: "AES_CBC", "AES_GCM_16", "HMAC_SHA2_256_128", "PRF_HMAC_SHA2_256",
                          "CURVE_25519" */
    uint16_t v1_ike;   /* IKEv1 phase 1 attribute value (cipher, hash or group), 0 none */
    uint16_t v1_esp;   /* IKEv1 ESP transform id or authentication algorithm value, 0 none */
    uint16_t v1_ah;    /* IKEv1 AH transform id, 0 none */
    uint8_t mode;      /* encryption: enum cipher_mode */
    uint8_t key_len;   /* bytes of key proper (without salt; integrity by AES-GMAC: with it) */
    uint8_t salt_len;  /* bytes of salt after the key in keying material: CTR and GCM 4, CCM 3 */
    uint8_t block;     /* cipher block size in bytes; 1 for counter modes and NULL */
    uint8_t iv_len;    /* explicit IV bytes in each packet; combined modes without: RFC 8750 */
    uint8_t icv_len;   /* ICV bytes: AEAD tag or truncated MAC; AES-GMAC of AH: its IV too */
    uint8_t out_len;   /* PRF output bytes */
    uint16_t pub_len;  /* KE: bytes of public value */
    bool aead;
    bool not_ike; /* IKE messages must not use it: RFC 7296 3.3.2, RFC 4543 5.1, RFC 8750 5 */
    bool ah_only; /* RFC 4543 5.3 */
    enum alg_status ike, esp; /* RFC 8247, RFC 8221 */
};

extern const struct alg alg_table[];
extern const size_t alg_count;

/* A row in a byte, for what there are many of; 0: NULL. */
static inline uint8_t alg_no(const struct alg *a)
{
    return a ? (uint8_t)(a - alg_table + 1) : 0;
}

static inline const struct alg *alg_at(uint8_t no)
{
    return no ? &alg_table[no - 1] : NULL;
}

/* NULL if unknown. key_bits 0 finds the row of an algorithm with fixed key length only. */
const struct alg *alg_find(enum transform_type type, uint16_t id, uint16_t key_bits);
/* By swanctl.conf's word, case ignored, aliases included ("aes", "aes128-cbc", "curve25519",
 * "modp2048s256", "sha2_256", "noesn"...). A hash word ("sha256") finds the T_INTEG row. */
const struct alg *alg_by_name(const char *word, size_t n);
/* By VICI's name; of several key lengths the first, they share all but that. */
const struct alg *alg_by_iana(enum transform_type type, const char *iana);
/* A PRF that fits an integrity algorithm ("sha256" in an IKE proposal means both). */
const struct alg *alg_prf_of_integ(uint16_t integ_id);
/* What AH means by a word: "aes128gmac" is an integrity algorithm there. NULL: AH has no such. */
const struct alg *alg_for_ah(const struct alg *a);
/* Why it is in no default: "RFC 8221 5 says MUST NOT", in an IKE or IPsec proposal. NULL: it may.
 */
const char *alg_weakness(const struct alg *a, bool in_ike);
const char *transform_type_name(
    enum transform_type t); /* "encryption", "integrity", "prf", "key exchange", "ESN" */
