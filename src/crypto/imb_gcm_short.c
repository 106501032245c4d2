/*
 * AES-GCM of ESP (RFC 4106) for texts of some hundred bytes, with VAES and VPCLMULQDQ on
 * 512-bit registers. Over such packets ipsec-mb's general function spends most of its time on what
 * ESP knows beforehand: a nonce of 12 bytes, 8 or 12 bytes of associated data, the whole text in
 * one piece, no context to keep. Keys are ipsec-mb's own tables. Called by imb_gcm.c.
 *
 * imb_short_works holds it against ipsec-mb before it is used; the self-test of init.c holds both
 * against OpenSSL.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_impl.h"
#include <immintrin.h>

#define VECTOR                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,vaes,vpclmulqdq,aes,pclmul,bmi2")))
#define INLINE static inline __attribute__((always_inline)) VECTOR

/* The last counter word of each lane, big-endian: block j of the text is encrypted with j + 2. */
#define REGS     5
#define REST_MAX 304 /* bytes in so many registers with a block to spare */
#define CTR4(n)                                                                                    \
    0, 0, 0, (n) << 24, 0, 0, 0, (n + 1) << 24, 0, 0, 0, (n + 2) << 24, 0, 0, 0, (n + 3) << 24
static const uint32_t counters[REGS][16]
    __attribute__((aligned(64))) = {{CTR4(2)}, {CTR4(6)}, {CTR4(10)}, {CTR4(14)}, {CTR4(18)}};

/* What one call works on, all of it in registers. */
struct gcm_sum {
    __m512i lo, mid, hi;
};

INLINE __m512i byte_swap(__m512i v)
{
    const __m128i order = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(order));
}

/* The key's H to the power of `n`, and the three lower ones behind it. */
INLINE const uint8_t *power(const struct imb_esp *k, size_t n)
{
    return k->k.gcm.ghash_keys.vaes_avx512.shifted_hkey + (48 - n) * 16;
}

INLINE void sum_add(struct gcm_sum *s, __m512i block, __m512i h)
{
    __m512i cross = _mm512_xor_si512(_mm512_clmulepi64_epi128(block, h, 0x01),
                                     _mm512_clmulepi64_epi128(block, h, 0x10));
    s->lo = _mm512_xor_si512(s->lo, _mm512_clmulepi64_epi128(block, h, 0x00));
    s->hi = _mm512_xor_si512(s->hi, _mm512_clmulepi64_epi128(block, h, 0x11));
    s->mid = _mm512_xor_si512(s->mid, cross);
}

INLINE __m128i fold(__m512i v)
{
    __m256i y = _mm256_xor_si256(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_xor_si128(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
}

/* Modulo x^128 + x^7 + x^2 + x + 1, bits reflected; the key's powers are shifted by one already. */
INLINE __m128i reduce(const struct gcm_sum *s)
{
    const __m128i poly = _mm_set_epi64x((long long)0xc200000000000000u, 1);
    __m512i m = s->mid;
    __m128i lo = fold(_mm512_xor_si512(s->lo, _mm512_bslli_epi128(m, 8)));
    __m128i hi = fold(_mm512_xor_si512(s->hi, _mm512_bsrli_epi128(m, 8)));
    lo = _mm_xor_si128(_mm_shuffle_epi32(lo, 0x4e), _mm_clmulepi64_si128(lo, poly, 0x10));
    lo = _mm_xor_si128(_mm_shuffle_epi32(lo, 0x4e), _mm_clmulepi64_si128(lo, poly, 0x10));
    return _mm_xor_si128(hi, lo);
}

/* RFC 4106 4: salt, IV, and the counter, still zero. The load begins in the sequence number. */
INLINE __m128i nonce(const struct imb_esp *k, const struct cr_op *op)
{
    int32_t salt;
    memcpy(&salt, k->salt, sizeof salt);
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(op->p + 4));
    v = _mm_and_si128(v, _mm_set_epi32(0, -1, -1, 0));
    return _mm_or_si128(v, _mm_cvtsi32_si128(salt));
}

/* RFC 4106 5: SPI and sequence number, 32 or 64 bits. */
INLINE __m128i aad_block(const struct cr_op *op)
{
    uint64_t aad = get_u64(op->p), more = 0;
    if (op->esn) {
        more = aad << 32;
        aad = (aad & 0xffffffff00000000u) | op->seq_hi;
    }
    return _mm_set_epi64x((long long)aad, (long long)more);
}

INLINE __m128i len_block(const struct cr_op *op)
{
    return _mm_set_epi64x(op->esn ? 96 : 64, (long long)op->text_len * 8);
}

INLINE __m128i power_of(const struct imb_esp *k, size_t n)
{
    return _mm_loadu_si128((const __m128i *)(const void *)power(k, n));
}

/* Bytes of the text in its register number g, of which only the last two may be short of 64. */
INLINE __mmask64 bytes_in(uint32_t text_len, size_t g, size_t n)
{
    uint32_t before = (uint32_t)(64 * g);
    if (g + 2 < n)
        return ~0ull;
    return _bzhi_u64(~0ull, text_len > before ? text_len - before : 0); /* 64 and more: all */
}

INLINE __m512i round_key(const struct imb_esp *k, size_t r)
{
    const uint8_t *p = k->k.gcm.expanded_keys + 16 * r;
    return _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(const void *)p));
}

/* A key's round keys, in every lane; stays in registers while packets of one key follow. */
struct schedule {
    __m512i rk[15];
};

INLINE void encrypt(const struct schedule *ks, __m512i *x, size_t n, size_t rounds)
{
#pragma GCC unroll 5
    for (size_t g = 0; g < n; g++)
        x[g] = _mm512_xor_si512(x[g], ks->rk[0]);
#pragma GCC unroll 16
    for (size_t r = 1; r < rounds; r++)
#pragma GCC unroll 5
        for (size_t g = 0; g < n; g++)
            x[g] = _mm512_aesenc_epi128(x[g], ks->rk[r]);
#pragma GCC unroll 5
    for (size_t g = 0; g < n; g++)
        x[g] = _mm512_aesenclast_epi128(x[g], ks->rk[rounds]);
}

/* What a packet's parts hand on: the sum so far, or the associated data, and which power of H it
 * meets in a part of n blocks: n + over. */
struct part {
    const uint8_t *src;
    uint8_t *dst;
    uint32_t left;
    __m512i base;
    __m128i carry;
    size_t over;
};

/* 16 blocks that are not the last ones. */
INLINE void crypt_chunk(const struct imb_esp *k, const struct schedule *ks, struct part *p,
                        size_t rounds, bool seal)
{
    struct gcm_sum s = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    __m512i x[4];
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++)
        x[g] = _mm512_add_epi32(p->base, _mm512_load_si512(counters[g]));
    encrypt(ks, x, 4, rounds);
    sum_add(&s, _mm512_zextsi128_si512(p->carry),
            _mm512_zextsi128_si512(power_of(k, 16 + p->over)));
#pragma GCC unroll 4
    for (size_t g = 0; g < 4; g++) {
        __m512i in = _mm512_loadu_si512(p->src + 64 * g), out = _mm512_xor_si512(in, x[g]);
        _mm512_storeu_si512(p->dst + 64 * g, out);
        sum_add(&s, byte_swap(seal ? out : in), _mm512_loadu_si512(power(k, 16 - 4 * g)));
    }
    p->carry = reduce(&s);
    p->over = 0;
    p->base = _mm512_add_epi32(p->base, _mm512_set4_epi32(16 << 24, 0, 0, 0));
    p->src += 256;
    p->dst += 256;
    p->left -= 256;
}

/* The rest and the tag. n: registers of text, the last of them with a block to spare, which becomes
 * the mask of the tag (counter 1). */
INLINE __m128i crypt_rest(const struct imb_esp *k, const struct schedule *ks,
                          const struct cr_op *op, const struct part *p, size_t n, size_t rounds,
                          bool seal)
{
    size_t blocks = (p->left + 15u) / 16, spare = blocks - 4 * (n - 1);
    __m512i x[REGS];
    struct gcm_sum s = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
#pragma GCC unroll 5
    for (size_t g = 0; g < n; g++)
        x[g] = _mm512_add_epi32(p->base, _mm512_load_si512(counters[g]));
    x[n - 1] =
        _mm512_mask_mov_epi32(x[n - 1], (__mmask16)(8u << 4 * spare), _mm512_set1_epi32(1 << 24));
    encrypt(ks, x, n, rounds);
    sum_add(&s, _mm512_zextsi256_si512(_mm256_set_m128i(p->carry, len_block(op))),
            _mm512_zextsi256_si512(
                _mm256_set_m128i(power_of(k, blocks + 1 + p->over), power_of(k, 1))));
#pragma GCC unroll 5
    for (size_t g = 0; g < n; g++) {
        __mmask64 m = bytes_in(p->left, g, n);
        __m512i in = _mm512_maskz_loadu_epi8(m, p->src + 64 * g);
        __m512i out = _mm512_maskz_mov_epi8(m, _mm512_xor_si512(in, x[g]));
        __mmask8 words = (__mmask8)(g < n - 1 ? 0xff : (1u << 2 * spare) - 1);
        __m512i h = _mm512_maskz_loadu_epi64(words, power(k, blocks + 1 - 4 * g));
        _mm512_mask_storeu_epi8(p->dst + 64 * g, m, out);
        sum_add(&s, byte_swap(seal ? out : in), h);
    }
    __m128i mask =
        _mm512_castsi512_si128(_mm512_maskz_compress_epi64((__mmask8)(3u << 2 * spare), x[n - 1]));
    __m128i sum = _mm512_castsi512_si128(byte_swap(_mm512_castsi128_si512(reduce(&s))));
    return _mm_xor_si128(sum, mask);
}

INLINE __m128i crypt(const struct imb_esp *k, const struct schedule *ks, const struct cr_op *op,
                     const uint8_t *src, uint8_t *dst, size_t rounds, bool seal)
{
    struct part p = {.src = src,
                     .dst = dst,
                     .left = op->text_len,
                     .base = _mm512_broadcast_i32x4(nonce(k, op)),
                     .carry = aad_block(op),
                     .over = 1};
    while (p.left > REST_MAX)
        crypt_chunk(k, ks, &p, rounds, seal);
    switch ((p.left + 15) / 64) {
    case 0:
        return crypt_rest(k, ks, op, &p, 1, rounds, seal);
    case 1:
        return crypt_rest(k, ks, op, &p, 2, rounds, seal);
    case 2:
        return crypt_rest(k, ks, op, &p, 3, rounds, seal);
    case 3:
        return crypt_rest(k, ks, op, &p, 4, rounds, seal);
    default:
        return crypt_rest(k, ks, op, &p, 5, rounds, seal);
    }
}

INLINE void seal_one(const struct imb_esp *k, const struct schedule *ks, struct cr_op *op,
                     size_t rounds)
{
    uint8_t *text = op->p + 16;
    __mmask16 icv = (__mmask16)((1u << k->head.icv_len) - 1);
    __m128i tag = crypt(k, ks, op, op->plain ? op->plain : text, text, rounds, true);
    _mm_mask_storeu_epi8(text + op->text_len, icv, tag);
}

INLINE void open_one(const struct imb_esp *k, const struct schedule *ks, struct cr_op *op,
                     size_t rounds)
{
    uint8_t *text = op->p + 16;
    __mmask16 icv = (__mmask16)((1u << k->head.icv_len) - 1);
    __m128i want = _mm_maskz_loadu_epi8(icv, text + op->text_len);
    __m128i tag = crypt(k, ks, op, text, op->plain ? op->plain : text, rounds, false);
    op->status = _mm_mask_cmpneq_epi8_mask(icv, tag, want) ? R_DP_ICV : E_OK;
}

/* The first operation and those behind it that are short and of the same key. */
INLINE size_t run(struct cr_op *ops, size_t n, size_t rounds, bool seal)
{
    const struct imb_esp *k = imb_key(ops);
    struct schedule ks;
    size_t i = 0;
    for (size_t r = 0; r <= rounds; r++)
        ks.rk[r] = round_key(k, r);
    do {
        if (seal)
            seal_one(k, &ks, &ops[i], rounds);
        else
            open_one(k, &ks, &ops[i], rounds);
        i++;
    } while (i < n && ops[i].key == &k->head && ops[i].text_len - 1 < IMB_SHORT_MAX);
    return i;
}

VECTOR size_t imb_short_seal(struct cr_op *ops, size_t n)
{
    uint8_t rounds = imb_key(ops)->rounds;
    return rounds == 10   ? run(ops, n, 10, true)
           : rounds == 12 ? run(ops, n, 12, true)
                          : run(ops, n, 14, true);
}

VECTOR size_t imb_short_open(struct cr_op *ops, size_t n)
{
    uint8_t rounds = imb_key(ops)->rounds;
    return rounds == 10   ? run(ops, n, 10, false)
           : rounds == 12 ? run(ops, n, 12, false)
                          : run(ops, n, 14, false);
}

/* Round keys and key stream of the last packet stay in the registers otherwise. */
VECTOR void imb_short_wipe(void)
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

/* The library looks at the processor; whether the system saves the registers, the compiler's call
 * says. Its tables are laid out as we read them only where it uses these instructions itself. */
static bool machine_can(const IMB_MGR *m)
{
    const uint64_t need =
        IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ | IMB_FEATURE_AVX512_SKX | IMB_FEATURE_BMI2;
    return (m->features & need) == need && m->used_arch == IMB_ARCH_AVX512 &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

/* The library's packet and ours, both ways, and one bit of ours changed. */
static bool agrees_on(struct imb_esp *k, uint32_t n)
{
    struct gcm_context_data ctx;
    uint8_t plain[16 + IMB_SHORT_MAX + 16], a[sizeof plain], b[sizeof plain], iv[12];
    struct cr_op op = {.key = &k->head, .p = b, .text_len = n};
    cr_random(plain, sizeof plain);
    memcpy(a, plain, sizeof a);
    memcpy(b, plain, sizeof b);
    memcpy(iv, k->salt, 4);
    memcpy(iv + 4, a + 8, 8);
    k->gcm_enc(&k->k.gcm, &ctx, a + 16, a + 16, n, iv, a, 8, a + 16 + n, 16);
    secret_wipe(&ctx, sizeof ctx);
    if (imb_short_seal(&op, 1) != 1 || memcmp(a, b, sizeof a) != 0)
        return false;
    if (imb_short_open(&op, 1) != 1 || op.status || memcmp(b + 16, plain + 16, n) != 0)
        return false;
    memcpy(b, a, sizeof b);
    b[plain[0] % 8] ^= 1;
    return imb_short_open(&op, 1) == 1 && op.status == R_DP_ICV;
}

static bool agrees(struct imb_esp *k)
{
    for (uint32_t n = 1; n <= IMB_SHORT_MAX; n++)
        if (!agrees_on(k, n))
            return false;
    return true;
}

bool imb_short_works(const IMB_MGR *m)
{
    static const uint16_t bits[] = {128, 192, 256};
    bool ok = machine_can(m);
    for (size_t i = 0; ok && i < sizeof bits / sizeof bits[0]; i++) {
        uint8_t key[36];
        struct cr_esp *e;
        const struct alg *encr = alg_find(T_ENCR, ENCR_AES_GCM_16, bits[i]);
        cr_random(key, sizeof key);
        if (!encr ||
            imb_esp_new(encr, NULL, bytes_of(key, bits[i] / 8u + 4u), (struct bytes){0}, &e))
            return false;
        ok = agrees((struct imb_esp *)e);
        imb_esp_free(e);
        secret_wipe(key, sizeof key);
    }
    return ok;
}
