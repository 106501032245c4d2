/* An immutable store: references and look-ups. See pki.h and store.h; build.c makes it. */
#include "pki/store.h"
#include <stdlib.h>

struct pki *pki_ref(const struct pki *p)
{
    struct pki *own = (struct pki *)(uintptr_t)p;
    __atomic_fetch_add(&own->refs, 1, __ATOMIC_RELAXED);
    return own;
}

void pki_unref(struct pki *p)
{
    if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
        return;
    for (size_t i = 0; i < p->cert_count; i++)
        cert_unref(p->cert[i]);
    for (size_t i = 0; i < p->crl_count; i++)
        crl_unref(p->crl[i]);
    for (size_t i = 0; i < p->secret_count; i++)
        secret_key_unref(p->secret[i]);
    sk_X509_free(p->anchors); /* what is in them is borrowed from the rows above */
    sk_X509_free(p->others);
    seen_free(p->seen);
    free(p->cert);
    free(p->crl);
    free(p->secret);
    free(p);
}

struct pki_secret *secret_key_new(struct cr_key *key, const char *name)
{
    struct pki_secret *s = calloc(1, sizeof *s);
    char *copy = strdup(name);
    if (!s || !copy) {
        free(s);
        free(copy);
        return NULL;
    }
    *s = (struct pki_secret){1, cr_key_ref(key), copy};
    return s;
}

struct pki_secret *secret_key_ref(struct pki_secret *s)
{
    __atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void secret_key_unref(struct pki_secret *s)
{
    if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
        return;
    cr_key_unref(s->key);
    free(s->name);
    free(s);
}

struct pki_cert *store_by_fp(const struct pki *p, const uint8_t fp[32])
{
    for (size_t i = 0; p && i < p->cert_count; i++)
        if (!memcmp(p->cert[i]->fp, fp, sizeof p->cert[i]->fp))
            return p->cert[i];
    return NULL;
}

const struct pki_secret *store_secret_of(const struct pki *p, const struct cr_key *pub)
{
    for (size_t i = 0; p && i < p->secret_count; i++)
        if (!memcmp(cr_key_info(p->secret[i]->key)->id, cr_key_info(pub)->id, 20))
            return p->secret[i];
    return NULL;
}

struct pki_cert *store_issuer_of(const struct pki *p, const struct pki_cert *c)
{
    for (size_t i = 0; p && !c->self && i < p->cert_count; i++)
        if (p->cert[i]->ca && X509_check_issued(p->cert[i]->x, c->x) == X509_V_OK)
            return p->cert[i];
    return NULL;
}
