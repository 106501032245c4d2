/* Parsed certificates and revocation lists, and how they are written for people: see cert.h. */
#include "pki/cert.h"
#include "model/dn.h"
#include "crypto/ossl_sign.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static X509 *x509_of(struct bytes der)
{
    const uint8_t *p = der.p;
    X509 *x = der.n && der.n <= PKI_CERT_MAX ? d2i_X509(NULL, &p, (long)der.n) : NULL;
    if (x && p != der.p + der.n) {
        X509_free(x);
        x = NULL;
    }
    /* Reads the extensions once, so that threads find them read. */
    if (x && (X509_get_extension_flags(x) & EXFLAG_INVALID)) {
        X509_free(x);
        x = NULL;
    }
    ERR_clear_error();
    return x;
}

static err_t fill(struct pki_cert *c, struct bytes der, const char *name)
{
    const unsigned char *subject;
    size_t n;
    uint8_t *copy = malloc(der.n);
    c->der = bytes_of(copy, der.n);
    c->name = strdup(name);
    if (!copy || !c->name)
        return E_NOMEM;
    memcpy(copy, der.p, der.n);
    if (X509_NAME_get0_der(X509_get_subject_name(c->x), &subject, &n) != 1 ||
        EVP_Digest(der.p, der.n, c->fp, NULL, EVP_sha256(), NULL) != 1)
        return E_CRYPTO;
    c->subject = bytes_of(subject, n);
    err_t e = cr_key_of_cert(c->x, &c->key);
    return e == (err_t)R_KEY_KIND ? E_OK : e;
}

err_t cert_new(struct bytes der, uint8_t flags, const char *name, struct pki_cert **out)
{
    *out = NULL;
    X509 *x = x509_of(der);
    if (!x)
        return R_CERT_SYNTAX;
    struct pki_cert *c = calloc(1, sizeof *c);
    if (!c) {
        X509_free(x);
        return E_NOMEM;
    }
    uint32_t ex = X509_get_extension_flags(x);
    *c = (struct pki_cert){.refs = 1,
                           .x = x,
                           .flags = flags,
                           .ca = (ex & EXFLAG_BCONS) && (ex & EXFLAG_CA),
                           .self = ex & EXFLAG_SS};
    err_t e = fill(c, der, name);
    if (e) {
        cert_unref(c);
        return e;
    }
    *out = c;
    return E_OK;
}

struct pki_cert *cert_ref(struct pki_cert *c)
{
    __atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
    return c;
}

void cert_unref(struct pki_cert *c)
{
    if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL))
        return;
    X509_free(c->x);
    cr_key_unref(c->key);
    free((uint8_t *)(uintptr_t)c->der.p);
    free(c->name);
    free(c);
}

static X509_CRL *crl_of(struct bytes data)
{
    const uint8_t *p = data.p;
    X509_CRL *x = NULL;
    if (!data.n || data.n > INT32_MAX)
        return NULL;
    if (memmem(data.p, data.n, "-----BEGIN", 10)) {
        BIO *bio = BIO_new_mem_buf(data.p, (int)data.n);
        x = bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
        BIO_free(bio);
    } else {
        x = d2i_X509_CRL(NULL, &p, (long)data.n);
    }
    ERR_clear_error();
    return x;
}

/* Lists of changes and lists for others' certificates (RFC 5280 5.2.4, 5.2.5) have no use here:
 * taken for whole ones they would say too little. */
static bool is_whole(X509_CRL *x)
{
    int there = -1; /* -1: no such extension */
    ISSUING_DIST_POINT *idp = X509_CRL_get_ext_d2i(x, NID_issuing_distribution_point, &there, NULL);
    bool ok = X509_CRL_get_ext_by_NID(x, NID_delta_crl, -1) < 0 && (idp || there == -1);
    ok = ok && (!idp || (idp->indirectCRL <= 0 && idp->onlyattr <= 0 && !idp->onlysomereasons));
    ISSUING_DIST_POINT_free(idp);
    for (int i = 0; ok && i < X509_CRL_get_ext_count(x); i++) {
        X509_EXTENSION *ex = X509_CRL_get_ext(x, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(ex));
        ok = !X509_EXTENSION_get_critical(ex) || nid == NID_issuing_distribution_point ||
             nid == NID_authority_key_identifier || nid == NID_crl_number;
    }
    return ok;
}

/* Takes x and signer over. */
static err_t crl_wrap(X509_CRL *x, const char *name, struct pki_cert *signer, struct pki_crl **out)
{
    struct pki_crl *c = calloc(1, sizeof *c);
    char *copy = strdup(name);
    if (!c || !copy) {
        free(c);
        free(copy);
        cert_unref(signer);
        X509_CRL_free(x);
        return E_NOMEM;
    }
    *c = (struct pki_crl){1, x, signer, copy};
    *out = c;
    return E_OK;
}

err_t crl_new(struct bytes data, const char *name, struct pki_crl **out)
{
    *out = NULL;
    X509_CRL *x = crl_of(data);
    if (!x)
        return R_CERT_SYNTAX;
    if (!is_whole(x)) {
        X509_CRL_free(x);
        return R_CRL_KIND;
    }
    return crl_wrap(x, name, NULL, out);
}

err_t crl_copy(const struct pki_crl *c, struct pki_cert *signer, struct pki_crl **out)
{
    X509_CRL_up_ref(c->x);
    return crl_wrap(c->x, c->name, signer, out);
}

struct pki_crl *crl_ref(struct pki_crl *c)
{
    __atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
    return c;
}

void crl_unref(struct pki_crl *c)
{
    if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL))
        return;
    X509_CRL_free(c->x);
    cert_unref(c->signer);
    free(c->name);
    free(c);
}

/* --- texts --- */

const char *name_text(const X509_NAME *n, char out[NAME_TEXT])
{
    const unsigned char *der = NULL;
    size_t len = 0;
    struct buf b = {0};
    if (X509_NAME_get0_der(n, &der, &len) == 1)
        dn_print(bytes_of(der, len), &b);
    snprintf(out, NAME_TEXT, "%s", buf_str(&b));
    buf_free(&b);
    return out;
}

static const char *tm_text(const struct tm *tm, char out[TIME_TEXT])
{
    if (!strftime(out, TIME_TEXT, "%Y-%m-%d %H:%M:%S UTC", tm))
        out[0] = 0;
    return out;
}

const char *time_text(const ASN1_TIME *t, char out[TIME_TEXT])
{
    struct tm tm = {0};
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1) {
        snprintf(out, TIME_TEXT, "%s", t ? "an unreadable date" : "no date");
        return out;
    }
    return tm_text(&tm, out);
}

const char *wall_text(uint64_t wall_s, char out[TIME_TEXT])
{
    struct tm tm = {0};
    time_t t = (time_t)wall_s;
    gmtime_r(&t, &tm);
    return tm_text(&tm, out);
}
