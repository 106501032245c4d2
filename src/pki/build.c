/* Making stores: see build.h. Called by the daemon, by `culvert check` and by tests. */
#include "pki/store.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

struct row {
    struct pki_cert *c;
    unsigned as_end, as_ca; /* how often it is held as what */
    uint8_t flags;          /* of those who added it */
    bool added;             /* of itself */
};

struct pki_build {
    struct row *cert;
    struct pki_crl **crl;
    struct pki_secret **secret;
    size_t cert_count, crl_count, secret_count;
};

struct pki_build *pki_build_new(void)
{
    return calloc(1, sizeof(struct pki_build));
}

/* Room for one more: doubled at each power of two. NULL: no memory, list untouched. */
static void *grown(void *list, size_t count, size_t size)
{
    if (count & (count - 1))
        return list;
    return realloc(list, (count ? count * 2 : 1) * size);
}

static void secrets_clear(struct pki_build *b)
{
    for (size_t i = 0; i < b->secret_count; i++)
        secret_key_unref(b->secret[i]);
    b->secret_count = 0;
}

static void crls_clear(struct pki_build *b)
{
    for (size_t i = 0; i < b->crl_count; i++)
        crl_unref(b->crl[i]);
    b->crl_count = 0;
}

static void row_del(struct pki_build *b, size_t i)
{
    cert_unref(b->cert[i].c);
    memmove(&b->cert[i], &b->cert[i + 1], (b->cert_count - i - 1) * sizeof *b->cert);
    b->cert_count--;
}

static bool is_held(const struct row *r)
{
    return r->as_end || r->as_ca;
}

void pki_build_clear(struct pki_build *b)
{
    secrets_clear(b);
    crls_clear(b);
    for (size_t i = b->cert_count; i-- > 0;) {
        b->cert[i].added = false;
        b->cert[i].flags = 0;
        if (!is_held(&b->cert[i]))
            row_del(b, i);
    }
}

void pki_build_free(struct pki_build *b)
{
    if (!b)
        return;
    secrets_clear(b);
    crls_clear(b);
    for (size_t i = 0; i < b->cert_count; i++)
        cert_unref(b->cert[i].c);
    free(b->crl);
    free(b->secret);
    free(b->cert);
    free(b);
}

/* --- certificates --- */

static struct row *row_of(struct pki_build *b, const uint8_t fp[32])
{
    for (size_t i = 0; i < b->cert_count; i++)
        if (!memcmp(b->cert[i].c->fp, fp, 32))
            return &b->cert[i];
    return NULL;
}

/* Stores that have it keep it as it was: a change of flags makes a new one. */
static err_t flags_settle(struct pki_build *b)
{
    for (size_t i = 0; i < b->cert_count; i++) {
        struct row *r = &b->cert[i];
        uint8_t flags = r->flags | (r->as_ca ? PKI_CA : PKI_END);
        struct pki_cert *c;
        if (flags == r->c->flags)
            continue;
        err_t e = cert_new(r->c->der, flags, r->c->name, &c);
        if (e)
            return e;
        cert_unref(r->c);
        r->c = c;
    }
    return E_OK;
}

static err_t add_one(struct pki_build *b, struct bytes der, uint8_t flags, const char *name,
                     struct row **out)
{
    struct pki_cert *c;
    err_t e = cert_new(der, flags, name, &c);
    if (e)
        return e;
    struct row *old = row_of(b, c->fp);
    bool no_ca = (flags & PKI_CA) && !c->ca;
    struct row *list = old || no_ca ? b->cert : grown(b->cert, b->cert_count, sizeof *list);
    if (old || no_ca || !list) {
        cert_unref(c);
        *out = old;
        return no_ca ? R_CERT_CA : old ? E_OK : E_NOMEM;
    }
    b->cert = list;
    *out = &b->cert[b->cert_count++];
    **out = (struct row){.c = c};
    return E_OK;
}

/* Whoever reads a file's certificates one by one: DER as it is, PEM block by block. */
typedef err_t each_der(void *ctx, struct bytes der);

static err_t each_pem(struct bytes data, each_der *fn, void *ctx)
{
    BIO *bio = data.n <= INT32_MAX ? BIO_new_mem_buf(data.p, (int)data.n) : NULL;
    char *kind = NULL, *head = NULL;
    unsigned char *der = NULL;
    long n = 0;
    err_t e = bio ? R_CERT_SYNTAX : E_NOMEM;
    bool any = false;
    while (bio && (!any || !e) && PEM_read_bio(bio, &kind, &head, &der, &n) == 1) {
        if (!strcmp(kind, PEM_STRING_X509) || !strcmp(kind, PEM_STRING_X509_OLD)) {
            e = fn(ctx, bytes_of(der, (size_t)n));
            any = true;
        }
        OPENSSL_free(kind);
        OPENSSL_free(head);
        OPENSSL_free(der);
    }
    BIO_free(bio);
    ERR_clear_error();
    return e;
}

static err_t each_cert(struct bytes data, each_der *fn, void *ctx)
{
    bool pem = data.n && memmem(data.p, data.n, "-----BEGIN", 10);
    return pem ? each_pem(data, fn, ctx) : fn(ctx, data);
}

struct adding {
    struct pki_build *b;
    uint8_t flags;
    const char *name;
};

static err_t add_next(void *ctx, struct bytes der)
{
    struct adding *a = ctx;
    struct row *r;
    err_t e = add_one(a->b, der, a->flags, a->name, &r);
    if (e)
        return e;
    r->added = true;
    r->flags |= a->flags;
    return E_OK;
}

err_t pki_add_cert(struct pki_build *b, struct bytes data, enum pki_flag flag, const char *name)
{
    struct adding a = {b, (uint8_t)flag, name};
    return each_cert(data, add_next, &a);
}

static unsigned *holds(struct row *r, enum pki_flag flag)
{
    return flag == PKI_CA ? &r->as_ca : &r->as_end;
}

err_t pki_hold_cert(struct pki_build *b, const struct conn_cert *c, enum pki_flag flag)
{
    struct row *r = row_of(b, c->fp);
    if (r && flag == PKI_CA && !r->c->ca)
        return R_CERT_CA;
    err_t e = r ? E_OK : add_one(b, bytes_of(c->p, c->n), (uint8_t)flag, c->name, &r);
    if (!e)
        ++*holds(r, flag);
    return e;
}

void pki_drop_cert(struct pki_build *b, const struct conn_cert *c, enum pki_flag flag)
{
    struct row *r = row_of(b, c->fp);
    if (!r || !*holds(r, flag))
        return;
    --*holds(r, flag);
    if (!is_held(r) && !r->added)
        row_del(b, (size_t)(r - b->cert));
}

struct reading {
    struct pki_read *out;
    bool done;
};

static err_t read_first(void *ctx, struct bytes der)
{
    struct reading *r = ctx;
    struct pki_cert *c;
    if (r->done)
        return E_OK;
    r->done = true;
    err_t e = cert_new(der, 0, "", &c);
    if (e)
        return e;
    r->out->der = malloc(der.n);
    if (r->out->der) {
        memcpy(r->out->der, der.p, der.n);
        r->out->n = der.n;
        memcpy(r->out->fp, c->fp, sizeof c->fp);
        if (!id_set(&r->out->subject, ID_DER_ASN1_DN, c->subject))
            r->out->subject = (struct id){0};
    }
    cert_unref(c);
    return r->out->der ? E_OK : E_NOMEM;
}

err_t pki_read_cert(struct bytes data, struct pki_read *out)
{
    struct reading r = {.out = out};
    *out = (struct pki_read){0};
    return each_cert(data, read_first, &r);
}

bool pki_cert_is_for(struct bytes der, const struct id *id)
{
    struct pki_cert *c;
    if (cert_new(der, 0, "", &c))
        return false;
    bool is = cert_has_id(c->x, id);
    cert_unref(c);
    return is;
}

/* --- revocation lists --- */

static bool same_scope(X509_CRL *a, X509_CRL *b)
{
    int ia = X509_CRL_get_ext_by_NID(a, NID_issuing_distribution_point, -1);
    int ib = X509_CRL_get_ext_by_NID(b, NID_issuing_distribution_point, -1);
    if (X509_NAME_cmp(X509_CRL_get_issuer(a), X509_CRL_get_issuer(b)) != 0 || (ia < 0) != (ib < 0))
        return false;
    return ia < 0 || !ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(X509_CRL_get_ext(a, ia)),
                                            X509_EXTENSION_get_data(X509_CRL_get_ext(b, ib)));
}

/* The authority of ours that signed it. */
static struct pki_cert *signer_of(const struct pki_build *b, X509_CRL *x)
{
    for (size_t i = 0; i < b->cert_count; i++) {
        struct pki_cert *c = b->cert[i].c;
        EVP_PKEY *key = c->ca ? X509_get0_pubkey(c->x) : NULL;
        if (key && !X509_NAME_cmp(X509_get_subject_name(c->x), X509_CRL_get_issuer(x)) &&
            (X509_get_key_usage(c->x) & KU_CRL_SIGN) && X509_CRL_verify(x, key) == 1)
            return cert_ref(c);
        ERR_clear_error();
    }
    return NULL;
}

/* An authority may come after its list. Stores share lists, so what changes is made anew. */
static err_t signers_find(struct pki_build *b)
{
    for (size_t i = 0; i < b->crl_count; i++) {
        struct pki_crl *old = b->crl[i], *crl;
        struct pki_cert *signer = old->signer ? NULL : signer_of(b, old->x);
        if (!signer)
            continue;
        err_t e = crl_copy(old, signer, &crl);
        if (e)
            return e;
        crl_unref(old);
        b->crl[i] = crl;
    }
    return E_OK;
}

static bool is_newer(X509_CRL *a, X509_CRL *b)
{
    int days = 0, seconds = 0;
    return ASN1_TIME_diff(&days, &seconds, X509_CRL_get0_lastUpdate(b),
                          X509_CRL_get0_lastUpdate(a)) == 1 &&
           (days > 0 || seconds > 0);
}

/* The list whose place the new one takes, or which is newer. Who did not sign it cannot push a good
 * one out: only lists of one signer are compared. */
static struct pki_crl **rival(struct pki_build *b, const struct pki_crl *crl)
{
    for (size_t i = 0; i < b->crl_count && crl->signer; i++)
        if (b->crl[i]->signer && !memcmp(b->crl[i]->signer->fp, crl->signer->fp, 32) &&
            same_scope(b->crl[i]->x, crl->x))
            return &b->crl[i];
    return NULL;
}

static err_t crl_put(struct pki_build *b, struct pki_crl *crl)
{
    struct pki_crl **old = rival(b, crl);
    if (old && is_newer((*old)->x, crl->x)) {
        crl_unref(crl);
        return E_OK;
    }
    if (old) {
        crl_unref(*old);
        *old = crl;
        return E_OK;
    }
    struct pki_crl **list = grown(b->crl, b->crl_count, sizeof *list);
    if (!list) {
        crl_unref(crl);
        return E_NOMEM;
    }
    b->crl = list;
    b->crl[b->crl_count++] = crl;
    return E_OK;
}

err_t pki_add_crl(struct pki_build *b, struct bytes data, const char *name)
{
    struct pki_crl *crl;
    err_t e = crl_new(data, name, &crl);
    if (e)
        return e;
    crl->signer = signer_of(b, crl->x);
    return crl_put(b, crl);
}

/* --- private keys --- */

static struct pki_secret **secret_of(struct pki_build *b, const uint8_t id[20])
{
    for (size_t i = 0; i < b->secret_count; i++)
        if (!memcmp(cr_key_info(b->secret[i]->key)->id, id, 20))
            return &b->secret[i];
    return NULL;
}

err_t pki_add_key(struct pki_build *b, struct cr_key *key, const char *name)
{
    struct pki_secret **old = secret_of(b, cr_key_info(key)->id);
    struct pki_secret *s = secret_key_new(key, name);
    if (!s)
        return E_NOMEM;
    if (old) {
        secret_key_unref(*old);
        *old = s;
        return E_OK;
    }
    struct pki_secret **list = grown(b->secret, b->secret_count, sizeof *list);
    if (!list) {
        secret_key_unref(s);
        return E_NOMEM;
    }
    b->secret = list;
    b->secret[b->secret_count++] = s;
    return E_OK;
}

bool pki_del_key(struct pki_build *b, const uint8_t id[20])
{
    struct pki_secret **s = secret_of(b, id);
    if (!s)
        return false;
    secret_key_unref(*s);
    *s = b->secret[--b->secret_count];
    return true;
}

/* --- the store --- */

static err_t fill_certs(const struct pki_build *b, struct pki *p)
{
    p->cert = calloc(b->cert_count + 1, sizeof *p->cert);
    p->anchors = sk_X509_new_null();
    p->others = sk_X509_new_null();
    if (!p->cert || !p->anchors || !p->others)
        return E_NOMEM;
    for (size_t i = 0; i < b->cert_count; i++) {
        struct pki_cert *c = b->cert[i].c;
        p->cert[p->cert_count++] = cert_ref(c);
        bool anchor = (c->flags & PKI_CA) && c->self;
        if ((anchor || c->ca) && sk_X509_push(anchor ? p->anchors : p->others, c->x) <= 0)
            return E_NOMEM;
    }
    return E_OK;
}

static err_t fill_rest(const struct pki_build *b, struct pki *p)
{
    p->crl = calloc(b->crl_count + 1, sizeof *p->crl);
    p->secret = calloc(b->secret_count + 1, sizeof *p->secret);
    if (!p->crl || !p->secret)
        return E_NOMEM;
    for (size_t i = 0; i < b->crl_count; i++)
        p->crl[p->crl_count++] = crl_ref(b->crl[i]);
    for (size_t i = 0; i < b->secret_count; i++)
        p->secret[p->secret_count++] = secret_key_ref(b->secret[i]);
    return E_OK;
}

err_t pki_build_store(struct pki_build *b, struct pki **out)
{
    *out = NULL;
    struct pki *p = calloc(1, sizeof *p);
    if (!p)
        return E_NOMEM;
    p->refs = 1;
    p->seen = seen_new();
    err_t e = p->seen ? flags_settle(b) : E_NOMEM;
    if (!e)
        e = signers_find(b);
    if (!e)
        e = fill_certs(b, p);
    if (!e)
        e = fill_rest(b, p);
    if (e) {
        pki_unref(p);
        return e;
    }
    *out = p;
    return E_OK;
}
