/*
 * The table of algorithms: see alg.h. Numbers from IANA's registries "IKEv2 Parameters", "IKE
 * Attributes" (RFC 2409 appendix A) and "ISAKMP DOI" (RFC 2407 4.4.3, 4.4.4, 4.5); status from RFC
 * 8221 section 5 and 6 (ESP) and RFC 8247 section 2 (IKEv2). What those do not list is MAY.
 * Configuration, wire, VICI and crypto read it.
 */
#include "model/alg.h"
#include <strings.h>

#define AES_CBC(bits, word)                                                                        \
    {                                                                                              \
        .type = T_ENCR, .id = ENCR_AES_CBC, .key_bits = bits, .name = word, .iana = "AES_CBC",     \
        .v1_ike = 7, .v1_esp = 12, .key_len = bits / 8, .block = 16, .iv_len = 16, .ike = ST_MUST, \
        .esp = ST_MUST                                                                             \
    }
#define AES_GCM(icv, bits, word, ike_st, esp_st)                                                   \
    {                                                                                              \
        .type = T_ENCR, .id = ENCR_AES_GCM_##icv, .key_bits = bits, .name = word,                  \
        .iana = "AES_GCM_" #icv, .v1_esp = ENCR_AES_GCM_##icv, .key_len = bits / 8, .salt_len = 4, \
        .block = 1, .iv_len = 8, .icv_len = icv, .aead = true, .ike = ike_st, .esp = esp_st        \
    }
#define PRF_ROW(hash, word, v1, out, ike_st)                                                       \
    {                                                                                              \
        .type = T_PRF, .id = PRF_HMAC_##hash, .name = word, .iana = "PRF_HMAC_" #hash,             \
        .v1_ike = v1, .key_len = out, .out_len = out, .ike = ike_st, .esp = ST_MAY                 \
    }
#define INTEG_ROW(hash, icv, word, v1_hash, v1_auth, ah, key, st)                                  \
    {                                                                                              \
        .type = T_INTEG, .id = AUTH_HMAC_##hash, .name = word, .iana = "HMAC_" #hash,              \
        .v1_ike = v1_hash, .v1_esp = v1_auth, .v1_ah = ah, .key_len = key, .icv_len = icv,         \
        .ike = st, .esp = st                                                                       \
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
    {.type = T_ENCR,
     .id = ENCR_CHACHA20_POLY1305,
     .name = "chacha20poly1305",
     .iana = "CHACHA20_POLY1305",
     .key_len = 32,
     .salt_len = 4,
     .block = 1,
     .iv_len = 8,
     .icv_len = 16,
     .aead = true,
     .ike = ST_SHOULD,
     .esp = ST_SHOULD},
    {.type = T_ENCR,
     .id = ENCR_3DES,
     .name = "3des",
     .iana = "3DES_CBC",
     .v1_ike = 5,
     .v1_esp = 3,
     .key_len = 24,
     .block = 8,
     .iv_len = 8,
     .ike = ST_MAY,
     .esp = ST_SHOULD_NOT},
    {.type = T_ENCR,
     .id = ENCR_NULL,
     .name = "null",
     .iana = "NULL",
     .v1_esp = 11,
     .block = 1,
     .ike = ST_MUST_NOT, /* RFC 7296 3.3.2 with RFC 8247 2.1 */
     .esp = ST_MUST},

    INTEG_ROW(SHA2_256_128, 16, "sha256", 4, 5, 5, 32, ST_MUST),
    INTEG_ROW(SHA2_384_192, 24, "sha384", 5, 6, 6, 48, ST_MAY),
    INTEG_ROW(SHA2_512_256, 32, "sha512", 6, 7, 7, 64, ST_SHOULD),
    INTEG_ROW(SHA1_96, 12, "sha1", 2, 2, 3, 20, ST_MUST),
    INTEG_ROW(MD5_96, 12, "md5", 1, 1, 2, 16, ST_MUST_NOT),

    PRF_ROW(SHA2_256, "prfsha256", 4, 32, ST_MUST),
    PRF_ROW(SHA2_384, "prfsha384", 5, 48, ST_MAY),
    PRF_ROW(SHA2_512, "prfsha512", 6, 64, ST_SHOULD),
    PRF_ROW(SHA1, "prfsha1", 2, 20, ST_MUST),
    PRF_ROW(MD5, "prfmd5", 1, 16, ST_MUST_NOT),

    KE_ROW("MODP_768", KE_MODP_768, "modp768", 96, ST_MUST_NOT),
    KE_ROW("MODP_1024", KE_MODP_1024, "modp1024", 128, ST_SHOULD_NOT),
    KE_ROW("MODP_1536", KE_MODP_1536, "modp1536", 192, ST_SHOULD_NOT),
    KE_ROW("MODP_2048", KE_MODP_2048, "modp2048", 256, ST_MUST),
    KE_ROW("MODP_3072", KE_MODP_3072, "modp3072", 384, ST_MAY),
    KE_ROW("MODP_4096", KE_MODP_4096, "modp4096", 512, ST_MAY),
    KE_ROW("MODP_6144", KE_MODP_6144, "modp6144", 768, ST_MAY),
    KE_ROW("MODP_8192", KE_MODP_8192, "modp8192", 1024, ST_MAY),
    KE_ROW("MODP_2048_256", KE_MODP_2048_256, "modp2048s256", 256, ST_SHOULD_NOT),
    KE_ROW("ECP_256", KE_ECP_256, "ecp256", 64, ST_SHOULD),
    KE_ROW("ECP_384", KE_ECP_384, "ecp384", 96, ST_MAY),
    KE_ROW("ECP_521", KE_ECP_521, "ecp521", 132, ST_MAY),
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
    {"aes192-cbc", "aes192"},
    {"aes256-cbc", "aes256"},
    {"aes128gcm", "aes128gcm16"},
    {"aes128gcm128", "aes128gcm16"},
    {"aes128gcm96", "aes128gcm12"},
    {"aes128gcm64", "aes128gcm8"},
    {"aes192gcm", "aes192gcm16"},
    {"aes192gcm128", "aes192gcm16"},
    {"aes192gcm96", "aes192gcm12"},
    {"aes192gcm64", "aes192gcm8"},
    {"aes256gcm", "aes256gcm16"},
    {"aes256gcm128", "aes256gcm16"},
    {"aes256gcm96", "aes256gcm12"},
    {"aes256gcm64", "aes256gcm8"},
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

const struct alg *alg_prf_of_integ(uint16_t integ_id)
{
    static const uint16_t pairs[][2] = {
        {AUTH_HMAC_MD5_96, PRF_HMAC_MD5},
        {AUTH_HMAC_SHA1_96, PRF_HMAC_SHA1},
        {AUTH_HMAC_SHA2_256_128, PRF_HMAC_SHA2_256},
        {AUTH_HMAC_SHA2_384_192, PRF_HMAC_SHA2_384},
        {AUTH_HMAC_SHA2_512_256, PRF_HMAC_SHA2_512},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i][0] == integ_id)
            return alg_find(T_PRF, pairs[i][1], 0);
    return NULL;
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
