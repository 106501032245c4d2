/*
 * Is ipsec-mb right about a suite on this machine? Packets of several SAs and lengths, different in
 * every lane, sealed by one implementation and opened by the other. Identical data in all lanes
 * would hide a lane that takes another's (ipsec-mb 2.0.2's 3DES-CBC did). Called by init.c.
 */
#include "crypto/esp_impl.h"
#include <stdlib.h>

#define LANES    48
#define KEYS     3
#define TEXT_MAX 320
#define ROOM     (8 + 16 + TEXT_MAX + 32)

struct bench {
    struct cr_esp *imb[KEYS], *ossl[KEYS];
    struct cr_op ops[LANES];
    uint8_t plain[LANES][TEXT_MAX];
    uint8_t packet[LANES][ROOM];
};

static void make_keys(struct bench *b, const struct alg *encr, const struct alg *integ, bool *ok)
{
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t key[36], integ_key[64];
        cr_random(key, sizeof key);
        cr_random(integ_key, sizeof integ_key);
        struct bytes k = bytes_of(key, (size_t)encr->key_len + encr->salt_len),
                     ik = bytes_of(integ_key, integ ? integ->key_len : 0);
        b->imb[i] = aligned_alloc(64, (imb_esp_size(encr, integ) + 63) / 64 * 64);
        b->ossl[i] = aligned_alloc(64, (ossl_esp_size() + 63) / 64 * 64);
        if (!b->imb[i] || !b->ossl[i] || ossl_esp_init(encr, integ, k, ik, b->ossl[i])) {
            free(b->imb[i]);
            free(b->ossl[i]);
            b->imb[i] = b->ossl[i] = NULL;
            *ok = false;
            return;
        }
        imb_esp_init(encr, integ, k, ik, b->imb[i]);
    }
}

static void free_keys(struct bench *b)
{
    for (size_t i = 0; i < KEYS; i++) {
        if (!b->imb[i])
            continue;
        imb_esp_fini(b->imb[i]);
        ossl_esp_fini(b->ossl[i]);
        free(b->imb[i]);
        free(b->ossl[i]);
    }
}

static void make_ops(struct bench *b, struct cr_esp *const *keys)
{
    cr_random(b->plain, sizeof b->plain);
    memset(b->packet, 0, sizeof b->packet);
    for (uint32_t i = 0; i < LANES; i++) {
        struct cr_op *op = &b->ops[i];
        *op = (struct cr_op){.key = keys[i % KEYS],
                             .p = b->packet[i],
                             .text_len = 16 + i * 7 % 20 * 16,
                             .esn = i & 1,
                             .seq_hi = i,
                             .iv_seed = 1000 + i};
        put_u32(op->p, 0x1000 + i % KEYS);
        put_u32(op->p + 4, i);
        memcpy(op_text(op), b->plain[i], op->text_len);
    }
}

static void use_keys(struct bench *b, struct cr_esp *const *keys)
{
    for (size_t i = 0; i < LANES; i++)
        b->ops[i].key = keys[i % KEYS];
}

static bool all_open(const struct bench *b)
{
    for (size_t i = 0; i < LANES; i++)
        if (b->ops[i].status || memcmp(op_text(&b->ops[i]), b->plain[i], b->ops[i].text_len) != 0)
            return false;
    return true;
}

static bool seal_imb_open_ossl(struct imb_ctx *c, struct bench *b)
{
    make_ops(b, b->imb);
    imb_seal(c, b->ops, LANES);
    for (size_t i = 0; i < LANES; i++)
        if (b->ops[i].status)
            return false;
    use_keys(b, b->ossl);
    for (size_t i = 0; i < LANES; i++)
        ossl_esp_open(&b->ops[i]);
    return all_open(b);
}

static bool seal_ossl_open_imb(struct imb_ctx *c, struct bench *b)
{
    make_ops(b, b->ossl);
    for (size_t i = 0; i < LANES; i++)
        ossl_esp_seal(&b->ops[i]);
    use_keys(b, b->imb);
    imb_open(c, b->ops, LANES);
    return all_open(b);
}

/* Every third packet is forged, each elsewhere: those and no others may fail. */
static bool forged_are_found(struct imb_ctx *c, struct bench *b)
{
    make_ops(b, b->ossl);
    for (size_t i = 0; i < LANES; i++) {
        struct cr_op *op = &b->ops[i];
        ossl_esp_seal(op);
        size_t len = (size_t)(op_text(op) - op->p) + op->text_len + op->key->icv_len;
        if (i % 3 == 0)
            op->p[(i * 37 + 4) % len] ^= (uint8_t)(1u << i % 8);
    }
    use_keys(b, b->imb);
    imb_open(c, b->ops, LANES);
    for (size_t i = 0; i < LANES; i++)
        if (b->ops[i].status != (i % 3 == 0 ? R_DP_ICV : E_OK))
            return false;
    return true;
}

bool esp_selftest(struct imb_ctx *c, const struct alg *encr, const struct alg *integ)
{
    struct bench b = {0};
    bool ok = true;
    make_keys(&b, encr, integ, &ok);
    ok = ok && seal_imb_open_ossl(c, &b) && seal_ossl_open_imb(c, &b) && forged_are_found(c, &b);
    free_keys(&b);
    return ok;
}
