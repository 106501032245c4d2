/*
 * AES-GCM through ipsec-mb's direct calls, which beat its job interface by 5 to 7 ns on small
 * packets. RFC 4106. Called by imb.c, which frames a whole batch before the first call: that halves
 * the cost at 64 bytes.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_impl.h"

void imb_aead_frame(const struct cr_op *op, struct imb_slot *s)
{
    memcpy(s->nonce, imb_key(op)->salt, 4);
    memcpy(s->nonce + 4, op->p + 8, 8);
    if (!op->esn)
        return;
    /* RFC 4106 5: SPI | 64-bit sequence number */
    memcpy(s->aad, op->p, 4);
    put_u32(s->aad + 4, op->seq_hi);
    memcpy(s->aad + 8, op->p + 4, 4);
}

void imb_gcm_seal(struct imb_ctx *c, struct cr_op *op, struct imb_slot *s)
{
    const struct imb_esp *k = imb_key(op);
    uint8_t *text = op->p + 16;
    k->gcm_enc(&k->k.gcm, &c->gcm, text, op->plain ? op->plain : text, op->text_len, s->nonce,
               imb_aad(op, s), op->esn ? 12 : 8, text + op->text_len, k->head.icv_len);
    op->status = E_OK;
}

void imb_gcm_open(struct imb_ctx *c, struct cr_op *op, struct imb_slot *s)
{
    const struct imb_esp *k = imb_key(op);
    uint8_t *text = op->p + 16;
    k->gcm_dec(&k->k.gcm, &c->gcm, op->plain ? op->plain : text, text, op->text_len, s->nonce,
               imb_aad(op, s), op->esn ? 12 : 8, s->tag, k->head.icv_len);
    op->status = icv_eq(s->tag, text + op->text_len, k->head.icv_len) ? E_OK : R_DP_ICV;
}
