/*
 * cr_init: fetch, test, decide. Called by every program that uses the crypto room; again does
 * nothing.
 */
#include "crypto/init.h"

#include "crypto/esp_impl.h"
#include <assert.h>
#include <stdio.h>

err_t ossl_init(const char **what);
void ossl_fini(void);

#define ROWS 64

static bool trusted[ROWS][ROWS]; /* [encryption row][integrity row + 1, 0: AEAD] */
static char note[256];
static bool started;

static bool *trust_of(const struct alg *encr, const struct alg *integ)
{
    return &trusted[encr - alg_table][integ ? integ - alg_table + 1 : 0];
}

bool imb_trusted(const struct alg *encr, const struct alg *integ)
{
    return imb_has(encr, integ) && *trust_of(encr, integ);
}

const char *cr_note(void)
{
    return note[0] ? note : NULL;
}

static void note_suite(const struct alg *encr, const struct alg *integ)
{
    size_t n = strlen(note);
    snprintf(note + n, sizeof note - n, "%s%s%s%s",
             n ? ", " : "ipsec-mb gives wrong results, OpenSSL used instead: ", encr->name,
             integ ? "-" : "", integ ? integ->name : "");
}

static void test_suites(struct imb_ctx *c)
{
    for (size_t i = 0; i < alg_count; i++) {
        for (size_t k = 0; k <= alg_count; k++) {
            const struct alg *encr = &alg_table[i], *integ = k ? &alg_table[k - 1] : NULL;
            if (!imb_has(encr, integ))
                continue;
            *trust_of(encr, integ) = esp_selftest(c, encr, integ);
            if (!*trust_of(encr, integ))
                note_suite(encr, integ);
        }
    }
}

static void imb_start(void)
{
    struct imb_ctx *c = imb_init() ? NULL : imb_ctx_new();
    if (!c) {
        snprintf(note, sizeof note, "ipsec-mb does not run on this machine, OpenSSL used instead");
        return;
    }
    test_suites(c);
    imb_ctx_free(c);
}

err_t cr_init(const char **what)
{
    const char *name = NULL;
    if (started)
        return E_OK;
    assert(alg_count < ROWS);
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
    imb_fini();
    ossl_fini();
    memset(trusted, 0, sizeof trusted);
    started = false;
}
