/* Random bytes: nonces, SPIs, IVs, private values of x25519 and x448. */
#include <openssl/rand.h>

#include "crypto/crypto.h"
#include <stdlib.h>

void cr_random(void *p, size_t n)
{
    uint8_t *b = p;
    while (n) {
        int part = n > 65536 ? 65536 : (int)n;
        /* No system we run on lacks entropy; without it no key is safe and nothing may go on. */
        if (RAND_bytes(b, part) != 1)
            abort();
        b += part;
        n -= (size_t)part;
    }
}
