/*
 * The table of signature schemes and their AlgorithmIdentifiers: RFC 7427 appendix A, RFC 8420
 * appendix A. Called by pki and the IKE engine.
 */
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypto/sign.h"

/* OIDs below 1.2.840: hashes with explicit NULL parameters, as RFC 4055 2.1 wants them sent. */
#define SHA2_ID(n)                                                                                 \
    0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, n, 0x05, 0x00
#define PKCS1(n) 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, n

#define RSA(n)                                                                                     \
    {                                                                                              \
        0x30, 0x0d, 0x06, 0x09, PKCS1(n), 0x05, 0x00                                               \
    }
/* RSASSA-PSS-params: hash, MGF1 with the same, salt as long as the hash */
#define PSS(hash, salt)                                                                            \
    {                                                                                              \
        0x30, 0x41, 0x06, 0x09, PKCS1(0x0a), 0x30, 0x34, 0xa0, 0x0f, SHA2_ID(hash), 0xa1, 0x1c,    \
            0x30, 0x1a, 0x06, 0x09, PKCS1(0x08), SHA2_ID(hash), 0xa2, 0x03, 0x02, 0x01, salt       \
    }
#define ECDSA2(n)                                                                                  \
    {                                                                                              \
        0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, n                        \
    }

static const uint8_t rsa_sha1[] = RSA(0x05), rsa_sha256[] = RSA(0x0b), rsa_sha384[] = RSA(0x0c),
                     rsa_sha512[] = RSA(0x0d);
static const uint8_t pss_sha256[] = PSS(0x01, 32), pss_sha384[] = PSS(0x02, 48),
                     pss_sha512[] = PSS(0x03, 64);
static const uint8_t ecdsa_sha1[] = {0x30, 0x09, 0x06, 0x07, 0x2a, 0x86,
                                     0x48, 0xce, 0x3d, 0x04, 0x01};
static const uint8_t ecdsa_sha256[] = ECDSA2(0x02), ecdsa_sha384[] = ECDSA2(0x03),
                     ecdsa_sha512[] = ECDSA2(0x04);
static const uint8_t ed25519[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
static const uint8_t ed448[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71};

#define ID(a)                                                                                      \
    {                                                                                              \
        a, sizeof a                                                                                \
    }
#define NO_ID                                                                                      \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

static const struct {
    struct cr_scheme_info info;
    struct bytes algid;
} schemes[CR_SCHEME_COUNT] = {
    [CR_SCHEME_NONE] = {{.name = "none"}, NO_ID},
    [CR_RSA_RAW] = {{"rsa", CR_KEY_RSA, CR_SIG_NULL, 0, false}, NO_ID},
    [CR_RSA_SHA1] = {{"rsa-sha1", CR_KEY_RSA, CR_SIG_SHA1, 0, false}, ID(rsa_sha1)},
    [CR_RSA_SHA256] = {{"rsa-sha256", CR_KEY_RSA, CR_SIG_SHA256, 0, false}, ID(rsa_sha256)},
    [CR_RSA_SHA384] = {{"rsa-sha384", CR_KEY_RSA, CR_SIG_SHA384, 0, false}, ID(rsa_sha384)},
    [CR_RSA_SHA512] = {{"rsa-sha512", CR_KEY_RSA, CR_SIG_SHA512, 0, false}, ID(rsa_sha512)},
    [CR_RSA_PSS_SHA256] = {{"rsa/pss-sha256", CR_KEY_RSA, CR_SIG_SHA256, 0, true}, ID(pss_sha256)},
    [CR_RSA_PSS_SHA384] = {{"rsa/pss-sha384", CR_KEY_RSA, CR_SIG_SHA384, 0, true}, ID(pss_sha384)},
    [CR_RSA_PSS_SHA512] = {{"rsa/pss-sha512", CR_KEY_RSA, CR_SIG_SHA512, 0, true}, ID(pss_sha512)},
    [CR_ECDSA_RAW] = {{"ecdsa", CR_KEY_ECDSA, CR_SIG_NULL, 0, false}, NO_ID},
    [CR_ECDSA_P256] = {{"ecdsa-256", CR_KEY_ECDSA, CR_SIG_SHA256, 256, false}, NO_ID},
    [CR_ECDSA_P384] = {{"ecdsa-384", CR_KEY_ECDSA, CR_SIG_SHA384, 384, false}, NO_ID},
    [CR_ECDSA_P521] = {{"ecdsa-521", CR_KEY_ECDSA, CR_SIG_SHA512, 521, false}, NO_ID},
    [CR_ECDSA_SHA1] = {{"ecdsa-sha1", CR_KEY_ECDSA, CR_SIG_SHA1, 0, false}, ID(ecdsa_sha1)},
    [CR_ECDSA_SHA256] = {{"ecdsa-sha256", CR_KEY_ECDSA, CR_SIG_SHA256, 0, false}, ID(ecdsa_sha256)},
    [CR_ECDSA_SHA384] = {{"ecdsa-sha384", CR_KEY_ECDSA, CR_SIG_SHA384, 0, false}, ID(ecdsa_sha384)},
    [CR_ECDSA_SHA512] = {{"ecdsa-sha512", CR_KEY_ECDSA, CR_SIG_SHA512, 0, false}, ID(ecdsa_sha512)},
    [CR_ED25519] = {{"ed25519", CR_KEY_ED25519, CR_SIG_IDENTITY, 0, false}, ID(ed25519)},
    [CR_ED448] = {{"ed448", CR_KEY_ED448, CR_SIG_IDENTITY, 0, false}, ID(ed448)},
};

const struct cr_scheme_info *cr_scheme(enum cr_scheme s)
{
    return &schemes[(unsigned)s < CR_SCHEME_COUNT ? s : CR_SCHEME_NONE].info;
}

struct bytes cr_scheme_algid(enum cr_scheme s)
{
    return schemes[(unsigned)s < CR_SCHEME_COUNT ? s : CR_SCHEME_NONE].algid;
}

static enum cr_scheme scheme_of(enum cr_key_type type, int hash_nid, bool pss)
{
    enum cr_sig_hash hash = hash_nid == NID_sha1     ? CR_SIG_SHA1
                            : hash_nid == NID_sha256 ? CR_SIG_SHA256
                            : hash_nid == NID_sha384 ? CR_SIG_SHA384
                            : hash_nid == NID_sha512 ? CR_SIG_SHA512
                                                     : CR_SIG_NULL;
    for (int s = 1; s < CR_SCHEME_COUNT && hash; s++)
        if (schemes[s].algid.n && schemes[s].info.type == type && schemes[s].info.hash == hash &&
            schemes[s].info.pss == pss)
            return (enum cr_scheme)s;
    return CR_SCHEME_NONE;
}

/* The hash must be that of the mask as well; which salt there is shows with the signature. */
static enum cr_scheme pss_scheme(const X509_ALGOR *a)
{
    const ASN1_TYPE *params = a->parameter;
    if (!params || params->type != V_ASN1_SEQUENCE)
        return CR_SCHEME_NONE;
    RSA_PSS_PARAMS *p = ASN1_item_unpack(params->value.sequence, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
    X509_ALGOR *mask_hash = NULL;
    int hash = p && p->hashAlgorithm ? OBJ_obj2nid(p->hashAlgorithm->algorithm) : NID_undef;
    if (p && p->maskGenAlgorithm && p->maskGenAlgorithm->parameter &&
        OBJ_obj2nid(p->maskGenAlgorithm->algorithm) == NID_mgf1 &&
        p->maskGenAlgorithm->parameter->type == V_ASN1_SEQUENCE)
        mask_hash = ASN1_item_unpack(p->maskGenAlgorithm->parameter->value.sequence,
                                     ASN1_ITEM_rptr(X509_ALGOR));
    bool same = mask_hash && OBJ_obj2nid(mask_hash->algorithm) == hash;
    bool trailer = p && (!p->trailerField || ASN1_INTEGER_get(p->trailerField) == 1);
    X509_ALGOR_free(mask_hash);
    RSA_PSS_PARAMS_free(p);
    return same && trailer ? scheme_of(CR_KEY_RSA, hash, true) : CR_SCHEME_NONE;
}

/* What others wrote another way: NULL where nothing should be, or nothing where NULL should. */
static enum cr_scheme decoded(const X509_ALGOR *a)
{
    int nid = OBJ_obj2nid(a->algorithm), hash, key;
    bool plain = !a->parameter || a->parameter->type == V_ASN1_NULL;
    if (nid == NID_rsassaPss)
        return pss_scheme(a);
    if (!plain || !OBJ_find_sigid_algs(nid, &hash, &key))
        return CR_SCHEME_NONE;
    if (nid == NID_ED25519)
        return CR_ED25519;
    if (nid == NID_ED448)
        return CR_ED448;
    return key == NID_rsaEncryption          ? scheme_of(CR_KEY_RSA, hash, false)
           : key == NID_X9_62_id_ecPublicKey ? scheme_of(CR_KEY_ECDSA, hash, false)
                                             : CR_SCHEME_NONE;
}

enum cr_scheme cr_scheme_of_algid(struct bytes der)
{
    for (int s = 1; s < CR_SCHEME_COUNT; s++)
        if (schemes[s].algid.n && bytes_eq(schemes[s].algid, der))
            return (enum cr_scheme)s;
    const uint8_t *p = der.p;
    X509_ALGOR *a = der.n && der.n < 256 ? d2i_X509_ALGOR(NULL, &p, (long)der.n) : NULL;
    enum cr_scheme s = a && p == der.p + der.n ? decoded(a) : CR_SCHEME_NONE;
    X509_ALGOR_free(a);
    return s;
}
