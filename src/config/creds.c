/*
 * Certificates, revocation lists and private keys of the folders beside the configuration, laid out
 * as swanctl has them (swanctl(8), FILES): every file of them is loaded. One that cannot be is a
 * warning, for the others are better than none. Called by load.c.
 */
#include "config/creds.h"
#include "config/file.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { SOON_S = 30 * 24 * 3600 }; /* a certificate that ends within this time is worth a word */

struct folder {
    const char *name;
    enum { HAS_CERTS, HAS_CRLS, HAS_KEYS, HAS_NO_USE } what;
    enum pki_flag flag;
};

static const struct folder folders[] = {
    {"x509", HAS_CERTS, PKI_END},  {"x509ca", HAS_CERTS, PKI_CA},
    {"x509aa", HAS_CERTS, PKI_AA}, {"x509ocsp", HAS_CERTS, PKI_OCSP},
    {"x509crl", HAS_CRLS, 0},      {"private", HAS_KEYS, 0},
    {"rsa", HAS_KEYS, 0},          {"ecdsa", HAS_KEYS, 0},
    {"pkcs8", HAS_KEYS, 0},        {"pubkey", HAS_NO_USE, 0},
    {"pkcs12", HAS_NO_USE, 0},     {"bliss", HAS_NO_USE, 0},
};

struct loading {
    struct cx *cx;
    const struct vnode *tree;
    struct pki_build *pki;
    const struct folder *folder;
    char *path; /* of the file under way */
};

static void warn(struct loading *l, const char *path, const char *text)
{
    diag_add(l->cx->d, DIAG_WARNING, NULL, "", path, "%s", text);
}

/* --- private keys --- */

/* secrets { private-gw { file = gw.key, secret = ... } }: the section's name begins like the
 * folder's.
 */
static const struct vnode *phrase_of(const struct loading *l, const char *name)
{
    const struct vnode *secrets = vnode_find(l->tree, "secrets");
    for (const struct vnode *n = secrets ? secrets->child : NULL; n; n = n->next) {
        const char *file = n->kind == VN_SECTION ? vnode_get(n, "file") : NULL;
        if (file && !strncmp(n->name, l->folder->name, strlen(l->folder->name)) &&
            !strcmp(file, name))
            return vnode_find(n, "secret");
    }
    return NULL;
}

static void add_key(struct loading *l, const char *name, struct bytes data)
{
    struct secret pass = {0};
    struct cr_key *key = NULL;
    const struct vnode *given = phrase_of(l, name);
    if (given && given->kind == VN_VALUE && !secret_of_text(l->cx, given, &pass))
        given = NULL;
    err_t e = cr_key_private(data, secret_bytes(&pass), &key);
    if (!e)
        e = pki_add_key(l->pki, key, l->path);
    if (e == E_NOMEM)
        l->cx->d->nomem = true;
    else if (e == (err_t)R_KEY_LOCKED && given)
        warn(l, l->path, "is encrypted, and the secret that is given does not open it");
    else if (e == (err_t)R_KEY_LOCKED)
        diag_add(
            l->cx->d, DIAG_WARNING, NULL, "", l->path,
            "is encrypted: write secrets { %s-1 { file = %s, secret = ... } }, each on a line of "
            "its own",
            l->folder->name, name);
    else if (e)
        warn(l, l->path, err_text(e));
    cr_key_unref(key);
    secret_free(&pass);
}

/* --- folders --- */

static void add_file(struct loading *l, const char *name, struct bytes data)
{
    err_t e = E_OK;
    switch (l->folder->what) {
    case HAS_CERTS:
        e = pki_add_cert(l->pki, data, l->folder->flag, l->path);
        break;
    case HAS_CRLS:
        e = pki_add_crl(l->pki, data, l->path);
        break;
    case HAS_KEYS:
        add_key(l, name, data);
        break;
    case HAS_NO_USE:
        break;
    }
    if (e == E_NOMEM)
        l->cx->d->nomem = true;
    else if (e == (err_t)R_CERT_CA)
        warn(l, l->path, "is not an authority's (basicConstraints CA:TRUE is missing); not used");
    else if (e)
        diag_add(l->cx->d, DIAG_WARNING, NULL, "", l->path, "is not used: %s", err_text(e));
}

static void read_file(struct loading *l, const char *dir, const char *name)
{
    struct buf data = {0};
    size_t max = l->folder->what == HAS_CRLS ? CONFIG_CRL_MAX : CONFIG_CERT_MAX;
    l->path = file_beside(l->tree, dir, name);
    if (l->path && file_read(l->path, max, &data))
        add_file(l, name, bytes_of(data.s, data.n));
    else if (!l->path || data.err)
        l->cx->d->nomem = true;
    else
        diag_add(l->cx->d, DIAG_WARNING, NULL, "", l->path, "cannot be read: %s", strerror(errno));
    file_wipe(&data);
    free(l->path);
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.' && d->d_type != DT_DIR;
}

static void read_folder(struct loading *l)
{
    struct dirent **entry;
    char *dir = file_beside(l->tree, "", l->folder->name);
    int n = dir ? scandir(dir, &entry, visible, alphasort) : 0;
    for (int i = 0; i < n; i++) {
        if (l->folder->what != HAS_NO_USE)
            read_file(l, l->folder->name, entry[i]->d_name);
        else if (!i)
            warn(l, dir, "its files have no use here yet");
        free(entry[i]);
    }
    if (n >= 0 && dir)
        free(entry);
    else if (!dir)
        l->cx->d->nomem = true;
    else if (errno != ENOENT)
        diag_add(l->cx->d, DIAG_WARNING, NULL, "", dir, "cannot be read: %s", strerror(errno));
    free(dir);
}

/* --- what does not fit --- */

static void check_date(void *ctx, const struct pki_cert_info *i)
{
    struct loading *l = ctx;
    int64_t now = time(NULL), left = i->not_after - now;
    if (i->not_before > now)
        warn(l, i->name, "the certificate is not valid yet");
    else if (left < 0)
        diag_add(l->cx->d, DIAG_WARNING, NULL, "", i->name,
                 "the certificate has expired %lld days ago", (long long)(-left / 86400));
    else if (left < SOON_S)
        diag_add(l->cx->d, DIAG_WARNING, NULL, "", i->name, "the certificate expires in %lld days",
                 (long long)(left / 86400));
    if (!i->key)
        warn(l, i->name, "the certificate's kind of key has no use here");
}

static void check_crl(void *ctx, const struct pki_crl_info *i)
{
    struct loading *l = ctx;
    if (!i->is_signed)
        warn(l, i->name, "no authority that is loaded has signed this revocation list");
    else if (i->next_update && i->next_update < time(NULL))
        warn(l, i->name, "the revocation list is out of date; get a fresh one");
}

struct fit {
    struct loading *l;
    const struct pki *store;
    const struct cr_key *key;
    bool found;
};

static void fits(void *ctx, const struct pki_cert_info *i)
{
    struct fit *f = ctx;
    f->found = f->found || (i->key && cr_key_pair(i->key, f->key));
}

static void check_key(void *ctx, const struct cr_key *key, const char *name)
{
    struct fit *f = ctx;
    f->key = key;
    f->found = false;
    pki_cert_each(f->store, fits, f);
    if (!f->found)
        warn(f->l, name, "the private key belongs to none of the certificates");
}

/* Our certificates of a connection; their keys may still come by VICI. */
static void check_conn(struct loading *l, const struct pki *store, const struct conn *c)
{
    const struct conn_auth *a = &c->auth_local;
    struct pki_own own;
    struct pki_why why;
    if (a->kind != AUTH_PUBKEY || a->id.type == ID_ANY ||
        !pki_own_find(store, a, &a->id, &(struct pki_wish){0}, &own, &why))
        return;
    diag_add(l->cx->d, DIAG_WARNING, NULL, "", c->name, "%s; %s", why.ours, why.hint);
}

static void check_all(struct loading *l, const struct config *c)
{
    struct pki *store;
    if (pki_build_store(l->pki, &store)) {
        l->cx->d->nomem = true;
        return;
    }
    pki_cert_each(store, check_date, l);
    pki_crl_each(store, check_crl, l);
    pki_key_each(store, check_key, &(struct fit){.l = l, .store = store});
    for (size_t i = 0; i < c->conn_count; i++)
        check_conn(l, store, c->conn[i]);
    pki_unref(store);
}

/* --- certificates that connections and authorities name --- */

static void drop(struct pki_build *b, const struct conn_cert *c, size_t n, enum pki_flag flag)
{
    for (size_t i = 0; i < n; i++)
        pki_drop_cert(b, &c[i], flag);
}

/* All of them or none. */
static err_t hold(struct pki_build *b, const struct conn_cert *c, size_t n, enum pki_flag flag)
{
    for (size_t i = 0; i < n; i++) {
        err_t e = pki_hold_cert(b, &c[i], flag);
        if (e) {
            drop(b, c, i, flag);
            return e;
        }
    }
    return E_OK;
}

static err_t hold_auth(struct pki_build *b, const struct conn_auth *a)
{
    const struct conn_pki *p = a->pki;
    if (!p)
        return E_OK;
    err_t e = hold(b, p->certs, p->cert_count, PKI_END);
    if (e)
        return e;
    e = hold(b, p->cacerts, p->cacert_count, PKI_CA);
    if (e)
        drop(b, p->certs, p->cert_count, PKI_END);
    return e;
}

static void drop_auth(struct pki_build *b, const struct conn_auth *a)
{
    const struct conn_pki *p = a->pki;
    if (!p)
        return;
    drop(b, p->certs, p->cert_count, PKI_END);
    drop(b, p->cacerts, p->cacert_count, PKI_CA);
}

err_t creds_hold_conn(struct pki_build *b, const struct conn *c)
{
    err_t e = hold_auth(b, &c->auth_local);
    if (e)
        return e;
    e = hold_auth(b, &c->auth_remote);
    if (e)
        drop_auth(b, &c->auth_local);
    return e;
}

void creds_drop_conn(struct pki_build *b, const struct conn *c)
{
    drop_auth(b, &c->auth_local);
    drop_auth(b, &c->auth_remote);
}

static void hold_all(struct loading *l, const struct config *c)
{
    err_t e = E_OK;
    for (size_t i = 0; i < c->conn_count && !e; i++)
        e = creds_hold_conn(l->pki, c->conn[i]);
    for (size_t i = 0; i < c->authority_count && !e; i++)
        e = config_authority_hold(l->pki, c->authority[i]);
    if (e > 0)
        diag_add(l->cx->d, DIAG_ERROR, NULL, "", NULL,
                 "a certificate of cacerts or authorities is not an authority's "
                 "(basicConstraints CA:TRUE is missing)");
    l->cx->d->nomem = l->cx->d->nomem || e < 0;
}

void creds_load(struct cx *cx, const struct vnode *tree, struct config *c)
{
    struct loading l = {.cx = cx, .tree = tree, .pki = pki_build_new()};
    c->pki = l.pki;
    if (!l.pki) {
        cx->d->nomem = true;
        return;
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders && is_from_file(tree); i++) {
        l.folder = &folders[i];
        read_folder(&l);
    }
    hold_all(&l, c);
    if (!cx->d->nomem)
        check_all(&l, c);
}
