/*
 * Is imb_vaes.c right on this machine? Held against ipsec-mb, whose packets must be the same,
 * before it is used. Called by imb.c at start, once; all lengths take 15 ms.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_impl.h"
#include <stdlib.h>

#define TRIAL_EVERY 1600
#define TRIAL_MAX   65535
#define TRIAL_ROOM  (16 + TRIAL_MAX + 16)
#define TRIAL_RUN   5 /* packets of one key in a row go another way than a single one */

/* The library looks at the processor; whether the system saves the registers, the compiler's call
 * says. Its tables are laid out as we read them only where it uses these instructions itself. */
static bool machine_can(const IMB_MGR *m)
{
    const uint64_t need =
        IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ | IMB_FEATURE_AVX512_SKX | IMB_FEATURE_BMI2;
    return (m->features & need) == need && m->used_arch == IMB_ARCH_AVX512 &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

struct trial {
    struct imb_ctx scratch;
    struct imb_vaes ours;
    struct gcm_key_data keys;
    struct gcm_context_data ctx;
    aes_gcm_enc_dec_t enc;
    uint8_t plain[TRIAL_ROOM], a[TRIAL_ROOM], b[TRIAL_RUN][TRIAL_ROOM];
    struct cr_op op[TRIAL_RUN];
};

/* The library's packet, in t->a. */
static void by_library(struct trial *t, uint32_t n)
{
    uint8_t iv[12], aad[12];
    memcpy(t->a, t->plain, 16 + n + 16);
    memcpy(iv, t->ours.e.salt, 4);
    memcpy(iv + 4, t->a + 8, 8);
    memcpy(aad, t->a, 4);
    memcpy(aad + 4, t->plain + n, 4); /* of ESN */
    memcpy(aad + 8, t->a + 4, 4);
    t->enc(&t->keys, &t->ctx, t->a + 16, t->a + 16, n, iv, n & 1 ? aad : t->a, n & 1 ? 12 : 8,
           t->a + 16 + n, 16);
}

static bool all_are(const struct trial *t, size_t run, const uint8_t *want, size_t from, size_t n)
{
    bool same = true;
    for (size_t i = 0; i < run; i++)
        same = same && t->op[i].status == E_OK && memcmp(t->b[i] + from, want + from, n) == 0;
    return same;
}

/* Ours, so many in a row, both ways, and one bit of the last one changed. */
static bool agrees_on(struct trial *t, uint32_t n, size_t run)
{
    size_t all = 16 + n + 16, last = run - 1;
    by_library(t, n);
    for (size_t i = 0; i < run; i++) {
        memcpy(t->b[i], t->plain, all);
        t->op[i] = (struct cr_op){.key = &t->ours.e.head,
                                  .p = t->b[i],
                                  .text_len = n,
                                  .esn = n & 1,
                                  .seq_hi = get_u32(t->plain + n),
                                  .iv_seed = get_u64(t->plain + 8)};
    }
    imb_vaes_seal(&t->scratch, t->op, run);
    imb_vaes_end(&t->scratch);
    if (!all_are(t, run, t->a, 0, all))
        return false;
    imb_vaes_open(&t->scratch, t->op, run);
    if (!all_are(t, run, t->plain, 16, n))
        return false;
    for (size_t i = 0; i < run; i++)
        memcpy(t->b[i], t->a, all);
    t->b[last][t->plain[n] % all] ^= 1;
    imb_vaes_open(&t->scratch, t->op, run);
    return t->op[last].status == R_DP_ICV && all_are(t, last, t->plain, 16, n);
}

/* Every length of a usual packet, some in a row; then where counters carry, and the largest. */
static bool agrees(struct trial *t)
{
    for (uint32_t n = 0; n <= TRIAL_EVERY; n++)
        if (!agrees_on(t, n, n % 7 ? 1 : TRIAL_RUN))
            return false;
    for (uint32_t n = 2016; n < 2112; n += 5) /* where the table of imb_vaes.h ends */
        if (!agrees_on(t, n, TRIAL_RUN))
            return false;
    for (uint32_t n = 4096; n < TRIAL_MAX; n += 4096)
        for (uint32_t i = 0; i < 8; i++)
            if (!agrees_on(t, n - 120 + 27 * i, 1))
                return false;
    return agrees_on(t, TRIAL_MAX, TRIAL_RUN);
}

static bool try_bits(struct trial *t, uint16_t bits)
{
    IMB_MGR *m = imb_mgr();
    uint8_t key[32];
    cr_random(key, sizeof key);
    cr_random(t->plain, sizeof t->plain);
    cr_random(t->ours.e.salt, sizeof t->ours.e.salt);
    t->ours.e.head.icv_len = 16;
    t->ours.e.rounds = (uint8_t)(6 + bits / 32);
    imb_gcm_pre(m, bits, key, &t->keys);
    t->enc = bits == 128 ? m->gcm128_enc : bits == 192 ? m->gcm192_enc : m->gcm256_enc;
    imb_vaes_take(&t->ours, &t->keys);
    secret_wipe(key, sizeof key);
    return agrees(t);
}

bool imb_vaes_works(const IMB_MGR *m)
{
    struct trial *t = machine_can(m) ? aligned_alloc(64, (sizeof *t + 63) / 64 * 64) : NULL;
    if (!t)
        return false;
    memset(t, 0, sizeof *t);
    bool ok = try_bits(t, 128) && try_bits(t, 192) && try_bits(t, 256);
    secret_wipe(t, sizeof *t);
    free(t);
    return ok;
}
