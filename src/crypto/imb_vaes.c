/*
 * AES-GCM of ESP (RFC 4106) with VAES and VPCLMULQDQ on 512-bit registers. ipsec-mb's general
 * function spends time on what ESP knows beforehand: a nonce of 12 bytes, 8 or 12 bytes of
 * associated data, the whole text in one piece, no context to keep; and its 48 powers of H are
 * seventeen cache lines, where these are five. Keys are taken from ipsec-mb's tables. Called by
 * imb_gcm.c.
 *
 * imb_vaes_trial.c holds it against ipsec-mb before it is used; the self-test of init.c holds both
 * against OpenSSL.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_vaes.h"

#define SLICE_HEAD 128 /* a multiple of 64: these bytes of a text are always read in place */

INLINE void advance(struct part *p)
{
    p->src += 256;
    p->dst += 256;
    p->left -= 256;
}

/* To the text; `block` becomes what was written, to be hashed. head: the first four. */
INLINE void seal_text(struct part *p, const __m512i *x, __m512i *block, bool head)
{
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++) {
        const uint8_t *src = p->src + 64 * g;
        if (head && g < SLICE_HEAD / 64)
            src += p->in_place;
        __m512i out = _mm512_xor_si512(_mm512_loadu_si512(src), x[g]);
        _mm512_storeu_si512(p->dst + 64 * g, out);
        block[g] = byte_swap(out);
    }
    advance(p);
}

INLINE void open_four(const struct imb_vaes *k, const struct schedule *ks, struct part *p,
                      size_t rounds, enum place at, size_t more)
{
    __m512i x[4], in[4], block[4];
    begin(ks, p, x, 4, false);
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++) {
        in[g] = _mm512_loadu_si512(p->src + 64 * g);
        block[g] = byte_swap(in[g]);
    }
    encrypt_and_hash(k, ks, p, x, block, rounds, at, more);
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++)
        _mm512_storeu_si512(p->dst + 64 * g, _mm512_xor_si512(in[g], x[g]));
    advance(p);
}

/* Registers of a tail that are summed a lane each, before the last two. */
#define SUMMED(n) ((n) > 2 ? (n)-2 : 0)

/* The tag. open: the sum of four registers before these, for SUMMED(n) more. */
INLINE __m128i tail_hash(const struct tail *t, struct part *p, size_t n, bool open)
{
    const struct imb_vaes *k = t->k;
    if (n > 2) {
        if (!open)
            p->sum = mul(p->acc, stripe(k, n - 2));
#pragma GCC unroll 5
        for (size_t g = 0; g + 3 < n; g++)
            add(&p->sum, t->block[g], stripe(k, n - 3 - g));
        p->acc = _mm512_xor_si512(t->block[n - 3], reduce_lanes(&p->sum));
    }
    struct gcm_sum s;
    if (n == 1) {
        s = mul(p->acc, powers(k, t->blocks + 5));
    } else {
        s = mul(p->acc, powers(k, t->blocks + 13 - 4 * n));
        add(&s, t->block[n - 2], powers(k, t->blocks + 9 - 4 * n));
    }
    add(&s, t->block[n - 1], last_powers(t, n));
    return tag_of(t, &s);
}

/* Before the text: associated data. */
INLINE __m512i first_acc(const struct cr_op *op)
{
    return byte_swap(with_aad(op, _mm512_setzero_si512(), 3));
}

#define MORE_THAN_4 304 /* bytes: four registers, and two or more behind them */

/* block: four registers that are encrypted and not yet hashed, or NULL. */
INLINE __m128i seal_end(const struct imb_vaes *k, const struct schedule *ks, const struct cr_op *op,
                        struct part *p, const __m512i *block, enum place at, size_t n,
                        size_t rounds)
{
    struct tail t = {.k = k};
    size_t more = block && at == ONLY_4 ? SUMMED(n) : 0;
    rest(ks, op, p, &t, n, rounds, true, false);
    if (block)
        hash_four(k, p, block, at, more);
    return tail_hash(&t, p, n, more != 0);
}

INLINE __m128i seal_rest(const struct imb_vaes *k, const struct schedule *ks,
                         const struct cr_op *op, struct part *p, const __m512i *block,
                         enum place at, size_t rounds)
{
    p->src += p->in_place;
    switch ((p->left + 15) / 64) {
    case 0:
        return seal_end(k, ks, op, p, block, at, 1, rounds);
    case 1:
        return seal_end(k, ks, op, p, block, at, 2, rounds);
    case 2:
        return seal_end(k, ks, op, p, block, at, 3, rounds);
    case 3:
        return seal_end(k, ks, op, p, block, at, 4, rounds);
    default:
        return seal_end(k, ks, op, p, block, at, 5, rounds);
    }
}

/* Hashing what was just encrypted would wait for it: it comes beside the next four registers. */
INLINE __m128i seal_fours(const struct imb_vaes *k, const struct schedule *ks,
                          const struct cr_op *op, struct part *p, size_t rounds)
{
    __m512i x[4], block[4];
    begin(ks, p, x, 4, false);
    encrypt(ks, x, 4, rounds);
    seal_text(p, x, block, true);
    while (p->left > MORE_THAN_4 + 256) {
        begin(ks, p, x, 4, false);
        encrypt_and_hash(k, ks, p, x, block, rounds, FIRST_4, 0);
        seal_text(p, x, block, false);
        begin(ks, p, x, 4, false);
        encrypt_and_hash(k, ks, p, x, block, rounds, LAST_4, 0);
        seal_text(p, x, block, false);
    }
    if (p->left <= MORE_THAN_4)
        return seal_rest(k, ks, op, p, block, ONLY_4, rounds);
    begin(ks, p, x, 4, false);
    encrypt_and_hash(k, ks, p, x, block, rounds, FIRST_4, 0);
    seal_text(p, x, block, false);
    return seal_rest(k, ks, op, p, block, LAST_4, rounds);
}

INLINE void seal_one(const struct imb_vaes *k, const struct schedule *ks, const struct cr_op *op,
                     size_t rounds)
{
    uint8_t *text = op->p + 16;
    __m128i tag;
    /* RFC 4106 3.1: unique is enough */
    put_u64(op->p + 8, op->iv_seed);
    struct part p =
        part_of(op, nonce_of(ks->salted, &op->iv_seed), op->plain ? op->plain : text, text);
    p.start = begun_by_nonce(ks, p.base);
    p.acc = first_acc(op);
    if (op->body) {
        p.src = op->body - op->body_at;
        p.in_place = text - p.src;
    }
    if (p.left > MORE_THAN_4)
        tag = seal_fours(k, ks, op, &p, rounds);
    else
        tag = seal_rest(k, ks, op, &p, NULL, ONLY_4, rounds);
    _mm_mask_storeu_epi8(text + op->text_len, ks->icv, tag);
}

/* four: four registers before the rest are hashed together with it. */
INLINE __m128i open_end(const struct imb_vaes *k, const struct schedule *ks, const struct cr_op *op,
                        struct part *p, size_t n, size_t rounds, bool four)
{
    struct tail t = {.k = k};
    if (four)
        open_four(k, ks, p, rounds, ONLY_4, SUMMED(n));
    rest(ks, op, p, &t, n, rounds, false, false);
    return tail_hash(&t, p, n, four && SUMMED(n));
}

INLINE __m128i open_rest(const struct imb_vaes *k, const struct schedule *ks,
                         const struct cr_op *op, struct part *p, size_t rounds, bool four)
{
    switch ((p->left - (four ? 256 : 0) + 15) / 64) {
    case 0:
        return open_end(k, ks, op, p, 1, rounds, four);
    case 1:
        return open_end(k, ks, op, p, 2, rounds, four);
    case 2:
        return open_end(k, ks, op, p, 3, rounds, four);
    case 3:
        return open_end(k, ks, op, p, 4, rounds, four);
    default:
        return open_end(k, ks, op, p, 5, rounds, four);
    }
}

INLINE __m128i open_text(const struct imb_vaes *k, const struct schedule *ks,
                         const struct cr_op *op, struct part p, size_t rounds)
{
    p.start = begun_by_nonce(ks, p.base);
    p.acc = first_acc(op);
    while (p.left > MORE_THAN_4 + 256) {
        open_four(k, ks, &p, rounds, FIRST_4, 0);
        open_four(k, ks, &p, rounds, LAST_4, 0);
    }
    return p.left > MORE_THAN_4 ? open_rest(k, ks, op, &p, rounds, true)
                                : open_rest(k, ks, op, &p, rounds, false);
}

INLINE void open_one(const struct imb_vaes *k, const struct schedule *ks, struct cr_op *op,
                     size_t rounds)
{
    uint8_t *text = op->p + 16;
    __m128i want = _mm_maskz_loadu_epi8(ks->icv, text + op->text_len);
    struct part p = part_of(op, nonce(ks->salted, op->p + 8), text, op->plain ? op->plain : text);
    __m128i tag = open_text(k, ks, op, p, rounds);
    op->status = _mm_mask_cmpneq_epi8_mask(ks->icv, tag, want) ? R_DP_ICV : E_OK;
}

#define MANY 3 /* packets of the same key to follow: then the table of begin pays */

/* Operations from i on, as many as have the same key and are not short; where it ended. */
INLINE size_t run(struct imb_ctx *c, struct cr_op *ops, size_t i, size_t n, size_t rounds,
                  bool seal)
{
    const struct imb_vaes *k = (const struct imb_vaes *)ops[i].key;
    bool many = i + MANY < n && ops[i + MANY].key == &k->e.head;
    struct schedule ks;
    schedule_init(&ks, k, rounds);
    ks.table = c->begun;
    c->begun_used |= many;
    do {
        if (many)
            begun_for(&ks, ops[i].text_len);
        if (seal)
            seal_one(k, &ks, &ops[i], rounds);
        else
            open_one(k, &ks, &ops[i], rounds);
        i++;
    } while (i < n && ops[i].key == &k->e.head && !imb_vaes_is_short(&ops[i]));
    return i;
}

/* Round keys and key stream of the last packet stay in the registers otherwise. */
VECTOR static void wipe_registers(void)
{
    __asm__ volatile("vzeroall" ::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                           "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    __asm__ volatile("vpxorq %%zmm16,%%zmm16,%%zmm16;vpxorq %%zmm17,%%zmm17,%%zmm17;"
                     "vpxorq %%zmm18,%%zmm18,%%zmm18;vpxorq %%zmm19,%%zmm19,%%zmm19;"
                     "vpxorq %%zmm20,%%zmm20,%%zmm20;vpxorq %%zmm21,%%zmm21,%%zmm21;"
                     "vpxorq %%zmm22,%%zmm22,%%zmm22;vpxorq %%zmm23,%%zmm23,%%zmm23;"
                     "vpxorq %%zmm24,%%zmm24,%%zmm24;vpxorq %%zmm25,%%zmm25,%%zmm25;"
                     "vpxorq %%zmm26,%%zmm26,%%zmm26;vpxorq %%zmm27,%%zmm27,%%zmm27;"
                     "vpxorq %%zmm28,%%zmm28,%%zmm28;vpxorq %%zmm29,%%zmm29,%%zmm29;"
                     "vpxorq %%zmm30,%%zmm30,%%zmm30;vpxorq %%zmm31,%%zmm31,%%zmm31" ::
                         : "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23",
                           "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

/* What `rest` works on, and a body that does not hold all between head and rest, is in place. */
void imb_vaes_slices(struct cr_op *op)
{
    uint8_t *text = op->p + 16;
    uint32_t end = op->body_at + op->body_len;
    if (op->text_len <= MORE_THAN_4 || op->body_at > SLICE_HEAD) {
        op_gather(op);
        return;
    }
    uint32_t rest = ((op->text_len - MORE_THAN_4 - 1) / 256 + 1) * 256;
    if (end < rest) {
        op_gather(op);
        return;
    }
    memcpy(text + op->body_at, op->body, SLICE_HEAD);
    memcpy(text + rest, op->body + (rest - op->body_at), end - rest);
}

/* A function for each size of key: merged, they would take turns at the registers. */
#define NOINLINE __attribute__((noinline)) VECTOR

NOINLINE static size_t seal_10(struct imb_ctx *c, struct cr_op *ops, size_t i, size_t n)
{
    return run(c, ops, i, n, 10, true);
}

NOINLINE static size_t seal_12(struct imb_ctx *c, struct cr_op *ops, size_t i, size_t n)
{
    return run(c, ops, i, n, 12, true);
}

NOINLINE static size_t seal_14(struct imb_ctx *c, struct cr_op *ops, size_t i, size_t n)
{
    return run(c, ops, i, n, 14, true);
}

NOINLINE static size_t open_10(struct imb_ctx *c, struct cr_op *ops, size_t i, size_t n)
{
    return run(c, ops, i, n, 10, false);
}

NOINLINE static size_t open_12(struct imb_ctx *c, struct cr_op *ops, size_t i, size_t n)
{
    return run(c, ops, i, n, 12, false);
}

NOINLINE static size_t open_14(struct imb_ctx *c, struct cr_op *ops, size_t i, size_t n)
{
    return run(c, ops, i, n, 14, false);
}

#define AHEAD 4 /* operations */

/* With thousands of SAs a key is seldom in the cache: it is fetched while the packets before it are
 * worked on. */
static inline void fetch_key(const struct cr_op *ops, size_t i, size_t n)
{
    if (i + AHEAD >= n || ops[i + AHEAD].key == ops[i + AHEAD - 1].key)
        return;
    const char *k = (const char *)ops[i + AHEAD].key;
    for (size_t at = 0; at < 480; at += 64) /* what AES-128 uses */
        __builtin_prefetch(k + at);
}

void imb_vaes_seal(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t rounds = imb_key(&ops[i])->rounds;
        fetch_key(ops, i, n);
        if (imb_vaes_is_short(&ops[i]))
            i = imb_vaes_seal_short(ops, i, n);
        else
            i = rounds == 10   ? seal_10(c, ops, i, n)
                : rounds == 12 ? seal_12(c, ops, i, n)
                               : seal_14(c, ops, i, n);
    }
}

void imb_vaes_open(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t rounds = imb_key(&ops[i])->rounds;
        fetch_key(ops, i, n);
        if (imb_vaes_is_short(&ops[i]))
            i = imb_vaes_open_short(ops, i, n);
        else
            i = rounds == 10   ? open_10(c, ops, i, n)
                : rounds == 12 ? open_12(c, ops, i, n)
                               : open_14(c, ops, i, n);
    }
}

VECTOR void imb_vaes_end(struct imb_ctx *c)
{
    if (c->begun_used)
        secret_wipe(c->begun, sizeof c->begun);
    c->begun_used = false;
    wipe_registers();
}

/* Powers of H from the library's 48, which stand in falling order. */
void imb_vaes_take(struct imb_vaes *k, const struct gcm_key_data *g)
{
    const uint8_t *lowest = g->ghash_keys.vaes_avx512.shifted_hkey + 47 * 16;
    for (size_t i = 0; i < sizeof k->stripe / 16; i++)
        memcpy(k->stripe[i], lowest - (4 * (8 - i) - 1) * 16, 16);
    for (size_t i = 0; i < POWERS; i++)
        memcpy(k->power[i], lowest - (POWERS - i - 1) * 16, 16);
    memcpy(k->rk, g->expanded_keys, (k->e.rounds + 1u) * 16u);
}
