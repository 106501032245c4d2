/*
 * Certificates of peers that were found good, as they were parsed: decoding one and its key costs
 * OpenSSL as much as its signature, and peers come again with the same. Only the parsing is kept;
 * chain, dates, revocation and identity are checked each time. One slot for each hash, the later
 * one stays: nobody who cannot prove himself gets in, so there is nothing to weigh. Called by
 * verify.c in jobs, on any thread.
 */
#include "pki/store.h"
#include <pthread.h>
#include <stdlib.h>

enum { SLOTS = 1024 }; /* a power of two */

struct seen_slot {
    X509 *x; /* NULL: empty */
    uint8_t fp[32];
};

struct seen {
    pthread_mutex_t lock;
    struct seen_slot slot[SLOTS];
};

struct seen *seen_new(void)
{
    struct seen *s = calloc(1, sizeof *s);
    if (s && pthread_mutex_init(&s->lock, NULL)) {
        free(s);
        return NULL;
    }
    return s;
}

void seen_free(struct seen *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        X509_free(s->slot[i].x);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct seen_slot *slot_of(struct seen *s, struct bytes der, uint8_t fp[32])
{
    if (EVP_Digest(der.p, der.n, fp, NULL, EVP_sha256(), NULL) != 1)
        return NULL;
    return &s->slot[(fp[0] | (size_t)fp[1] << 8) & (SLOTS - 1)];
}

X509 *seen_get(struct seen *s, struct bytes der)
{
    uint8_t fp[32];
    X509 *x = NULL;
    struct seen_slot *at = slot_of(s, der, fp);
    if (!at)
        return NULL;
    pthread_mutex_lock(&s->lock);
    if (at->x && !memcmp(at->fp, fp, sizeof fp) && X509_up_ref(at->x))
        x = at->x;
    pthread_mutex_unlock(&s->lock);
    return x;
}

void seen_put(struct seen *s, struct bytes der, X509 *x)
{
    uint8_t fp[32];
    struct seen_slot *at = slot_of(s, der, fp);
    if (!at)
        return;
    pthread_mutex_lock(&s->lock);
    X509 *old = at->x;
    bool other = old != x && X509_up_ref(x);
    if (other) {
        at->x = x;
        memcpy(at->fp, fp, sizeof fp);
    }
    pthread_mutex_unlock(&s->lock);
    if (other)
        X509_free(old);
}
