/*
 * The packet path: chooses the implementation of an SA and of a worker and hands each operation to
 * the one that holds its key. Called by the data plane and by bench/.
 *
 * CR_AUTO means ipsec-mb for every suite in which the self-test found it right, OpenSSL otherwise.
 */
#include "crypto/esp_impl.h"
#include "crypto/init.h"
#include <stdlib.h>

struct cr_esp_ctx {
    enum cr_impl impl;
    struct imb_ctx *imb; /* NULL: OpenSSL only */
};

/* Encryption alone is for ESP within AH (RFC 8221 4); the data plane sees to it that it is. */
bool esp_suite_ok(const struct alg *encr, const struct alg *integ)
{
    if (!encr || encr->type != T_ENCR)
        return false;
    if (encr->aead || (!integ && encr->id != ENCR_NULL))
        return !integ;
    return integ && integ->type == T_INTEG && (!integ->ah_only || encr->id == ENCR_NULL);
}

bool cr_esp_supported(enum cr_impl impl, const struct alg *encr, const struct alg *integ)
{
    if (!esp_suite_ok(encr, integ) || !ossl_esp_has(encr))
        return false;
    return impl != CR_IMB || imb_trusted(encr, integ);
}

void cr_esp_prepare(const struct alg *encr, const struct alg *integ)
{
    (void)imb_trusted(encr, integ);
}

const char *cr_esp_impl_name(enum cr_impl impl, const struct alg *encr, const struct alg *integ)
{
    if (!cr_esp_supported(impl, encr, integ))
        return "none";
    return impl != CR_OSSL && imb_trusted(encr, integ) ? "ipsec-mb" : "openssl";
}

err_t cr_esp_ctx_new(enum cr_impl impl, struct cr_esp_ctx **out)
{
    struct cr_esp_ctx *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return E_NOMEM;
    c->impl = impl;
    if (impl != CR_OSSL)
        c->imb = imb_ctx_new();
    if (impl == CR_IMB && !c->imb) {
        free(c);
        return E_NOTSUP;
    }
    *out = c;
    return E_OK;
}

void cr_esp_ctx_free(struct cr_esp_ctx *c)
{
    if (!c)
        return;
    imb_ctx_free(c->imb);
    free(c);
}

err_t cr_esp_check(enum cr_impl impl, const struct alg *encr, const struct alg *integ,
                   struct bytes key, struct bytes integ_key)
{
    if (!cr_esp_supported(impl, encr, integ))
        return E_NOTSUP;
    if (key.n != (size_t)encr->key_len + encr->salt_len ||
        integ_key.n != (integ ? integ->key_len : 0u))
        return E_USAGE;
    return E_OK;
}

static bool by_imb(enum cr_impl impl, const struct alg *encr, const struct alg *integ)
{
    return impl != CR_OSSL && imb_trusted(encr, integ);
}

size_t cr_esp_size(enum cr_impl impl, const struct alg *encr, const struct alg *integ)
{
    if (!cr_esp_supported(impl, encr, integ))
        return 0;
    return by_imb(impl, encr, integ) ? imb_esp_size(encr, integ) : ossl_esp_size();
}

size_t cr_esp_size_of(const struct cr_esp *e)
{
    return e->kind == ESP_OSSL ? ossl_esp_size() : imb_esp_size(e->encr, e->integ);
}

err_t cr_esp_init(enum cr_impl impl, const struct alg *encr, const struct alg *integ,
                  struct bytes key, struct bytes integ_key, void *mem)
{
    err_t e = cr_esp_check(impl, encr, integ, key, integ_key);
    if (e)
        return e;
    if (by_imb(impl, encr, integ)) {
        imb_esp_init(encr, integ, key, integ_key, mem);
        return E_OK;
    }
    return ossl_esp_init(encr, integ, key, integ_key, mem);
}

void cr_esp_fini(struct cr_esp *e)
{
    if (e->kind == ESP_OSSL)
        ossl_esp_fini(e);
    else
        imb_esp_fini(e);
}

err_t cr_esp_new(enum cr_impl impl, const struct alg *encr, const struct alg *integ,
                 struct bytes key, struct bytes integ_key, struct cr_esp **out)
{
    *out = NULL;
    err_t e = cr_esp_check(impl, encr, integ, key, integ_key);
    if (e)
        return e;
    void *mem = aligned_alloc(64, (cr_esp_size(impl, encr, integ) + 63) / 64 * 64);
    if (!mem)
        return E_NOMEM;
    e = cr_esp_init(impl, encr, integ, key, integ_key, mem);
    if (e)
        free(mem);
    else
        *out = mem;
    return e;
}

void cr_esp_free(struct cr_esp *e)
{
    if (!e)
        return;
    cr_esp_fini(e);
    free(e);
}

/* An ipsec-mb key on a worker without it: a mistake of the caller's, not of a peer. */
static void each(struct cr_op *ops, size_t n, bool skip_imb, void (*f)(struct cr_op *))
{
    for (size_t i = 0; i < n; i++) {
        if (ops[i].key->kind == ESP_OSSL)
            f(&ops[i]);
        else if (!skip_imb)
            ops[i].status = E_USAGE;
    }
}

static bool all_well(const struct cr_op *ops, size_t n)
{
    err_t any = E_OK;
    for (size_t i = 0; i < n; i++)
        any |= ops[i].status;
    return any == E_OK;
}

static void gather_all(struct cr_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ops[i].body)
            op_gather(&ops[i]);
}

bool cr_seal(struct cr_esp_ctx *c, struct cr_op *ops, size_t n)
{
    if (!c->imb || !imb_vaes_chosen())
        gather_all(ops, n);
    if (!c->imb || imb_seal(c->imb, ops, n))
        each(ops, n, c->imb != NULL, ossl_esp_seal);
    return all_well(ops, n);
}

void cr_open(struct cr_esp_ctx *c, struct cr_op *ops, size_t n)
{
    if (!c->imb || imb_open(c->imb, ops, n))
        each(ops, n, c->imb != NULL, ossl_esp_open);
}
