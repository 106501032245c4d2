/*
 * The table of algorithms: see alg.h. Numbers from IANA's registries "IKEv2 Parameters", "IKE
 * Attributes" (RFC 2409 appendix A) and "ISAKMP DOI" (RFC 2407 4.4.3, 4.4.4, 4.5); status from RFC
 * 8221 section 5 and 6 (ESP) and RFC 8247 section 2 (IKEv2). What those do not list is MAY,
 * unless weaker than what they list.
 * Configuration, wire, VICI and crypto read it.
 */
#include "model/alg.h"
#include <strings.h>

/* A block cipher in CBC mode; those of one key length are `bits` 0. */
#define CBC(num, bits, bytes, word, says, v1, v1e, blk, ike_st, esp_st)                            \
    {                                                                                              \
        .type = T_ENCR, .id = num, .key_bits = bits, .name = word, .iana = says, .v1_ike = v1,     \
        .v1_esp = v1e, .mode = MODE_CBC, .key_len = bytes, .block = blk, .iv_len = blk,            \
        .ike = ike_st, .esp = esp_st                                                               \
    }
#define AES_CBC(bits, word)                                                                        \
    CBC(ENCR_AES_CBC, bits, bits / 8, word, "AES_CBC", 7, 12, 16, ST_MUST, ST_MUST)
#define CAMELLIA_CBC(bits, word)                                                                   \
    CBC(ENCR_CAMELLIA_CBC, bits, bits / 8, word, "CAMELLIA_CBC", 8, 22, 16, ST_MAY, ST_MAY)
#define BLOWFISH(bits, word)                                                                       \
    CBC(ENCR_BLOWFISH, bits, bits / 8, word, "BLOWFISH_CBC", 3, 7, 8, ST_SHOULD_NOT, ST_MUST_NOT)
/* RFC 3686 5.1, RFC 5529 4.2: the nonce of 4 bytes comes with the key. */
#define CTR(cipher, bits, word, v1e)                                                               \
    {                                                                                              \
        .type = T_ENCR, .id = ENCR_##cipher##_CTR, .key_bits = bits, .name = word,                 \
        .iana = #cipher "_CTR", .v1_esp = v1e, .mode = MODE_CTR, .key_len = bits / 8,              \
        .salt_len = 4, .block = 1, .iv_len = 8, .ike = ST_MAY, .esp = ST_MAY                       \
    }
#define AEAD(mod, num, bits, word, says, v1e, salt, iv, icv, no_ike, ike_st, esp_st)               \
    {                                                                                              \
        .type = T_ENCR, .id = num, .key_bits = bits, .name = word, .iana = says, .v1_esp = v1e,    \
        .mode = mod, .key_len = bits ? bits / 8 : 32, .salt_len = salt, .block = 1, .iv_len = iv,  \
        .icv_len = icv, .aead = true, .not_ike = no_ike, .ike = ike_st, .esp = esp_st              \
    }
#define AES_GCM(icv, bits, word, ike_st, esp_st)                                                   \
    AEAD(MODE_GCM, ENCR_AES_GCM_##icv, bits, word, "AES_GCM_" #icv, ENCR_AES_GCM_##icv, 4, 8, icv, \
         false, ike_st, esp_st)
/* RFC 4309, RFC 5529: salt of 3 bytes. */
#define CCM(cipher, icv, bits, word, v1e, st)                                                      \
    AEAD(MODE_CCM, ENCR_##cipher##_CCM_##icv, bits, word, #cipher "_CCM_" #icv, v1e, 3, 8, icv,    \
         false, st, st)
#define CCM_SIZES(cipher, icv, v1e, st, word)                                                      \
    CCM(cipher, icv, 128, word "128ccm" #icv, v1e, st),                                            \
        CCM(cipher, icv, 192, word "192ccm" #icv, v1e, st),                                        \
        CCM(cipher, icv, 256, word "256ccm" #icv, v1e, st)
#define GMAC(bits, word)                                                                           \
    AEAD(MODE_GMAC, ENCR_AES_GMAC, bits, word, "NULL_AES_GMAC", 23, 4, 8, 16, true, ST_MUST_NOT,   \
         ST_MAY)
#define IIV(mod, num, bits, word, says, salt, icv)                                                 \
    AEAD(mod, num, bits, word, says, 0, salt, 0, icv, true, ST_MUST_NOT, ST_MAY)
#define PRF_ROW(what, word, v1, out, ike_st)                                                       \
    {                                                                                              \
        .type = T_PRF, .id = PRF_##what, .name = word, .iana = "PRF_" #what, .v1_ike = v1,         \
        .key_len = out, .out_len = out, .ike = ike_st, .esp = ST_MAY                               \
    }
#define INTEG_ROW(what, icv, word, v1_hash, v1_auth, ah, key, st)                                  \
    {                                                                                              \
        .type = T_INTEG, .id = AUTH_##what, .name = word, .iana = #what, .v1_ike = v1_hash,        \
        .v1_esp = v1_auth, .v1_ah = ah, .key_len = key, .icv_len = icv, .ike = st, .esp = st       \
    }
/* RFC 4543: AH alone. */
#define INTEG_GMAC(bits, word, v1)                                                                 \
    {                                                                                              \
        .type = T_INTEG, .id = AUTH_AES_##bits##_GMAC, .name = word, .iana = "AES_" #bits "_GMAC", \
        .v1_esp = v1, .v1_ah = v1, .key_len = bits / 8 + 4, .icv_len = 24, .not_ike = true,        \
        .ah_only = true, .ike = ST_MUST_NOT, .esp = ST_MAY                                         \
    }
/* IKEv1 and IKEv2 give groups the same numbers; v1_esp is the group of quick mode. */
#define KE_ROW(what, num, word, pub, st)                                                           \
    {                                                                                              \
        .type = T_KE, .id = num, .name = word, .iana = what, .v1_ike = num, .v1_esp = num,         \
        .pub_len = pub, .ike = st, .esp = st                                                       \
    }

const struct alg alg_table[] = {
    AES_CBC(128, "aes128"),
    AES_CBC(192, "aes192"),
    AES_CBC(256, "aes256"),
    AES_GCM(16, 128, "aes128gcm16", ST_SHOULD, ST_MUST),
    AES_GCM(16, 192, "aes192gcm16", ST_SHOULD, ST_MUST),
    AES_GCM(16, 256, "aes256gcm16", ST_SHOULD, ST_MUST),
    AES_GCM(12, 128, "aes128gcm12", ST_MAY, ST_MAY),
    AES_GCM(12, 192, "aes192gcm12", ST_MAY, ST_MAY),
    AES_GCM(12, 256, "aes256gcm12", ST_MAY, ST_MAY),
    AES_GCM(8, 128, "aes128gcm8", ST_MAY, ST_MAY),
    AES_GCM(8, 192, "aes192gcm8", ST_MAY, ST_MAY),
    AES_GCM(8, 256, "aes256gcm8", ST_MAY, ST_MAY),
    AEAD(MODE_CHACHA, ENCR_CHACHA20_POLY1305, 0, "chacha20poly1305", "CHACHA20_POLY1305", 0, 4, 8,
         16, false, ST_SHOULD, ST_SHOULD),
    CTR(AES, 128, "aes128ctr", 13),
    CTR(AES, 192, "aes192ctr", 13),
    CTR(AES, 256, "aes256ctr", 13),
    CCM_SIZES(AES, 8, 14, ST_SHOULD, "aes"),
    CCM_SIZES(AES, 12, 15, ST_MAY, "aes"),
    CCM_SIZES(AES, 16, 16, ST_MAY, "aes"),
    GMAC(128, "aes128gmac"),
    GMAC(192, "aes192gmac"),
    GMAC(256, "aes256gmac"),
    IIV(MODE_CCM, ENCR_AES_CCM_8_IIV, 128, "aes128ccm8iiv", "AES_CCM_8_IIV", 3, 8),
    IIV(MODE_CCM, ENCR_AES_CCM_8_IIV, 192, "aes192ccm8iiv", "AES_CCM_8_IIV", 3, 8),
    IIV(MODE_CCM, ENCR_AES_CCM_8_IIV, 256, "aes256ccm8iiv", "AES_CCM_8_IIV", 3, 8),
    IIV(MODE_GCM, ENCR_AES_GCM_16_IIV, 128, "aes128gcm16iiv", "AES_GCM_16_IIV", 4, 16),
    IIV(MODE_GCM, ENCR_AES_GCM_16_IIV, 192, "aes192gcm16iiv", "AES_GCM_16_IIV", 4, 16),
    IIV(MODE_GCM, ENCR_AES_GCM_16_IIV, 256, "aes256gcm16iiv", "AES_GCM_16_IIV", 4, 16),
    IIV(MODE_CHACHA, ENCR_CHACHA20_POLY1305_IIV, 0, "chacha20poly1305iiv", "CHACHA20_POLY1305_IIV",
        4, 16),
    CAMELLIA_CBC(128, "camellia128"),
    CAMELLIA_CBC(192, "camellia192"),
    CAMELLIA_CBC(256, "camellia256"),
    CTR(CAMELLIA, 128, "camellia128ctr", 0),
    CTR(CAMELLIA, 192, "camellia192ctr", 0),
    CTR(CAMELLIA, 256, "camellia256ctr", 0),
    CCM_SIZES(CAMELLIA, 8, 0, ST_MAY, "camellia"),
    CCM_SIZES(CAMELLIA, 12, 0, ST_MAY, "camellia"),
    CCM_SIZES(CAMELLIA, 16, 0, ST_MAY, "camellia"),
    CBC(ENCR_3DES, 0, 24, "3des", "3DES_CBC", 5, 3, 8, ST_MAY, ST_SHOULD_NOT),
    /* RFC 8221 5 of Blowfish: 64-bit blocks are too short (Sweet32), which holds for CAST and RC5
     */
    CBC(ENCR_CAST, 128, 16, "cast128", "CAST_CBC", 6, 6, 8, ST_SHOULD_NOT, ST_SHOULD_NOT),
    BLOWFISH(128, "blowfish128"),
    BLOWFISH(192, "blowfish192"),
    BLOWFISH(256, "blowfish256"),
    CBC(ENCR_RC5, 128, 16, "rc5", "RC5_CBC", 4, 4, 8, ST_SHOULD_NOT, ST_SHOULD_NOT),
    CBC(ENCR_DES, 0, 8, "des", "DES_CBC", 1, 2, 8, ST_MUST_NOT, ST_MUST_NOT),
    {.type = T_ENCR,
     .id = ENCR_NULL,
     .name = "null",
     .iana = "NULL",
     .v1_esp = 11,
     .block = 1,
     .not_ike = true,
     .ike = ST_MUST_NOT, /* RFC 7296 3.3.2 with RFC 8247 2.1 */
     .esp = ST_MUST},

    INTEG_ROW(HMAC_SHA2_256_128, 16, "sha256", 4, 5, 5, 32, ST_MUST),
    INTEG_ROW(HMAC_SHA2_384_192, 24, "sha384", 5, 6, 6, 48, ST_MAY),
    INTEG_ROW(HMAC_SHA2_512_256, 32, "sha512", 6, 7, 7, 64, ST_SHOULD),
    INTEG_ROW(HMAC_SHA1_96, 12, "sha1", 2, 2, 3, 20, ST_MUST),
    INTEG_ROW(AES_XCBC_96, 12, "aesxcbc", 0, 9, 9, 16, ST_SHOULD),
    INTEG_ROW(AES_CMAC_96, 12, "aescmac", 0, 0, 0, 16, ST_MAY),
    INTEG_ROW(HMAC_SHA2_256_96, 12, "sha256_96", 0, 0, 0, 32, ST_MAY),
    INTEG_ROW(HMAC_MD5_96, 12, "md5", 1, 1, 2, 16, ST_MUST_NOT),
    INTEG_GMAC(128, "aes128gmac", 11),
    INTEG_GMAC(192, "aes192gmac", 12),
    INTEG_GMAC(256, "aes256gmac", 13),

    PRF_ROW(HMAC_SHA2_256, "prfsha256", 4, 32, ST_MUST),
    PRF_ROW(HMAC_SHA2_384, "prfsha384", 5, 48, ST_MAY),
    PRF_ROW(HMAC_SHA2_512, "prfsha512", 6, 64, ST_SHOULD),
    PRF_ROW(HMAC_SHA1, "prfsha1", 2, 20, ST_MUST),
    PRF_ROW(AES128_XCBC, "prfaesxcbc", 0, 16, ST_SHOULD),
    PRF_ROW(AES128_CMAC, "prfaescmac", 0, 16, ST_MAY),
    PRF_ROW(HMAC_MD5, "prfmd5", 1, 16, ST_MUST_NOT),

    KE_ROW("MODP_768", KE_MODP_768, "modp768", 96, ST_MUST_NOT),
    KE_ROW("MODP_1024", KE_MODP_1024, "modp1024", 128, ST_SHOULD_NOT),
    KE_ROW("MODP_1536", KE_MODP_1536, "modp1536", 192, ST_SHOULD_NOT),
    KE_ROW("MODP_2048", KE_MODP_2048, "modp2048", 256, ST_MUST),
    KE_ROW("MODP_3072", KE_MODP_3072, "modp3072", 384, ST_MAY),
    KE_ROW("MODP_4096", KE_MODP_4096, "modp4096", 512, ST_MAY),
    KE_ROW("MODP_6144", KE_MODP_6144, "modp6144", 768, ST_MAY),
    KE_ROW("MODP_8192", KE_MODP_8192, "modp8192", 1024, ST_MAY),
    KE_ROW("MODP_1024_160", KE_MODP_1024_160, "modp1024s160", 128, ST_MUST_NOT),
    KE_ROW("MODP_2048_224", KE_MODP_2048_224, "modp2048s224", 256, ST_SHOULD_NOT),
    KE_ROW("MODP_2048_256", KE_MODP_2048_256, "modp2048s256", 256, ST_SHOULD_NOT),
    KE_ROW("ECP_256", KE_ECP_256, "ecp256", 64, ST_SHOULD),
    KE_ROW("ECP_384", KE_ECP_384, "ecp384", 96, ST_MAY),
    KE_ROW("ECP_521", KE_ECP_521, "ecp521", 132, ST_MAY),
    KE_ROW("ECP_192", KE_ECP_192, "ecp192", 48, ST_SHOULD_NOT),
    KE_ROW("ECP_224", KE_ECP_224, "ecp224", 56, ST_MAY),
    KE_ROW("ECP_224_BP", KE_ECP_224_BP, "ecp224bp", 56, ST_MAY),
    KE_ROW("ECP_256_BP", KE_ECP_256_BP, "ecp256bp", 64, ST_MAY),
    KE_ROW("ECP_384_BP", KE_ECP_384_BP, "ecp384bp", 96, ST_MAY),
    KE_ROW("ECP_512_BP", KE_ECP_512_BP, "ecp512bp", 128, ST_MAY),
    KE_ROW("CURVE_25519", KE_CURVE25519, "x25519", 32, ST_MAY),
    KE_ROW("CURVE_448", KE_CURVE448, "x448", 56, ST_MAY),

    {.type = T_ESN, .id = ESN_NO, .name = "noesn", .iana = "NO_EXT_SEQ", .esp = ST_MUST},
    /* v1_esp: the value of attribute 11, RFC 4304 */
    {.type = T_ESN, .id = ESN_YES, .name = "esn", .iana = "EXT_SEQ", .v1_esp = 1, .esp = ST_MUST},
};
const size_t alg_count = sizeof alg_table / sizeof alg_table[0];

/* Other spellings that strongSwan's parser takes for the same thing. */
static const struct {
    const char *word, *name;
} aliases[] = {
    {"aes", "aes128"},
    {"aes128-cbc", "aes128"},
    {"aes128gcm", "aes128gcm16"},
    {"aes128gcm128", "aes128gcm16"},
    {"aes128gcm96", "aes128gcm12"},
    {"aes128gcm64", "aes128gcm8"},
    {"aes128ccm", "aes128ccm16"},
    {"aes128ccm128", "aes128ccm16"},
    {"aes128ccm96", "aes128ccm12"},
    {"aes128ccm64", "aes128ccm8"},
    {"aes192-cbc", "aes192"},
    {"aes192gcm", "aes192gcm16"},
    {"aes192gcm128", "aes192gcm16"},
    {"aes192gcm96", "aes192gcm12"},
    {"aes192gcm64", "aes192gcm8"},
    {"aes192ccm", "aes192ccm16"},
    {"aes192ccm128", "aes192ccm16"},
    {"aes192ccm96", "aes192ccm12"},
    {"aes192ccm64", "aes192ccm8"},
    {"aes256-cbc", "aes256"},
    {"aes256gcm", "aes256gcm16"},
    {"aes256gcm128", "aes256gcm16"},
    {"aes256gcm96", "aes256gcm12"},
    {"aes256gcm64", "aes256gcm8"},
    {"aes256ccm", "aes256ccm16"},
    {"aes256ccm128", "aes256ccm16"},
    {"aes256ccm96", "aes256ccm12"},
    {"aes256ccm64", "aes256ccm8"},
    {"blowfish", "blowfish128"},
    {"camellia", "camellia128"},
    {"camellia128ccm", "camellia128ccm16"},
    {"camellia128ccm128", "camellia128ccm16"},
    {"camellia128ccm96", "camellia128ccm12"},
    {"camellia128ccm64", "camellia128ccm8"},
    {"camellia192ccm", "camellia192ccm16"},
    {"camellia192ccm128", "camellia192ccm16"},
    {"camellia192ccm96", "camellia192ccm12"},
    {"camellia192ccm64", "camellia192ccm8"},
    {"camellia256ccm", "camellia256ccm16"},
    {"camellia256ccm128", "camellia256ccm16"},
    {"camellia256ccm96", "camellia256ccm12"},
    {"camellia256ccm64", "camellia256ccm8"},
    {"sha2_256_96", "sha256_96"},
    {"sha", "sha1"},
    {"sha2_256", "sha256"},
    {"sha2_384", "sha384"},
    {"sha2_512", "sha512"},
    {"curve25519", "x25519"},
    {"curve448", "x448"},
};

const struct alg *alg_find(enum transform_type type, uint16_t id, uint16_t key_bits)
{
    for (const struct alg *a = alg_table; a < alg_table + alg_count; a++)
        if (a->type == type && a->id == id && a->key_bits == key_bits)
            return a;
    return NULL;
}

static bool word_is(const char *s, const char *word, size_t n)
{
    return strlen(s) == n && strncasecmp(s, word, n) == 0;
}

static const struct alg *find_name(const char *word, size_t n)
{
    for (const struct alg *a = alg_table; a < alg_table + alg_count; a++)
        if (word_is(a->name, word, n))
            return a;
    return NULL;
}

const struct alg *alg_by_name(const char *word, size_t n)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (word_is(aliases[i].word, word, n))
            return find_name(aliases[i].name, strlen(aliases[i].name));
    return find_name(word, n);
}

const struct alg *alg_by_iana(enum transform_type type, const char *iana)
{
    for (const struct alg *a = alg_table; a < alg_table + alg_count; a++)
        if (a->type == type && !strcmp(a->iana, iana))
            return a;
    return NULL;
}

const struct alg *alg_prf_of_integ(uint16_t integ_id)
{
    static const uint16_t pairs[][2] = {
        {AUTH_HMAC_MD5_96, PRF_HMAC_MD5},
        {AUTH_HMAC_SHA1_96, PRF_HMAC_SHA1},
        {AUTH_AES_XCBC_96, PRF_AES128_XCBC},
        {AUTH_AES_CMAC_96, PRF_AES128_CMAC},
        {AUTH_HMAC_SHA2_256_96, PRF_HMAC_SHA2_256},
        {AUTH_HMAC_SHA2_256_128, PRF_HMAC_SHA2_256},
        {AUTH_HMAC_SHA2_384_192, PRF_HMAC_SHA2_384},
        {AUTH_HMAC_SHA2_512_256, PRF_HMAC_SHA2_512},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i][0] == integ_id)
            return alg_find(T_PRF, pairs[i][1], 0);
    return NULL;
}

const struct alg *alg_for_ah(const struct alg *a)
{
    if (a->type != T_ENCR)
        return a;
    if (a->id != ENCR_AES_GMAC)
        return NULL;
    return alg_find(T_INTEG, (uint16_t)(AUTH_AES_128_GMAC + (a->key_bits - 128) / 64), 0);
}

/* What neither RFC lists, and why it is weak nevertheless. */
static const char *own_reason(const struct alg *a, bool in_ike)
{
    if (a->type == T_KE && a->id == KE_ECP_192)
        return "it has 96 bits of strength only";
    if (a->type == T_ENCR &&
        (a->id == ENCR_CAST || a->id == ENCR_RC5 || (in_ike && a->id == ENCR_BLOWFISH)))
        return "its blocks have 64 bits only, as those of 3DES (RFC 8221 5)";
    return NULL;
}

const char *alg_weakness(const struct alg *a, bool in_ike)
{
    enum { IKE_ENCR, IKE_PRF, IKE_INTEG, IKE_KE, ESP_ENCR, ESP_INTEG };
    static const char *const says[][2] = {
        [IKE_ENCR] = {"RFC 8247 2.1 says SHOULD NOT", "RFC 8247 2.1 says MUST NOT"},
        [IKE_PRF] = {"RFC 8247 2.2 says SHOULD NOT", "RFC 8247 2.2 says MUST NOT"},
        [IKE_INTEG] = {"RFC 8247 2.3 says SHOULD NOT", "RFC 8247 2.3 says MUST NOT"},
        [IKE_KE] = {"RFC 8247 2.4 says SHOULD NOT", "RFC 8247 2.4 says MUST NOT"},
        [ESP_ENCR] = {"RFC 8221 5 says SHOULD NOT", "RFC 8221 5 says MUST NOT"},
        [ESP_INTEG] = {"RFC 8221 6 says SHOULD NOT", "RFC 8221 6 says MUST NOT"},
    };
    enum alg_status st = in_ike || a->type == T_KE ? a->ike : a->esp;
    if (st < ST_SHOULD_NOT || a->type == T_ESN)
        return NULL;
    const char *own = own_reason(a, in_ike);
    size_t row = a->type == T_KE     ? IKE_KE
                 : a->type == T_PRF  ? IKE_PRF
                 : a->type == T_ENCR ? (in_ike ? IKE_ENCR : ESP_ENCR)
                                     : (in_ike ? IKE_INTEG : ESP_INTEG);
    return own ? own : says[row][st == ST_MUST_NOT];
}

const char *transform_type_name(enum transform_type t)
{
    switch (t) {
    case T_ENCR:
        return "encryption";
    case T_PRF:
        return "prf";
    case T_INTEG:
        return "integrity";
    case T_KE:
        return "key exchange";
    case T_ESN:
        return "ESN";
    }
    return "unknown";
}
