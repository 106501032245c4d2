/*
 * AES-GCM of ESP packets whose text is short, up to 160 bytes: three registers with the block of
 * associated data and that of the lengths among them, one sum of products, one reduction. Beside
 * imb_vaes.c, which has the others, so that a loop over short ones is small.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_vaes.h"

INLINE __m128i text_and_tag(const struct imb_vaes *k, const struct schedule *ks,
                            const struct cr_op *op, struct part *p, size_t n, size_t rounds,
                            bool seal)
{
    struct tail t = {.k = k};
    rest(ks, op, p, &t, n, rounds, seal, true);
    return whole_hash(&t, n);
}

/* With two blocks to spare. */
INLINE __m128i work(const struct imb_vaes *k, const struct schedule *ks, const struct cr_op *op,
                    struct part *p, size_t rounds, bool seal)
{
    switch ((p->left + 31) / 64) {
    case 0:
        return text_and_tag(k, ks, op, p, 1, rounds, seal);
    case 1:
        return text_and_tag(k, ks, op, p, 2, rounds, seal);
    default:
        return text_and_tag(k, ks, op, p, 3, rounds, seal);
    }
}

INLINE void seal_one(const struct imb_vaes *k, const struct schedule *ks, struct cr_op *op,
                     size_t rounds)
{
    uint8_t *text = op->p + 16;
    put_u64(op->p + 8, op->iv_seed); /* RFC 4106 3.1: unique is enough */
    struct part p =
        part_of(op, nonce_of(ks->salted, &op->iv_seed), op->plain ? op->plain : text, text);
    __m128i tag = work(k, ks, op, &p, rounds, true);
    _mm_mask_storeu_epi8(text + op->text_len, ks->icv, tag);
}

INLINE void open_one(const struct imb_vaes *k, const struct schedule *ks, struct cr_op *op,
                     size_t rounds)
{
    uint8_t *text = op->p + 16;
    __m128i want = _mm_maskz_loadu_epi8(ks->icv, text + op->text_len);
    struct part p = part_of(op, nonce(ks->salted, op->p + 8), text, op->plain ? op->plain : text);
    __m128i tag = work(k, ks, op, &p, rounds, false);
    op->status = _mm_mask_cmpneq_epi8_mask(ks->icv, tag, want) ? R_DP_ICV : E_OK;
}

INLINE size_t run(struct cr_op *ops, size_t i, size_t n, size_t rounds, bool seal)
{
    const struct imb_vaes *k = (const struct imb_vaes *)ops[i].key;
    struct schedule ks;
    schedule_init(&ks, k, rounds);
    do {
        if (seal)
            seal_one(k, &ks, &ops[i], rounds);
        else
            open_one(k, &ks, &ops[i], rounds);
        i++;
    } while (i < n && ops[i].key == &k->e.head && imb_vaes_is_short(&ops[i]));
    return i;
}

#define NOINLINE __attribute__((noinline)) VECTOR

NOINLINE static size_t seal_10(struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, 10, true);
}

NOINLINE static size_t seal_12(struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, 12, true);
}

NOINLINE static size_t seal_14(struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, 14, true);
}

NOINLINE static size_t open_10(struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, 10, false);
}

NOINLINE static size_t open_12(struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, 12, false);
}

NOINLINE static size_t open_14(struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, 14, false);
}

size_t imb_vaes_seal_short(struct cr_op *ops, size_t i, size_t n)
{
    uint8_t rounds = imb_key(&ops[i])->rounds;
    return rounds == 10   ? seal_10(ops, i, n)
           : rounds == 12 ? seal_12(ops, i, n)
                          : seal_14(ops, i, n);
}

size_t imb_vaes_open_short(struct cr_op *ops, size_t i, size_t n)
{
    uint8_t rounds = imb_key(&ops[i])->rounds;
    return rounds == 10   ? open_10(ops, i, n)
           : rounds == 12 ? open_12(ops, i, n)
                          : open_14(ops, i, n);
}
