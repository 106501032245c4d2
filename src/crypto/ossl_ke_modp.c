/*
 * MODP groups: RFC 2409 6.1-6.2 (1, 2), RFC 3526 (5, 14 to 18), RFC 5114 2.1 to 2.3 (22 to 24).
 * Called by ke.c.
 *
 * Plain bignum arithmetic with a Montgomery context per group: OpenSSL's DH objects would check
 * y^q = 1 for safe primes too, which costs six times as much as the exchange (1.7 ms against 0.27
 * for 2048 bits) and which RFC 6989 2.1 does not ask. Exponents are short, as long as OpenSSL's
 * defaults for the named groups (twice the strength of the group, RFC 3526 8 and SP 800-56A). Our
 * public value comes from a table of powers of the generator.
 */
#include <openssl/bn.h>
#include <openssl/evp.h>

#include "crypto/ke.h"
#include "crypto/ossl.h"
#include "crypto/ossl_modp_base.h"
#include <pthread.h>

struct group {
    uint16_t id;
    int exponent_bits;
    BIGNUM *(*prime)(BIGNUM *);
    const char *g_hex;
    const char *q_hex; /* order of the subgroup where p is not a safe prime */
    BIGNUM *p, *p_minus_1, *g, *q;
    BN_MONT_CTX *mont;
    struct modp_base *base; /* made when first needed */
    bool base_tried;
};

/* RFC 5114 2.1 */
static BIGNUM *prime_1024_160(BIGNUM *bn)
{
    BN_hex2bn(&bn, "B10B8F96A080E01DDE92DE5EAE5D54EC52C99FBCFB06A3C69A6A9DCA52D23B61"
                   "6073E28675A23D189838EF1E2EE652C013ECB4AEA906112324975C3CD49B83BF"
                   "ACCBDD7D90C4BD7098488E9C219A73724EFFD6FAE5644738FAA31A4FF55BCCC0"
                   "A151AF5F0DC8B4BD45BF37DF365C1A65E68CFDA76D4DA708DF1FB2BC2E4A4371");
    return bn;
}
static const char g_1024_160[] = "A4D1CBD5C3FD34126765A442EFB99905F8104DD258AC507FD6406CFF14266D31"
                                 "266FEA1E5C41564B777E690F5504F213160217B4B01B886A5E91547F9E2749F4"
                                 "D7FBD7D3B9A92EE1909D0D2263F80A76A6A24C087A091F531DBF0A0169B6A28A"
                                 "D662A4D18E73AFA32D779D5918D08BC8858F4DCEF97C2A24855E6EEB22B3B2E5";
static const char q_1024_160[] = "F518AA8781A8DF278ABA4E7D64B7CB9D49462353";

/* RFC 5114 2.2 */
static BIGNUM *prime_2048_224(BIGNUM *bn)
{
    BN_hex2bn(&bn, "AD107E1E9123A9D0D660FAA79559C51FA20D64E5683B9FD1B54B1597B61D0A75"
                   "E6FA141DF95A56DBAF9A3C407BA1DF15EB3D688A309C180E1DE6B85A1274A0A6"
                   "6D3F8152AD6AC2129037C9EDEFDA4DF8D91E8FEF55B7394B7AD5B7D0B6C12207"
                   "C9F98D11ED34DBF6C6BA0B2C8BBC27BE6A00E0A0B9C49708B3BF8A3170918836"
                   "81286130BC8985DB1602E714415D9330278273C7DE31EFDC7310F7121FD5A074"
                   "15987D9ADC0A486DCDF93ACC44328387315D75E198C641A480CD86A1B9E587E8"
                   "BE60E69CC928B2B9C52172E413042E9B23F10B0E16E79763C9B53DCF4BA80A29"
                   "E3FB73C16B8E75B97EF363E2FFA31F71CF9DE5384E71B81C0AC4DFFE0C10E64F");
    return bn;
}
static const char g_2048_224[] = "AC4032EF4F2D9AE39DF30B5C8FFDAC506CDEBE7B89998CAF74866A08CFE4FFE3"
                                 "A6824A4E10B9A6F0DD921F01A70C4AFAAB739D7700C29F52C57DB17C620A8652"
                                 "BE5E9001A8D66AD7C17669101999024AF4D027275AC1348BB8A762D0521BC98A"
                                 "E247150422EA1ED409939D54DA7460CDB5F6C6B250717CBEF180EB34118E98D1"
                                 "19529A45D6F834566E3025E316A330EFBB77A86F0C1AB15B051AE3D428C8F8AC"
                                 "B70A8137150B8EEB10E183EDD19963DDD9E263E4770589EF6AA21E7F5F2FF381"
                                 "B539CCE3409D13CD566AFBB48D6C019181E1BCFE94B30269EDFE72FE9B6AA4BD"
                                 "7B5A0F1C71CFFF4C19C418E1F6EC017981BC087F2A7065B384B890D3191F2BFA";
static const char q_2048_224[] = "801C0D34C58D93FE997177101F80535A4738CEBCBF389A99B36371EB";

/* RFC 5114 2.3 */
static BIGNUM *prime_2048_256(BIGNUM *bn)
{
    BN_hex2bn(&bn, "87A8E61DB4B6663CFFBBD19C651959998CEEF608660DD0F25D2CEED4435E3B00"
                   "E00DF8F1D61957D4FAF7DF4561B2AA3016C3D91134096FAA3BF4296D830E9A7C"
                   "209E0C6497517ABD5A8A9D306BCF67ED91F9E6725B4758C022E0B1EF4275BF7B"
                   "6C5BFC11D45F9088B941F54EB1E59BB8BC39A0BF12307F5C4FDB70C581B23F76"
                   "B63ACAE1CAA6B7902D52526735488A0EF13C6D9A51BFA4AB3AD8347796524D8E"
                   "F6A167B5A41825D967E144E5140564251CCACB83E6B486F6B3CA3F7971506026"
                   "C0B857F689962856DED4010ABD0BE621C3A3960A54E710C375F26375D7014103"
                   "A4B54330C198AF126116D2276E11715F693877FAD7EF09CADB094AE91E1A1597");
    return bn;
}
static const char g_2048_256[] = "3FB32C9B73134D0B2E77506660EDBD484CA7B18F21EF205407F4793A1A0BA125"
                                 "10DBC15077BE463FFF4FED4AAC0BB555BE3A6C1B0C6B47B1BC3773BF7E8C6F62"
                                 "901228F8C28CBB18A55AE31341000A650196F931C77A57F2DDF463E5E9EC144B"
                                 "777DE62AAAB8A8628AC376D282D6ED3864E67982428EBC831D14348F6F2F9193"
                                 "B5045AF2767164E1DFC967C1FB3F2E55A4BD1BFFE83B9C80D052B985D182EA0A"
                                 "DB2A3B7313D3FE14C8484B1E052588B9B7D2BBD2DF016199ECD06E1557CD0915"
                                 "B3353BBB64E0EC377FD028370DF92B52C7891428CDC67EB6184B523D1DB246C3"
                                 "2F63078490F00EF8D647D148D47954515E2327CFEF98C582664B4C0F6CC41659";
static const char q_2048_256[] = "8CF83642A709A097B447997640129DA299B1A47D1EB3750BA308B0FE64F5FBD3";

static struct group groups[] = {
    {KE_MODP_768, 192, BN_get_rfc2409_prime_768, "2", NULL},
    {KE_MODP_1024, 192, BN_get_rfc2409_prime_1024, "2", NULL},
    {KE_MODP_1536, 200, BN_get_rfc3526_prime_1536, "2", NULL},
    {KE_MODP_2048, 225, BN_get_rfc3526_prime_2048, "2", NULL},
    {KE_MODP_3072, 275, BN_get_rfc3526_prime_3072, "2", NULL},
    {KE_MODP_4096, 325, BN_get_rfc3526_prime_4096, "2", NULL},
    {KE_MODP_6144, 375, BN_get_rfc3526_prime_6144, "2", NULL},
    {KE_MODP_8192, 400, BN_get_rfc3526_prime_8192, "2", NULL},
    {KE_MODP_1024_160, 160, prime_1024_160, g_1024_160, q_1024_160},
    {KE_MODP_2048_224, 224, prime_2048_224, g_2048_224, q_2048_224},
    {KE_MODP_2048_256, 256, prime_2048_256, g_2048_256, q_2048_256},
};
#define GROUPS (sizeof groups / sizeof groups[0])

static struct group *group_find(uint16_t id)
{
    for (size_t i = 0; i < GROUPS; i++)
        if (groups[i].id == id)
            return &groups[i];
    return NULL;
}

static bool group_init(struct group *g, BN_CTX *ctx)
{
    g->p = BN_new();
    g->mont = BN_MONT_CTX_new();
    if (!g->p || !g->mont || !g->prime(g->p))
        return false;
    if (!BN_hex2bn(&g->g, g->g_hex) || (g->q_hex && !BN_hex2bn(&g->q, g->q_hex)))
        return false;
    g->p_minus_1 = BN_dup(g->p);
    return g->p_minus_1 && BN_sub_word(g->p_minus_1, 1) && BN_MONT_CTX_set(g->mont, g->p, ctx);
}

err_t ossl_modp_init(void)
{
    BN_CTX *ctx = BN_CTX_new();
    bool ok = ctx != NULL;
    for (size_t i = 0; ok && i < GROUPS; i++)
        ok = group_init(&groups[i], ctx);
    BN_CTX_free(ctx);
    return ok ? E_OK : E_CRYPTO;
}

void ossl_modp_fini(void)
{
    for (size_t i = 0; i < GROUPS; i++) {
        struct group *g = &groups[i];
        BN_free(g->p);
        BN_free(g->p_minus_1);
        BN_free(g->g);
        BN_free(g->q);
        BN_MONT_CTX_free(g->mont);
        modp_base_free(g->base);
        g->base = NULL;
        g->base_tried = false;
        g->p = g->p_minus_1 = g->g = g->q = NULL;
        g->mont = NULL;
    }
}

/* 0.3 to 2 MB and some milliseconds a group, so only for those that are used. */
static const struct modp_base *base_of(struct group *g)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (!g->base_tried && !g->q)
        g->base = modp_base_new(g->g, g->mont, g->p, g->exponent_bits);
    g->base_tried = true;
    const struct modp_base *b = g->base;
    pthread_mutex_unlock(&lock);
    return b;
}

static BIGNUM *private_value_of(const struct group *g, struct bytes given)
{
    BIGNUM *x = BN_secure_new();
    if (!x)
        return NULL;
    bool ok;
    if (given.n)
        ok = BN_bin2bn(given.p, (int)given.n, x) != NULL;
    else if (g->q)
        do
            ok = BN_priv_rand_range(x, g->q);
        while (ok && BN_is_zero(x));
    else
        ok = BN_priv_rand(x, g->exponent_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    if (!ok) {
        BN_clear_free(x);
        return NULL;
    }
    BN_set_flags(x, BN_FLG_CONSTTIME);
    return x;
}

/* out := base^x mod p as pub_len bytes, zeros on the left (RFC 7296 2.14, 3.4) */
static err_t power(const struct group *g, const BIGNUM *base, const BIGNUM *x, uint8_t *out,
                   size_t n)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *r = BN_new();
    err_t e = E_CRYPTO;
    if (ctx && r && BN_mod_exp_mont_consttime(r, base, x, g->p, ctx, g->mont) &&
        BN_bn2binpad(r, out, (int)n) == (int)n)
        e = E_OK;
    BN_clear_free(r);
    BN_CTX_free(ctx);
    return e;
}

static err_t draw(const struct modp_base *b, struct cr_ke *ke)
{
    BIGNUM *x = BN_secure_new(), *r = BN_new();
    int n = ke->alg->pub_len;
    bool ok = x && r && modp_base_draw(b, x, r) && BN_bn2binpad(r, ke->pub, n) == n;
    BN_free(r);
    if (x)
        BN_set_flags(x, BN_FLG_CONSTTIME);
    ke->priv = x;
    return ok ? E_OK : E_CRYPTO;
}

static err_t modp_make(struct cr_ke *ke, struct bytes private_value)
{
    struct group *g = group_find(ke->alg->id);
    if (!g || !g->mont)
        return E_USAGE;
    const struct modp_base *b = private_value.n ? NULL : base_of(g);
    if (b)
        return draw(b, ke);
    ke->priv = private_value_of(g, private_value);
    if (!ke->priv)
        return E_CRYPTO;
    return power(g, g->g, ke->priv, ke->pub, ke->alg->pub_len);
}

/* RFC 6989 2.1: 1 < y < p - 1; 2.2: in a small subgroup also y^q = 1 */
static err_t check_value(const struct group *g, const BIGNUM *y)
{
    if (BN_is_zero(y) || BN_is_one(y) || BN_cmp(y, g->p_minus_1) >= 0)
        return R_KE_VALUE;
    if (!g->q)
        return E_OK;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *r = BN_new();
    err_t e = E_CRYPTO;
    if (ctx && r && BN_mod_exp_mont(r, y, g->q, g->p, ctx, g->mont))
        e = BN_is_one(r) ? E_OK : R_KE_VALUE;
    BN_free(r);
    BN_CTX_free(ctx);
    return e;
}

static err_t modp_derive(struct cr_ke *ke, struct bytes peer, struct secret *shared)
{
    const struct group *g = group_find(ke->alg->id);
    struct secret z = {0};
    BIGNUM *y = BN_bin2bn(peer.p, (int)peer.n, NULL);
    err_t e = y ? check_value(g, y) : E_NOMEM;
    if (!e)
        e = secret_alloc(&z, ke->alg->pub_len);
    if (!e)
        e = power(g, y, ke->priv, z.p, z.n);
    if (!e)
        secret_move(shared, &z);
    secret_free(&z);
    BN_free(y);
    return e;
}

static void modp_wipe(struct cr_ke *ke)
{
    BN_clear_free(ke->priv);
    ke->priv = NULL;
}

const struct ke_ops ossl_ke_modp = {modp_make, modp_derive, modp_wipe};
