/*
 * authorities { NAME { cacert = ..., crl_uris = ... } } of a file, and VICI's load-authority.
 * Called by load.c and by the daemon.
 */
#include "config/creds.h"
#include "config/file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void uris_free(struct config_uris *u)
{
    for (size_t i = 0; i < u->count; i++)
        free(u->uri[i]);
    free(u->uri);
}

void config_authority_free(struct config_authority *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->cert_count; i++) {
        free(a->cert[i].name);
        free(a->cert[i].p);
    }
    free(a->cert);
    for (size_t i = 0; i < a->crl_count; i++)
        buf_free(&a->crl[i]);
    free(a->crl);
    uris_free(&a->crl_uris);
    uris_free(&a->ocsp_uris);
    free(a->cert_uri_base);
    free(a->name);
    free(a);
}

static void take_uris(struct cx *cx, const struct vnode *n, struct config_uris *to)
{
    struct items it = items_of(n);
    for (const char *w; (w = items_next(&it));) {
        char **grown = realloc(to->uri, (to->count + 1) * sizeof *grown);
        char *copy = grown ? strdup(w) : NULL;
        to->uri = grown ? grown : to->uri;
        if (!copy) {
            cx->d->nomem = true;
            return;
        }
        to->uri[to->count++] = copy;
    }
}

static void read_crl(struct cx *cx, const struct vnode *n, struct config_authority *a,
                     const char *path)
{
    struct buf *grown = realloc(a->crl, (a->crl_count + 1) * sizeof *grown);
    if (!grown) {
        cx->d->nomem = true;
        return;
    }
    a->crl = grown;
    a->crl[a->crl_count] = (struct buf){0};
    if (file_read(path, CONFIG_CRL_MAX, &a->crl[a->crl_count])) {
        a->crl_count++;
        return;
    }
    cx->d->nomem = cx->d->nomem || a->crl[a->crl_count].err;
    buf_free(&a->crl[a->crl_count]);
    cx_report(cx, DIAG_WARNING, n, path, "cannot read it: %s", strerror(errno));
}

static void read_crls(struct cx *cx, const struct vnode *n, struct config_authority *a)
{
    for (size_t i = 0; i < a->crl_uris.count; i++) {
        const char *uri = a->crl_uris.uri[i];
        if (!strncmp(uri, "file://", 7))
            read_crl(cx, n, a, uri + 7);
        else
            cx_report(cx, DIAG_WARNING, n, uri,
                      "is not fetched: only file:///... is read; fetch it into x509crl/");
    }
}

/* The last one counts. */
static void take_base(struct cx *cx, const struct vnode *n, struct config_authority *a)
{
    free(a->cert_uri_base);
    a->cert_uri_base = strdup(n->value);
    cx->d->nomem = cx->d->nomem || !a->cert_uri_base;
}

static void members(struct cx *cx, const struct vnode *sec, struct config_authority *a)
{
    for (const struct vnode *n = sec->child; n; n = n->next) {
        bool cert = !strcmp(n->name, "cacert"), file = !strcmp(n->name, "file");
        if (n->kind == VN_SECTION || (n->kind == VN_VALUE && !n->value_len))
            continue;
        if (cert)
            certs_of_value(cx, n, "x509ca", &a->cert, &a->cert_count);
        else if (file && n->kind == VN_VALUE)
            cert_of_file(cx, n, "", &a->cert, &a->cert_count);
        else if (!strcmp(n->name, "crl_uris"))
            take_uris(cx, n, &a->crl_uris);
        else if (!strcmp(n->name, "ocsp_uris"))
            take_uris(cx, n, &a->ocsp_uris);
        else if (!strcmp(n->name, "cert_uri_base") && n->kind == VN_VALUE)
            take_base(cx, n, a);
    }
    const struct vnode *crls = vnode_find(sec, "crl_uris");
    if (crls)
        read_crls(cx, crls, a);
    if (a->cert_count != 1 && !cx->d->errors)
        cx_report(cx, DIAG_ERROR, sec, NULL, "expected one certificate: cacert = FILE");
}

err_t config_authority_from_tree(const struct vnode *sec, struct config_authority **out,
                                 struct diag *d)
{
    struct cx cx = {d};
    size_t before = d->errors;
    *out = NULL;
    if (sec->kind != VN_SECTION || !sec->name) {
        cx_report(&cx, DIAG_ERROR, sec, sec->name, "expected an authority's section: NAME { ... }");
        return R_CONFIG_VALUE;
    }
    struct config_authority *a = calloc(1, sizeof *a);
    if (!a || !(a->name = strdup(sec->name))) {
        config_authority_free(a);
        return E_NOMEM;
    }
    schema_apply(&cx, SC_AUTHORITY, sec, NULL);
    members(&cx, sec, a);
    if (d->errors == before && !d->nomem) {
        *out = a;
        return E_OK;
    }
    config_authority_free(a);
    return d->nomem ? E_NOMEM : R_CONFIG_VALUE;
}

err_t config_authority_hold(struct pki_build *b, const struct config_authority *a)
{
    err_t e = E_OK;
    size_t held = 0;
    char name[160]; /* where its lists come from, for people */
    snprintf(name, sizeof name, "crl_uris of authorities.%s", a->name);
    for (; held < a->cert_count && !e; held += !e)
        e = pki_hold_cert(b, &a->cert[held], PKI_CA);
    for (size_t i = 0; i < a->crl_count && !e; i++) {
        err_t bad = pki_add_crl(b, bytes_of(a->crl[i].s, a->crl[i].n), name);
        e = bad < 0 ? bad : E_OK; /* a list that is none is no reason to distrust the authority */
    }
    for (size_t i = 0; i < held && e; i++)
        pki_drop_cert(b, &a->cert[i], PKI_CA);
    return e;
}

void config_authority_drop(struct pki_build *b, const struct config_authority *a)
{
    for (size_t i = 0; i < a->cert_count; i++)
        pki_drop_cert(b, &a->cert[i], PKI_CA);
}
