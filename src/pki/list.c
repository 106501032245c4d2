/* Looking into a store: what list-certs, get-keys and `culvert check` show. See build.h. */
#include "pki/store.h"
#include "model/dn.h"
#include <openssl/err.h>

/* Seconds since 1970; X.509 dates reach from 1950 to 9999. 0: none, or unreadable. */
static int64_t seconds_of(const ASN1_TIME *t)
{
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool ok = t && epoch && ASN1_TIME_diff(&days, &seconds, epoch, t) == 1;
    ASN1_TIME_free(epoch);
    return ok ? (int64_t)days * 86400 + seconds : 0;
}

void pki_cert_each(const struct pki *p, pki_cert_fn *fn, void *ctx)
{
    for (size_t i = 0; p && i < p->cert_count; i++) {
        const struct pki_cert *c = p->cert[i];
        const struct pki_secret *s = c->key ? store_secret_of(p, c->key) : NULL;
        fn(ctx, &(struct pki_cert_info){.der = c->der,
                                        .flags = c->flags,
                                        .ca = c->ca,
                                        .self = c->self,
                                        .key = c->key,
                                        .secret = s ? cr_key_info(s->key) : NULL,
                                        .not_before = seconds_of(X509_get0_notBefore(c->x)),
                                        .not_after = seconds_of(X509_get0_notAfter(c->x)),
                                        .subject = c->subject,
                                        .name = c->name,
                                        .fp = c->fp});
    }
}

void pki_key_each(const struct pki *p, pki_key_fn *fn, void *ctx)
{
    for (size_t i = 0; p && i < p->secret_count; i++)
        fn(ctx, p->secret[i]->key, p->secret[i]->name);
}

static void crl_info(const struct pki_crl *c, pki_crl_fn *fn, void *ctx)
{
    unsigned char *der = NULL;
    const unsigned char *issuer = NULL;
    size_t issuer_len = 0;
    int n = i2d_X509_CRL(c->x, &der);
    if (n > 0 && X509_NAME_get0_der(X509_CRL_get_issuer(c->x), &issuer, &issuer_len) == 1)
        fn(ctx, &(struct pki_crl_info){.der = bytes_of(der, (size_t)n),
                                       .issuer = bytes_of(issuer, issuer_len),
                                       .this_update = seconds_of(X509_CRL_get0_lastUpdate(c->x)),
                                       .next_update = seconds_of(X509_CRL_get0_nextUpdate(c->x)),
                                       .name = c->name,
                                       .is_signed = c->signer != NULL});
    OPENSSL_free(der);
    ERR_clear_error();
}

void pki_crl_each(const struct pki *p, pki_crl_fn *fn, void *ctx)
{
    for (size_t i = 0; p && i < p->crl_count; i++)
        crl_info(p->crl[i], fn, ctx);
}

void pki_name_print(struct bytes dn, struct buf *out)
{
    dn_print(dn, out);
}
