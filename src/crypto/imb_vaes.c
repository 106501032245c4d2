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

/* To the text; `block` becomes what was written. head: the first four. */
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
                      size_t rounds, enum place at)
{
    __m512i x[4], in[4], block[4];
    next_counters(p, x, 4);
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++) {
        in[g] = _mm512_loadu_si512(p->src + 64 * g);
        block[g] = byte_swap(in[g]);
    }
    encrypt_and_hash(k, ks, p, x, block, rounds, at);
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++)
        _mm512_storeu_si512(p->dst + 64 * g, _mm512_xor_si512(in[g], x[g]));
    advance(p);
}

/* What is left of a packet when all of its text is done: to hash the last registers, and the tag.
 */
struct tail {
    const struct imb_vaes *k;
    uint8_t *icv;
    size_t n, spare;
    __m128i mask;
    __m512i acc;
    __m512i block[REGS];
};

/*
 * The rest of the text: n registers, the last of them with a block to spare, which holds the
 * lengths; in its place among the counters is the one of the tag's mask, 1.
 */
INLINE void rest(const struct schedule *ks, const struct cr_op *op, struct part *p, struct tail *t,
                 size_t n, size_t rounds, bool seal)
{
    size_t spare = (p->left + 15u) / 16 - 4 * (n - 1);
    __mmask8 words = (__mmask8)(3u << 2 * spare);
    __m512i x[REGS];
    next_counters(p, x, n);
    __m512i one = _mm512_xor_si512(p->base, _mm512_maskz_set1_epi32(0x8888, 1 << 24));
    x[n - 1] = _mm512_mask_mov_epi64(x[n - 1], words, one);
    encrypt(ks, x, n, rounds);
#pragma GCC unroll 5
    for (size_t g = 0; g < n; g++) {
        __mmask64 m = bytes_in(p->left, g, n);
        __m512i in = _mm512_maskz_loadu_epi8(m, p->src + 64 * g);
        __m512i out = _mm512_maskz_mov_epi8(m, _mm512_xor_si512(in, x[g]));
        _mm512_mask_storeu_epi8(p->dst + 64 * g, m, out);
        t->block[g] = byte_swap(seal ? out : in);
    }
    t->block[n - 1] =
        _mm512_mask_mov_epi64(t->block[n - 1], words, _mm512_broadcast_i32x4(len_block(op)));
    t->mask = _mm512_castsi512_si128(_mm512_maskz_compress_epi64(words, x[n - 1]));
    t->n = n;
    t->spare = spare;
}

/* The tag. */
INLINE __m128i tail_hash(const struct tail *t, size_t n)
{
    const struct imb_vaes *k = t->k;
    __m512i acc = t->acc;
    struct gcm_sum s;
    if (n > 2) {
        s = mul(acc, stripe(k, n - 2));
#pragma GCC unroll 5
        for (size_t g = 0; g + 3 < n; g++)
            add(&s, t->block[g], stripe(k, n - 3 - g));
        acc = _mm512_xor_si512(t->block[n - 3], reduce_lanes(&s));
    }
    if (n == 1) {
        s = mul(acc, powers(k, t->spare + 5));
    } else {
        s = mul(acc, powers(k, t->spare + 9));
        add(&s, t->block[n - 2], powers(k, t->spare + 5));
    }
    /* behind the spare block zero times what is there */
    add(&s, t->block[n - 1], powers(k, t->spare + 1));
    __m128i sum = _mm512_castsi512_si128(byte_swap(_mm512_castsi128_si512(reduce(&s))));
    return _mm_xor_si128(sum, t->mask);
}

INLINE struct part part_of(const struct imb_vaes *k, const struct schedule *ks,
                           const struct cr_op *op, uint64_t iv, const uint8_t *src, uint8_t *dst)
{
    return (struct part){.src = src,
                         .dst = dst,
                         .left = op->text_len,
                         .base = _mm512_xor_si512(_mm512_broadcast_i32x4(nonce(k, iv)), ks->rk[0]),
                         .acc = _mm512_inserti32x4(_mm512_setzero_si512(), aad_block(op), 3)};
}

#define MORE_THAN_4 304 /* bytes: four registers, and two or more behind them */
#define SHORT       112 /* two, the last with a block to spare */

INLINE __mmask16 icv_mask(const struct imb_vaes *k)
{
    return (__mmask16)((1u << k->e.head.icv_len) - 1);
}

INLINE void tail_seal(const struct tail *t, size_t n)
{
    _mm_mask_storeu_epi8(t->icv, icv_mask(t->k), tail_hash(t, n));
}

/* The hash of a packet's last registers waits until the next packet's first are on their way. */
VECTOR static inline void seal_finish(struct tail *t)
{
    switch (t->n) {
    case 0:
        break;
    case 1:
        tail_seal(t, 1);
        break;
    case 2:
        tail_seal(t, 2);
        break;
    case 3:
        tail_seal(t, 3);
        break;
    case 4:
        tail_seal(t, 4);
        break;
    default:
        tail_seal(t, 5);
    }
    t->n = 0;
}

INLINE void seal_rest(const struct schedule *ks, const struct cr_op *op, struct part *p,
                      struct tail *t, size_t rounds)
{
    switch ((p->left + 15) / 64) {
    case 0:
        rest(ks, op, p, t, 1, rounds, true);
        break;
    case 1:
        rest(ks, op, p, t, 2, rounds, true);
        break;
    case 2:
        rest(ks, op, p, t, 3, rounds, true);
        break;
    case 3:
        rest(ks, op, p, t, 4, rounds, true);
        break;
    default:
        rest(ks, op, p, t, 5, rounds, true);
    }
}

/* Hashing what was just encrypted would wait for it: it comes beside the next four registers. */
INLINE void seal_fours(const struct imb_vaes *k, const struct schedule *ks, const struct cr_op *op,
                       struct part *p, struct tail *last, struct tail *now, size_t rounds)
{
    __m512i x[4], block[4];
    next_counters(p, x, 4);
    encrypt(ks, x, 4, rounds);
    seal_text(p, x, block, true);
    seal_finish(last);
    while (p->left > MORE_THAN_4 + 256) {
        next_counters(p, x, 4);
        encrypt_and_hash(k, ks, p, x, block, rounds, FIRST_4);
        seal_text(p, x, block, false);
        next_counters(p, x, 4);
        encrypt_and_hash(k, ks, p, x, block, rounds, LAST_4);
        seal_text(p, x, block, false);
    }
    if (p->left > MORE_THAN_4) {
        next_counters(p, x, 4);
        encrypt_and_hash(k, ks, p, x, block, rounds, FIRST_4);
        seal_text(p, x, block, false);
        p->src += p->in_place;
        seal_rest(ks, op, p, now, rounds);
        hash_four(k, p, block, LAST_4);
    } else {
        p->src += p->in_place;
        seal_rest(ks, op, p, now, rounds);
        hash_four(k, p, block, ONLY_4);
    }
}

/* One or two registers need no waiting: what runs besides is enough. */
INLINE void seal_short(const struct imb_vaes *k, const struct schedule *ks, const struct cr_op *op,
                       struct part *p, struct tail *last, size_t rounds)
{
    struct tail t = {.k = k, .icv = op->p + 16 + op->text_len, .acc = p->acc};
    seal_finish(last);
    if (p->left <= 48) {
        rest(ks, op, p, &t, 1, rounds, true);
        tail_seal(&t, 1);
    } else {
        rest(ks, op, p, &t, 2, rounds, true);
        tail_seal(&t, 2);
    }
}

INLINE void seal_one(const struct imb_vaes *k, const struct schedule *ks, const struct cr_op *op,
                     struct tail *last, struct tail *now, size_t rounds)
{
    uint8_t *text = op->p + 16;
    /* RFC 4106 3.1: unique is enough */
    put_u64(op->p + 8, op->iv_seed);
    struct part p = part_of(k, ks, op, op->iv_seed, op->plain ? op->plain : text, text);
    if (op->body) {
        p.src = op->body - op->body_at;
        p.in_place = text - p.src;
    }
    if (p.left > MORE_THAN_4) {
        seal_fours(k, ks, op, &p, last, now, rounds);
    } else if (p.left <= SHORT) {
        seal_short(k, ks, op, &p, last, rounds);
        now->n = 0;
        return;
    } else {
        seal_rest(ks, op, &p, now, rounds);
        seal_finish(last);
    }
    now->acc = p.acc;
    now->k = k;
    now->icv = text + op->text_len;
}

INLINE __m128i open_rest(const struct schedule *ks, const struct cr_op *op, struct part *p,
                         struct tail *t, size_t n, size_t rounds)
{
    rest(ks, op, p, t, n, rounds, false);
    return tail_hash(t, n);
}

INLINE __m128i open_text(const struct imb_vaes *k, const struct schedule *ks,
                         const struct cr_op *op, const uint8_t *src, uint8_t *dst, size_t rounds)
{
    struct part p = part_of(k, ks, op, get_u64(op->p + 8), src, dst);
    struct tail t = {.k = k};
    while (p.left > MORE_THAN_4 + 256) {
        open_four(k, ks, &p, rounds, FIRST_4);
        open_four(k, ks, &p, rounds, LAST_4);
    }
    if (p.left > MORE_THAN_4)
        open_four(k, ks, &p, rounds, ONLY_4);
    t.acc = p.acc;
    switch ((p.left + 15) / 64) {
    case 0:
        return open_rest(ks, op, &p, &t, 1, rounds);
    case 1:
        return open_rest(ks, op, &p, &t, 2, rounds);
    case 2:
        return open_rest(ks, op, &p, &t, 3, rounds);
    case 3:
        return open_rest(ks, op, &p, &t, 4, rounds);
    default:
        return open_rest(ks, op, &p, &t, 5, rounds);
    }
}

INLINE void open_one(const struct imb_vaes *k, const struct schedule *ks, struct cr_op *op,
                     size_t rounds)
{
    uint8_t *text = op->p + 16;
    __mmask16 icv = icv_mask(k);
    __m128i want = _mm_maskz_loadu_epi8(icv, text + op->text_len);
    __m128i tag = open_text(k, ks, op, text, op->plain ? op->plain : text, rounds);
    op->status = _mm_mask_cmpneq_epi8_mask(icv, tag, want) ? R_DP_ICV : E_OK;
}

/* Operations from i on, as many as have the same key; where it ended. For sealing: two tails, of
 * which *turn is the last packet's. */
INLINE size_t run(struct cr_op *ops, size_t i, size_t n, struct tail *t, uint32_t *turn,
                  size_t rounds)
{
    const struct imb_vaes *k = (const struct imb_vaes *)ops[i].key;
    struct schedule ks;
#pragma GCC unroll 16
    for (size_t r = 0; r <= rounds; r++)
        ks.rk[r] = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(const void *)k->rk[r]));
    do {
        if (t) {
            seal_one(k, &ks, &ops[i], &t[*turn], &t[*turn ^ 1], rounds);
            *turn ^= 1;
        } else {
            open_one(k, &ks, &ops[i], rounds);
        }
        i++;
    } while (i < n && ops[i].key == &k->e.head);
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

static_assert(sizeof(struct tail[2]) <= sizeof((struct imb_ctx *)0)->tails, "room for two");

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
    return run(ops, i, n, (struct tail *)(void *)c->tails, &c->turn, 10);
}

NOINLINE static size_t seal_12(struct imb_ctx *c, struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, (struct tail *)(void *)c->tails, &c->turn, 12);
}

NOINLINE static size_t seal_14(struct imb_ctx *c, struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, (struct tail *)(void *)c->tails, &c->turn, 14);
}

NOINLINE static size_t open_10(struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, NULL, NULL, 10);
}

NOINLINE static size_t open_12(struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, NULL, NULL, 12);
}

NOINLINE static size_t open_14(struct cr_op *ops, size_t i, size_t n)
{
    return run(ops, i, n, NULL, NULL, 14);
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
        i = rounds == 10   ? seal_10(c, ops, i, n)
            : rounds == 12 ? seal_12(c, ops, i, n)
                           : seal_14(c, ops, i, n);
    }
}

void imb_vaes_open(struct cr_op *ops, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint8_t rounds = imb_key(&ops[i])->rounds;
        fetch_key(ops, i, n);
        i = rounds == 10   ? open_10(ops, i, n)
            : rounds == 12 ? open_12(ops, i, n)
                           : open_14(ops, i, n);
    }
}

VECTOR void imb_vaes_end(struct imb_ctx *c)
{
    seal_finish((struct tail *)(void *)c->tails + c->turn);
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
