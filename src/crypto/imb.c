/*
 * The packet path through Intel ipsec-mb: managers, and the order of work over a batch: every
 * header first, then all AES-GCM, then everything else as one burst. Called by esp.c.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_impl.h"
#include <stdlib.h>

static IMB_MGR *mgr;

static IMB_MGR *mgr_new(void)
{
    IMB_MGR *m = alloc_mb_mgr(0);
    if (!m)
        return NULL;
    IMB_ARCH arch = IMB_ARCH_NONE;
    init_mb_mgr_auto(m, &arch);
    if (arch == IMB_ARCH_NONE || imb_get_errno(m) != 0) {
        free_mb_mgr(m);
        return NULL;
    }
    return m;
}

err_t imb_init(void)
{
    if (!mgr)
        mgr = mgr_new();
    return mgr ? E_OK : E_NOTSUP;
}

void imb_fini(void)
{
    if (mgr)
        free_mb_mgr(mgr);
    mgr = NULL;
}

IMB_MGR *imb_mgr(void)
{
    return mgr;
}

bool imb_has(const struct alg *encr, const struct alg *integ)
{
    return mgr && esp_suite_ok(encr, integ);
}

struct imb_ctx *imb_ctx_new(void)
{
    struct imb_ctx *c = aligned_alloc(64, (sizeof *c + 63) / 64 * 64);
    if (!c)
        return NULL;
    memset(c, 0, sizeof *c);
    c->mgr = mgr_new();
    if (!c->mgr) {
        free(c);
        return NULL;
    }
    return c;
}

void imb_ctx_free(struct imb_ctx *c)
{
    if (!c)
        return;
    free_mb_mgr(c->mgr);
    secret_wipe(c, sizeof *c);
    free(c);
}

/* Counter modes take iv_seed as it is (RFC 4106 3.1, RFC 7634 2), CBC its encryption. */
static void write_iv(struct imb_ctx *c, const struct cr_op *op)
{
    static const uint8_t zero[16];
    const struct imb_esp *k = imb_key(op);
    if (k->head.encr->aead) {
        put_u64(op->p + 8, op->iv_seed);
        return;
    }
    if (!k->head.iv_len)
        return;
    DECLARE_ALIGNED(uint8_t seed[16], 16) = {0};
    put_u64(seed + 8, op->iv_seed);
    IMB_AES128_CFB_ONE(c->mgr, op->p + 8, zero, seed, k->k.block.iv_key, k->head.iv_len);
}

/* What a chunk splits into. Operations of other implementations are in neither. */
struct split {
    struct cr_op *gcm[IMB_CHUNK], *job[IMB_CHUNK];
    struct imb_slot *gcm_slot[IMB_CHUNK], *job_slot[IMB_CHUNK];
    size_t gcms, jobs, others;
};

static void split_add(struct split *sp, struct cr_op *op, struct imb_slot *s)
{
    if (imb_key(op)->gcm) {
        sp->gcm[sp->gcms] = op;
        sp->gcm_slot[sp->gcms++] = s;
    } else {
        sp->job[sp->jobs] = op;
        sp->job_slot[sp->jobs++] = s;
    }
    if (op->key->encr->aead)
        imb_aead_frame(op, s);
}

static size_t seal_chunk(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    struct split sp;
    sp.gcms = sp.jobs = sp.others = 0;
    for (size_t i = 0; i < n; i++) {
        if (!ops[i].key->imb) {
            sp.others++;
        } else if (!op_len_ok(&ops[i])) {
            ops[i].status = E_USAGE;
        } else {
            ops[i].status = E_CRYPTO; /* until done */
            write_iv(c, &ops[i]);
            split_add(&sp, &ops[i], &c->slot[i]);
        }
    }
    for (size_t i = 0; i < sp.gcms; i++)
        imb_gcm_seal(c, sp.gcm[i], sp.gcm_slot[i]);
    imb_jobs_seal(c, sp.job, sp.job_slot, sp.jobs);
    return sp.others;
}

static size_t open_chunk(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    struct split sp;
    sp.gcms = sp.jobs = sp.others = 0;
    for (size_t i = 0; i < n; i++) {
        if (!ops[i].key->imb) {
            sp.others++;
        } else if (!op_len_ok(&ops[i])) {
            ops[i].status = R_LENGTH;
        } else {
            ops[i].status = E_CRYPTO;
            split_add(&sp, &ops[i], &c->slot[i]);
        }
    }
    for (size_t i = 0; i < sp.gcms; i++)
        imb_gcm_open(c, sp.gcm[i], sp.gcm_slot[i]);
    imb_jobs_open(c, sp.job, sp.job_slot, sp.jobs);
    return sp.others;
}

size_t imb_seal(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    size_t others = 0;
    for (size_t i = 0; i < n; i += IMB_CHUNK)
        others += seal_chunk(c, ops + i, n - i < IMB_CHUNK ? n - i : IMB_CHUNK);
    return others;
}

size_t imb_open(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    size_t others = 0;
    for (size_t i = 0; i < n; i += IMB_CHUNK)
        others += open_chunk(c, ops + i, n - i < IMB_CHUNK ? n - i : IMB_CHUNK);
    return others;
}
