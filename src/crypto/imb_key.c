/*
 * Keys of an SA as ipsec-mb wants them: round keys, GCM tables, HMAC states after the padded key.
 * All is computed here, once for an SA and direction. Called by esp.c.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_impl.h"
#include <stddef.h>

void imb_gcm_pre(IMB_MGR *m, unsigned bits, const uint8_t *key, struct gcm_key_data *out)
{
    if (bits == 128)
        IMB_AES128_GCM_PRE(m, key, out);
    else if (bits == 192)
        IMB_AES192_GCM_PRE(m, key, out);
    else
        IMB_AES256_GCM_PRE(m, key, out);
}

static void gcm_keys(struct imb_gcm *k, unsigned bits, const uint8_t *key)
{
    IMB_MGR *m = imb_mgr();
    imb_gcm_pre(m, bits, key, &k->k);
    k->enc = bits == 128 ? m->gcm128_enc : bits == 192 ? m->gcm192_enc : m->gcm256_enc;
    k->dec = bits == 128 ? m->gcm128_dec : bits == 192 ? m->gcm192_dec : m->gcm256_dec;
}

static void vaes_keys(struct imb_vaes *k, const uint8_t *key)
{
    struct gcm_key_data all;
    imb_gcm_pre(imb_mgr(), k->e.head.encr->key_bits, key, &all);
    imb_vaes_take(k, &all);
    secret_wipe(&all, sizeof all);
}

static void chacha_keys(struct imb_block *b, const uint8_t *key)
{
    memcpy(b->chacha, key, sizeof b->chacha);
    b->enc_keys = b->dec_keys = b->chacha;
    b->e.cipher = IMB_CIPHER_CHACHA20_POLY1305;
    b->e.hash = IMB_AUTH_CHACHA20_POLY1305;
}

static void aes_keys(struct imb_block *b, const uint8_t *key)
{
    if (b->e.head.encr->key_bits == 128)
        IMB_AES_KEYEXP_128(imb_mgr(), key, b->enc, b->dec);
    else if (b->e.head.encr->key_bits == 192)
        IMB_AES_KEYEXP_192(imb_mgr(), key, b->enc, b->dec);
    else
        IMB_AES_KEYEXP_256(imb_mgr(), key, b->enc, b->dec);
    b->enc_keys = b->enc;
    b->dec_keys = b->dec;
}

static void des_keys(struct imb_block *b, const uint8_t *key)
{
    IMB_DES_KEYSCHED(imb_mgr(), b->des[0], key);
    b->enc_keys = b->dec_keys = b->des[0];
    b->e.cipher = IMB_CIPHER_DES;
}

static void des3_keys(struct imb_block *b, const uint8_t *key)
{
    for (size_t i = 0; i < 3; i++) {
        IMB_DES_KEYSCHED(imb_mgr(), b->des[i], key + 8 * i);
        b->des_keys[i] = b->des[i];
    }
    b->enc_keys = b->dec_keys = b->des_keys;
    b->e.cipher = IMB_CIPHER_DES3;
}

static void iv_key(struct imb_block *b)
{
    DECLARE_ALIGNED(uint8_t unused[15 * 16], 16);
    uint8_t raw[16];
    cr_random(raw, sizeof raw);
    IMB_AES_KEYEXP_128(imb_mgr(), raw, b->iv_key, unused);
    secret_wipe(raw, sizeof raw);
    secret_wipe(unused, sizeof unused);
}

static void cbc_keys(struct imb_block *b, const uint8_t *key)
{
    iv_key(b);
    if (b->e.head.encr->id == ENCR_DES) {
        des_keys(b, key);
    } else if (b->e.head.encr->id == ENCR_3DES) {
        des3_keys(b, key);
    } else {
        aes_keys(b, key);
        b->e.cipher = IMB_CIPHER_CBC;
    }
}

/* Counter modes encrypt in both directions. */
static void counter_keys(struct imb_block *b, const uint8_t *key)
{
    bool ccm = b->e.head.encr->mode == MODE_CCM;
    aes_keys(b, key);
    b->dec_keys = b->enc;
    b->e.cipher = ccm ? IMB_CIPHER_CCM : IMB_CIPHER_CNTR;
    if (ccm)
        b->e.hash = IMB_AUTH_AES_CCM;
}

static void block_keys(struct imb_block *b, const uint8_t *key)
{
    switch (b->e.head.encr->mode) {
    case MODE_CHACHA:
        chacha_keys(b, key);
        break;
    case MODE_CBC:
        cbc_keys(b, key);
        break;
    case MODE_CTR:
    case MODE_CCM:
        counter_keys(b, key);
        break;
    default:
        b->e.cipher = IMB_CIPHER_NULL;
    }
}

/* RFC 2104 2: the hash's state after the block key xor 0x36 (inner) or 0x5c (outer). */
static void pad_state(hash_one_block_t one_block, size_t block, struct bytes key, uint8_t pad,
                      uint8_t *state)
{
    uint8_t b[128];
    memset(b, pad, block);
    for (size_t i = 0; i < key.n; i++)
        b[i] ^= key.p[i];
    one_block(b, state);
    secret_wipe(b, sizeof b);
}

static void hmac_keys(struct imb_block *b, struct bytes key)
{
    IMB_MGR *m = imb_mgr();
    const struct {
        uint16_t id;
        IMB_HASH_ALG alg;
        hash_one_block_t one_block;
        size_t block;
    } rows[] = {
        {AUTH_HMAC_MD5_96, IMB_AUTH_MD5, m->md5_one_block, 64},
        {AUTH_HMAC_SHA1_96, IMB_AUTH_HMAC_SHA_1, m->sha1_one_block, 64},
        {AUTH_HMAC_SHA2_256_128, IMB_AUTH_HMAC_SHA_256, m->sha256_one_block, 64},
        {AUTH_HMAC_SHA2_256_96, IMB_AUTH_HMAC_SHA_256, m->sha256_one_block, 64},
        {AUTH_HMAC_SHA2_384_192, IMB_AUTH_HMAC_SHA_384, m->sha384_one_block, 128},
        {AUTH_HMAC_SHA2_512_256, IMB_AUTH_HMAC_SHA_512, m->sha512_one_block, 128},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].id == b->e.head.integ->id) {
            b->e.hash = (uint8_t)rows[i].alg;
            pad_state(rows[i].one_block, rows[i].block, key, 0x36, b->ipad);
            pad_state(rows[i].one_block, rows[i].block, key, 0x5c, b->opad);
        }
}

static bool is_cbc_mac(const struct alg *integ)
{
    return integ && (integ->id == AUTH_AES_XCBC_96 || integ->id == AUTH_AES_CMAC_96);
}

static void cbc_mac_keys(struct imb_block_cbc_mac *x, const uint8_t *key)
{
    DECLARE_ALIGNED(uint8_t unused[11 * 16], 16);
    bool cmac = x->b.e.head.integ->id == AUTH_AES_CMAC_96;
    x->b.e.hash = cmac ? IMB_AUTH_AES_CMAC : IMB_AUTH_AES_XCBC;
    if (!cmac) {
        IMB_AES_XCBC_KEYEXP(imb_mgr(), key, x->k1, x->k2, x->k3);
        return;
    }
    IMB_AES_KEYEXP_128(imb_mgr(), key, x->k1, unused);
    IMB_AES_CMAC_SUBKEY_GEN_128(imb_mgr(), x->k1, x->k2, x->k3);
    secret_wipe(unused, sizeof unused);
}

static enum esp_kind kind_of(const struct alg *encr, const struct alg *integ)
{
    if (encr->mode == MODE_GMAC || (integ && integ->ah_only))
        return ESP_IMB_DIRECT;
    if (encr->mode == MODE_GCM)
        return encr->iv_len ? ESP_IMB_GCM : ESP_IMB_DIRECT;
    return ESP_IMB_JOB;
}

size_t imb_esp_size(const struct alg *encr, const struct alg *integ)
{
    enum esp_kind kind = kind_of(encr, integ);
    if (kind == ESP_IMB_JOB)
        return is_cbc_mac(integ) ? sizeof(struct imb_block_cbc_mac) : sizeof(struct imb_block);
    if (kind == ESP_IMB_DIRECT || !imb_vaes_chosen())
        return sizeof(struct imb_gcm);
    return offsetof(struct imb_vaes, rk) + (7u + encr->key_bits / 32u) * 16u;
}

static uint8_t odd_of(const struct alg *encr, const struct alg *integ)
{
    bool cut = integ && integ->id == AUTH_HMAC_SHA2_256_96;
    return (uint8_t)((cut ? ODD_CUT : 0) | (encr->mode == MODE_CTR ? ODD_COUNTER : 0) |
                     (encr->mode == MODE_CCM ? ODD_CCM : 0) |
                     (encr->aead && !encr->iv_len ? ODD_IMPLICIT : 0) |
                     (is_cbc_mac(integ) ? ODD_CBC_MAC : 0));
}

static void head_set(struct imb_esp *k, const struct alg *encr, const struct alg *integ)
{
    *k = (struct imb_esp){.head = {.encr = encr,
                                   .integ = integ,
                                   .kind = (uint8_t)kind_of(encr, integ),
                                   .iv_len = encr->iv_len,
                                   .icv_len = integ ? integ->icv_len : encr->icv_len,
                                   .block = encr->block},
                          .rounds = (uint8_t)(6 + encr->key_bits / 32),
                          .odd = odd_of(encr, integ)};
}

static void job_keys(void *mem, const uint8_t *key, struct bytes integ_key)
{
    const struct alg *integ = ((struct imb_esp *)mem)->head.integ;
    block_keys(mem, key);
    if (is_cbc_mac(integ))
        cbc_mac_keys(mem, integ_key.p);
    else if (integ)
        hmac_keys(mem, integ_key);
}

/* RFC 4543 4: the integrity key is AES's with the salt behind */
static void ah_gmac_keys(struct imb_gcm *k, struct bytes integ_key)
{
    memcpy(k->e.salt, integ_key.p + integ_key.n - 4, 4);
    gcm_keys(k, (unsigned)(8 * (integ_key.n - 4)), integ_key.p);
}

void imb_esp_init(const struct alg *encr, const struct alg *integ, struct bytes key,
                  struct bytes integ_key, void *mem)
{
    struct imb_esp *k = mem;
    memset(mem, 0, imb_esp_size(encr, integ));
    head_set(k, encr, integ);
    if (encr->salt_len)
        memcpy(k->salt, key.p + encr->key_len, encr->salt_len);
    if (k->head.kind == ESP_IMB_JOB)
        job_keys(mem, key.p, integ_key);
    else if (integ)
        ah_gmac_keys(mem, integ_key);
    else if (k->head.kind == ESP_IMB_GCM && imb_vaes_chosen())
        vaes_keys(mem, key.p);
    else
        gcm_keys(mem, encr->key_bits, key.p);
}

void imb_esp_fini(struct cr_esp *e)
{
    secret_wipe(e, imb_esp_size(e->encr, e->integ));
}
