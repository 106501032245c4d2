/*
 * cr_init: fetch what a default may use; and which suites ipsec-mb may carry. Called by every
 * program that uses the crypto room; again does nothing.
 */
#include "crypto/init.h"

#include "crypto/esp_impl.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

err_t ossl_init(const char **what);
void ossl_fini(void);

enum { ENCR_ROWS = 80, INTEG_ROWS = 16 }; /* T_ENCR comes first in the table, then T_INTEG */
enum trust { UNTESTED, TRUSTED, WRONG };

static _Atomic uint8_t trust[ENCR_ROWS][INTEG_ROWS + 1]; /* enum trust; last: no integrity row */
static struct imb_ctx *bench;                            /* what suites are tested with */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char note[256];
static bool started;

static const struct alg *first_integ(void)
{
    const struct alg *a = alg_table;
    while (a->type != T_INTEG)
        a++;
    return a;
}

static _Atomic uint8_t *trust_of(const struct alg *encr, const struct alg *integ)
{
    return &trust[encr - alg_table][integ ? integ - first_integ() : INTEG_ROWS];
}

static void note_suite(const struct alg *encr, const struct alg *integ)
{
    size_t n = strlen(note);
    snprintf(note + n, sizeof note - n, "%s%s%s%s",
             n ? ", " : "ipsec-mb gives wrong results, OpenSSL used instead: ", encr->name,
             integ ? "-" : "", integ ? integ->name : "");
}

static enum trust test(const struct alg *encr, const struct alg *integ)
{
    if (!bench)
        bench = imb_ctx_new();
    if (!bench)
        return WRONG; /* no memory; the answer must not change any more: sizes hang on it */
    if (esp_selftest(bench, encr, integ))
        return TRUSTED;
    note_suite(encr, integ);
    return WRONG;
}

/* A suite is tested when it is first asked for: a configuration names few of two hundred. */
bool imb_trusted(const struct alg *encr, const struct alg *integ)
{
    if (!imb_has(encr, integ))
        return false;
    _Atomic uint8_t *t = trust_of(encr, integ);
    uint8_t known = atomic_load_explicit(t, memory_order_acquire);
    if (known != UNTESTED)
        return known == TRUSTED;
    pthread_mutex_lock(&lock);
    if (atomic_load(t) == UNTESTED)
        atomic_store_explicit(t, (uint8_t)test(encr, integ), memory_order_release);
    known = atomic_load(t);
    pthread_mutex_unlock(&lock);
    return known == TRUSTED;
}

const char *cr_note(void)
{
    return note[0] ? note : NULL;
}

static void imb_start(void)
{
    if (imb_init())
        snprintf(note, sizeof note, "ipsec-mb does not run on this machine, OpenSSL used instead");
}

err_t cr_init(const char **what)
{
    const char *name = NULL;
    if (started)
        return E_OK;
    assert(first_integ() - alg_table <= ENCR_ROWS);
    note[0] = 0;
    err_t e = ossl_init(&name);
    if (what)
        *what = e ? name : NULL;
    if (e)
        return e;
    imb_start();
    started = true;
    return E_OK;
}

void cr_fini(void)
{
    imb_ctx_free(bench);
    bench = NULL;
    imb_fini();
    ossl_fini();
    for (size_t i = 0; i < sizeof trust; i++)
        atomic_store(&trust[0][0] + i, UNTESTED);
    started = false;
}
