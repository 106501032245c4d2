/*
 * AES-GMAC for ESP and AH (RFC 4543) and AES-GCM with an implicit IV (RFC 8750) through ipsec-mb's
 * direct calls, one packet at a time. Called by imb.c.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_impl.h"

struct gmac {
    aes_gmac_init_t init;
    aes_gmac_update_t update;
    aes_gmac_finalize_t finalize;
};

static struct gmac gmac_of(const IMB_MGR *m, unsigned bits)
{
    if (bits == 128)
        return (struct gmac){m->gmac128_init, m->gmac128_update, m->gmac128_finalize};
    if (bits == 192)
        return (struct gmac){m->gmac192_init, m->gmac192_update, m->gmac192_finalize};
    return (struct gmac){m->gmac256_init, m->gmac256_update, m->gmac256_finalize};
}

static inline const struct imb_gcm *gcm_key(const struct cr_op *op)
{
    return (const struct imb_gcm *)op->key;
}

static inline struct gcm_context_data *context(struct imb_ctx *c)
{
    return (struct gcm_context_data *)(void *)c->gcm_page;
}

/* Over SPI | sequence number | IV | text; the library takes pieces of any length. */
static void esp_gmac(struct imb_ctx *c, const struct cr_op *op, const uint8_t *text, uint8_t *tag)
{
    const struct alg *encr = op->key->encr;
    const struct gcm_key_data *k = &gcm_key(op)->k;
    struct gmac g = gmac_of(c->mgr, encr->key_bits);
    imb_nonce(c, op, 0);
    imb_aead_aad(c, op, 0);
    g.init(k, context(c), c->nonce[0], 12);
    g.update(k, context(c), imb_aad(c, op, 0), op->esn ? 12 : 8);
    g.update(k, context(c), op->p + 8, 8);
    g.update(k, context(c), text, op->text_len);
    g.finalize(k, context(c), tag, encr->icv_len);
}

/* Over everything in its order, then the high half of the sequence number (RFC 4302 3.3.3.2.2). */
static void ah_gmac(struct imb_ctx *c, const struct cr_op *op, const uint8_t *iv, uint8_t *tag)
{
    const struct gcm_key_data *k = &gcm_key(op)->k;
    struct gmac g = gmac_of(c->mgr, 8u * (op->key->integ->key_len - 4u));
    uint8_t high[4];
    memcpy(c->nonce[0], imb_key(op)->salt, 4);
    memcpy(c->nonce[0] + 4, iv, 8);
    put_u32(high, op->seq_hi);
    g.init(k, context(c), c->nonce[0], 12);
    g.update(k, context(c), op->p, 8 + (uint64_t)op->text_len);
    if (op->esn)
        g.update(k, context(c), high, sizeof high);
    g.finalize(k, context(c), tag, 16);
}

static void seal_gcm(struct imb_ctx *c, const struct cr_op *op, uint8_t *text)
{
    const struct imb_gcm *k = gcm_key(op);
    imb_nonce(c, op, 0);
    imb_aead_aad(c, op, 0);
    k->enc(&k->k, context(c), text, op->plain ? op->plain : text, op->text_len, c->nonce[0],
           imb_aad(c, op, 0), op->esn ? 12 : 8, text + op->text_len, op->key->icv_len);
}

void imb_direct_seal(struct imb_ctx *c, struct cr_op *op)
{
    uint8_t *text = op_text(op), *icv = text + op->text_len;
    op->status = E_OK;
    if (op->key->encr->mode == MODE_GCM) {
        seal_gcm(c, op, text);
        return;
    }
    if (op->plain)
        memmove(text, op->plain, op->text_len);
    if (op->key->integ) {
        put_u64(icv, op->iv_seed);
        ah_gmac(c, op, icv, icv + 8);
    } else {
        put_u64(op->p + 8, op->iv_seed);
        esp_gmac(c, op, text, icv);
    }
}

static void open_gcm(struct imb_ctx *c, const struct cr_op *op, uint8_t *text)
{
    const struct imb_gcm *k = gcm_key(op);
    imb_nonce(c, op, 0);
    imb_aead_aad(c, op, 0);
    k->dec(&k->k, context(c), op->plain ? op->plain : text, text, op->text_len, c->nonce[0],
           imb_aad(c, op, 0), op->esn ? 12 : 8, c->tag[0], op->key->icv_len);
}

void imb_direct_open(struct imb_ctx *c, struct cr_op *op)
{
    uint8_t *text = op_text(op), *icv = text + op->text_len;
    bool ah = op->key->integ != NULL;
    if (op->key->encr->mode == MODE_GCM)
        open_gcm(c, op, text);
    else if (ah)
        ah_gmac(c, op, icv, c->tag[0]);
    else
        esp_gmac(c, op, text, c->tag[0]);
    op->status = icv_eq(c->tag[0], ah ? icv + 8 : icv, 16) ? E_OK : R_DP_ICV;
    if (op->plain && op->key->encr->mode != MODE_GCM)
        memmove(op->plain, text, op->text_len);
}
