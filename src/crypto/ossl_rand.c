/*
 * Random bytes: nonces, SPIs, IVs, jitter, private values of x25519 and x448. A call of OpenSSL
 * costs 0.6 us however little is asked, and a negotiation asks a dozen times for some bytes: so
 * each thread fetches them in pieces and wipes what it handed out.
 */
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "crypto/ossl.h"
#include <stdlib.h>

#define SMALL 64

static void fetch(uint8_t *b, size_t n)
{
    while (n) {
        int part = n > 65536 ? 65536 : (int)n;
        /* No system we run on lacks entropy; without it no key is safe and nothing may go on. */
        if (RAND_bytes(b, part) != 1)
            abort();
        b += part;
        n -= (size_t)part;
    }
}

void cr_random(void *p, size_t n)
{
    struct ossl_tls *t = n <= SMALL ? ossl_tls_get() : NULL;
    if (!t) {
        fetch(p, n);
        return;
    }
    if (t->pool_left < n) {
        fetch(t->pool, sizeof t->pool);
        t->pool_left = sizeof t->pool;
    }
    t->pool_left -= n;
    memcpy(p, t->pool + t->pool_left, n);
    secret_wipe(t->pool + t->pool_left, n);
}
