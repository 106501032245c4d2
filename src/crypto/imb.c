/*
 * The packet path through Intel ipsec-mb: managers, and the order of work over a batch: AES-GCM
 * as it comes, everything else as one burst behind it. Called by esp.c.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_impl.h"
#include <stdlib.h>

static IMB_MGR *mgr;
static bool vaes_works;

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
    if (mgr)
        return E_OK;
    mgr = mgr_new();
    vaes_works = mgr && imb_vaes_works(mgr);
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

bool imb_vaes_chosen(void)
{
    return vaes_works;
}

bool imb_has(const struct alg *encr, const struct alg *integ)
{
    if (!mgr || !esp_suite_ok(encr, integ) || (!encr->aead && !integ))
        return false;
    switch (encr->id) {
    case ENCR_AES_CCM_8:
    case ENCR_AES_CCM_12:
    case ENCR_AES_CCM_16:
    case ENCR_AES_CCM_8_IIV:
        return encr->key_bits != 192;
    case ENCR_AES_CBC:
    case ENCR_3DES:
    case ENCR_DES:
        return true;
    default:
        return encr->mode != MODE_CBC && encr->id != ENCR_CAMELLIA_CTR && encr->mode != MODE_CCM;
    }
}

struct imb_ctx *imb_ctx_new(void)
{
    struct imb_ctx *c = aligned_alloc(64, (sizeof *c + 63) / 64 * 64);
    if (!c)
        return NULL;
    memset(c, 0, sizeof *c);
    c->vaes = vaes_works;
    c->mgr = mgr_new();
    c->gcm_page = aligned_alloc(4096, (IMB_GCM_PAGE + 4095) / 4096 * 4096);
    if (!c->mgr || !c->gcm_page) {
        imb_ctx_free(c);
        return NULL;
    }
    return c;
}

void imb_ctx_free(struct imb_ctx *c)
{
    if (!c)
        return;
    if (c->mgr)
        free_mb_mgr(c->mgr);
    if (c->gcm_page)
        secret_wipe(c->gcm_page, IMB_GCM_PAGE);
    free(c->gcm_page);
    secret_wipe(c, sizeof *c);
    free(c);
}

/* RFC 3602 3: the encryption of the counter, see imb_block_key. */
static void write_cbc_iv(struct imb_ctx *c, const struct cr_op *op)
{
    static const uint8_t zero[16];
    const struct imb_block *k = (const struct imb_block *)op->key;
    DECLARE_ALIGNED(uint8_t seed[16], 16) = {0};
    put_u64(seed + 8, op->iv_seed);
    IMB_AES128_CFB_ONE(c->mgr, op->p + 8, zero, seed, k->iv_key, k->e.head.iv_len);
}

/* Counter modes take iv_seed as it is: RFC 3686 3.1, RFC 4309 3.1, RFC 7634 2. */
static void write_iv(struct imb_ctx *c, const struct cr_op *op)
{
    if (op->key->block > 1)
        write_cbc_iv(c, op);
    else if (op->key->iv_len)
        put_u64(op->p + 8, op->iv_seed);
}

/* How many operations from the start on are AES-GCM: all of them on most workers. */
static size_t gcm_run(const struct cr_op *ops, size_t n)
{
    size_t i = 0;
    while (i < n && ops[i].key->kind == ESP_IMB_GCM)
        i++;
    return i;
}

/* A job says itself when it is done. */
static void list_add(struct imb_list *l, struct cr_op *op)
{
    op->status = E_CRYPTO;
    l->ops[l->n++] = op;
}

/* Between jobs; returns 1 when the key is not ipsec-mb's. */
static size_t seal_single(struct imb_ctx *c, struct cr_op *op)
{
    if (op->key->kind == ESP_IMB_GCM)
        imb_gcm_seal(c, op, 1);
    else if (op->key->kind == ESP_IMB_DIRECT)
        imb_direct_seal(c, op);
    return op->key->kind == ESP_OSSL;
}

static size_t open_single(struct imb_ctx *c, struct cr_op *op)
{
    if (op->key->kind == ESP_IMB_GCM)
        imb_gcm_open(c, op, 1);
    else if (op->key->kind == ESP_IMB_DIRECT)
        imb_direct_open(c, op);
    return op->key->kind == ESP_OSSL;
}

static size_t seal_chunk(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    struct imb_list jobs;
    size_t others = 0, i = gcm_run(ops, n);
    imb_gcm_seal(c, ops, i);
    for (jobs.n = 0; i < n; i++) {
        struct cr_op *op = &ops[i];
        if (op->body && op->key->kind != ESP_IMB_GCM)
            op_gather(op);
        if (op->key->kind != ESP_IMB_JOB) {
            others += seal_single(c, op);
        } else if (!op_len_ok(op)) {
            op->status = E_USAGE;
        } else {
            write_iv(c, op);
            list_add(&jobs, op);
        }
    }
    imb_jobs_seal(c, &jobs);
    return others;
}

static size_t open_chunk(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    struct imb_list jobs;
    size_t others = 0, i = gcm_run(ops, n);
    imb_gcm_open(c, ops, i);
    for (jobs.n = 0; i < n; i++) {
        struct cr_op *op = &ops[i];
        if (op->key->kind != ESP_IMB_JOB)
            others += open_single(c, op);
        else if (!op_len_ok(op))
            op->status = R_LENGTH;
        else
            list_add(&jobs, op);
    }
    imb_jobs_open(c, &jobs);
    return others;
}

size_t imb_seal(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    size_t others = 0;
    for (size_t i = 0; i < n; i += IMB_CHUNK)
        others += seal_chunk(c, ops + i, n - i < IMB_CHUNK ? n - i : IMB_CHUNK);
    if (c->vaes)
        imb_vaes_end(c);
    return others;
}

size_t imb_open(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    size_t others = 0;
    for (size_t i = 0; i < n; i += IMB_CHUNK)
        others += open_chunk(c, ops + i, n - i < IMB_CHUNK ? n - i : IMB_CHUNK);
    if (c->vaes)
        imb_vaes_end(c);
    return others;
}
