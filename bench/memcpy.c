/*
 * The ceiling of the packet path: AES-GCM replaced by a copy. Linked into bench-culvertd-memcpy
 * alone (meson option bench_memcpy, linker option --wrap); culvertd itself has no such mode. What
 * it sends is not encrypted. Called in place of src/crypto/imb_gcm.c.
 */
#include <intel-ipsec-mb.h>

#include "crypto/imb_impl.h"
#include <stdatomic.h>
#include <stdio.h>

static atomic_ullong copied;

void __wrap_imb_gcm_seal(struct imb_ctx *c, struct cr_op *ops, size_t n);
void __wrap_imb_gcm_open(struct imb_ctx *c, struct cr_op *ops, size_t n);
bool __wrap_esp_selftest(struct imb_ctx *c, const struct alg *encr, const struct alg *integ);

void __wrap_imb_gcm_seal(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    (void)c;
    atomic_fetch_add_explicit(&copied, n, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        struct cr_op *op = &ops[i];
        uint8_t *text = op->p + 16;
        if (op->plain)
            memcpy(text, op->plain, op->text_len);
        if (op->body)
            memcpy(text + op->body_at, op->body, op->body_len);
        memset(text + op->text_len, 0, op->key->icv_len);
        op->status = E_OK;
    }
}

void __wrap_imb_gcm_open(struct imb_ctx *c, struct cr_op *ops, size_t n)
{
    (void)c;
    atomic_fetch_add_explicit(&copied, n, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        struct cr_op *op = &ops[i];
        if (op->plain)
            memcpy((uint8_t *)(uintptr_t)op->plain, op->p + 16, op->text_len);
        op->status = E_OK;
    }
}

/* It would find out. */
bool __wrap_esp_selftest(struct imb_ctx *c, const struct alg *encr, const struct alg *integ)
{
    (void)c;
    (void)encr;
    (void)integ;
    return true;
}

/* Packets that went this way: the bench looks whether the cipher was really replaced. */
__attribute__((destructor)) static void tell(void)
{
    fprintf(stderr, "memcpy: %llu packets copied\n", atomic_load(&copied));
}
