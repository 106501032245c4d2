/*
 * Authentication with keys: auth = pubkey and its limits, certificates that a connection names, and
 * the identity that follows from them. swanctl.conf(5). Called through the schema's rows and by
 * conn_load.c.
 */
#include "config/file.h"
#include "config/schema.h"
#include "pki/build.h"
#include <errno.h>
#include <stdlib.h>

static struct conn_pki *pki_of(struct cx *cx, struct conn_auth *a)
{
    if (!a->pki)
        a->pki = calloc(1, sizeof *a->pki);
    if (!a->pki)
        cx->d->nomem = true;
    return a->pki;
}

/* --- auth --- */

enum token { TOKEN_TYPE, TOKEN_HASH, TOKEN_ANY };

static const struct {
    const char *name;
    enum token kind;
    uint16_t bit;
    bool pss;
} tokens[] = {
    {"pubkey", TOKEN_ANY, 0, false},
    {"rsa", TOKEN_TYPE, 1u << CR_KEY_RSA, false},
    {"rsa/pss", TOKEN_TYPE, 1u << CR_KEY_RSA, true},
    {"ecdsa", TOKEN_TYPE, 1u << CR_KEY_ECDSA, false},
    {"ed25519", TOKEN_TYPE, 1u << CR_KEY_ED25519, false},
    {"ed448", TOKEN_TYPE, 1u << CR_KEY_ED448, false},
    {"sha1", TOKEN_HASH, 1u << CR_SIG_SHA1, false},
    {"sha256", TOKEN_HASH, 1u << CR_SIG_SHA256, false},
    {"sha384", TOKEN_HASH, 1u << CR_SIG_SHA384, false},
    {"sha512", TOKEN_HASH, 1u << CR_SIG_SHA512, false},
    {"identity", TOKEN_HASH, 1u << CR_SIG_IDENTITY, false},
};

static bool take_bits(const char *word, uint16_t last_type, struct key_limits *l)
{
    char *end;
    unsigned long bits = strtoul(word, &end, 10);
    if (*end || !*word || bits < 64 || bits > 16384)
        return false;
    if (last_type == 1u << CR_KEY_RSA)
        l->rsa_bits = (uint16_t)bits;
    else if (last_type == 1u << CR_KEY_ECDSA)
        l->ecdsa_bits = (uint16_t)bits;
    else
        return false;
    return true;
}

/* One word of "rsa-2048-sha256": a number belongs to the type before it. */
static bool take_token(const char *word, uint16_t *last_type, struct key_limits *l)
{
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        if (strcmp(tokens[i].name, word) != 0)
            continue;
        *last_type = tokens[i].kind == TOKEN_TYPE ? tokens[i].bit : 0;
        if (tokens[i].kind == TOKEN_TYPE)
            l->types |= tokens[i].bit;
        if (tokens[i].kind == TOKEN_HASH)
            l->hashes |= tokens[i].bit;
        l->pss = l->pss || tokens[i].pss;
        return true;
    }
    return take_bits(word, *last_type, l);
}

/* What follows ike: is of IKE's own signatures, the rest of certificates. NULL: all understood. */
static const char *take_limits(char *text, struct key_limits *chain, struct key_limits *ike)
{
    uint16_t last_type = 0;
    struct key_limits *l = chain;
    for (char *save = NULL, *w = strtok_r(text, "-", &save); w; w = strtok_r(NULL, "-", &save)) {
        if (!strncmp(w, "ike:", 4)) {
            l = ike;
            w += 4;
        }
        if (!take_token(w, &last_type, l))
            return w;
    }
    return NULL;
}

static bool is_pubkey(const char *text)
{
    static const char *const first[] = {"pubkey", "rsa", "ecdsa", "ed25519", "ed448", "ike:"};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (!strncmp(text, first[i], strlen(first[i])))
            return true;
    return false;
}

static bool limits_nothing(const struct key_limits *l)
{
    return !l->types && !l->hashes;
}

bool auth_of_keys(struct cx *cx, const struct vnode *n, struct conn_auth *a)
{
    struct key_limits chain = {0}, ike = {0};
    if (!is_pubkey(n->value))
        return false;
    char *text = strdup(n->value);
    const char *bad = text ? take_limits(text, &chain, &ike) : NULL;
    cx->d->nomem = cx->d->nomem || !text;
    a->kind = AUTH_PUBKEY;
    if (bad)
        cx_report(cx, DIAG_ERROR, n, bad,
                  "expected a key (rsa, rsa/pss, ecdsa, ed25519, ed448) with its least bits behind "
                  "it, or a hash (sha256, sha384, sha512)");
    else if ((!limits_nothing(&chain) || !limits_nothing(&ike)) && pki_of(cx, a)) {
        a->pki->chain = chain;
        a->pki->ike = ike;
    }
    free(text);
    return true;
}

/* --- certificates --- */

struct place {
    struct conn_cert **list;
    size_t *count;
};

/* name NULL: VICI's, which are known by their subjects. */
static void keep_cert(struct cx *cx, const struct vnode *n, const char *name, struct bytes data,
                      struct place to)
{
    struct pki_read r;
    struct buf subject = {0};
    err_t e = pki_read_cert(data, &r);
    id_print(&r.subject, &subject);
    const char *called = name ? name : buf_str(&subject);
    if (e == E_NOMEM ||
        (!e && !conn_cert_add(to.list, to.count, called, bytes_of(r.der, r.n), r.fp)))
        cx->d->nomem = true;
    else if (e)
        cx_report(cx, DIAG_ERROR, n, name, "is no certificate, neither in PEM nor in DER");
    buf_free(&subject);
    free(r.der);
}

static void read_cert(struct cx *cx, const struct vnode *n, const char *dir, const char *name,
                      struct place to)
{
    struct buf data = {0};
    char *path = file_beside(n, dir, name);
    if (path && file_read(path, CONFIG_CERT_MAX, &data))
        keep_cert(cx, n, path, bytes_of(data.s, data.n), to);
    else if (!path || data.err)
        cx->d->nomem = true;
    else
        cx_report(cx, DIAG_ERROR, n, path, "cannot read it: %s", strerror(errno));
    buf_free(&data);
    free(path);
}

/* A file names its certificates, VICI brings them. */
void certs_of_value(struct cx *cx, const struct vnode *n, const char *dir, struct conn_cert **list,
                    size_t *count)
{
    struct items it = items_of(n);
    struct place to = {list, count};
    if (is_from_file(n)) {
        for (const char *w; (w = items_next(&it));)
            read_cert(cx, n, dir, w, to);
        return;
    }
    if (n->kind == VN_VALUE)
        keep_cert(cx, n, NULL, bytes_of(n->value, n->value_len), to);
    for (const struct vnode *i = n->kind == VN_LIST ? n->child : NULL; i; i = i->next)
        keep_cert(cx, n, NULL, bytes_of(i->value, i->value_len), to);
}

void cert_of_file(struct cx *cx, const struct vnode *n, const char *dir, struct conn_cert **list,
                  size_t *count)
{
    read_cert(cx, n, dir, n->value, (struct place){list, count});
}

static struct place place_of(struct conn_pki *p, bool authorities)
{
    return authorities ? (struct place){&p->cacerts, &p->cacert_count}
                       : (struct place){&p->certs, &p->cert_count};
}

/* r->min: 1 for authorities */
void set_certs(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct conn_pki *p = pki_of(cx, obj);
    if (!p)
        return;
    struct place to = place_of(p, r->min);
    certs_of_value(cx, n, r->min ? "x509ca" : "x509", to.list, to.count);
}

void set_ca_id(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct conn_pki *p = pki_of(cx, obj);
    (void)r;
    if (p && !id_parse(&p->ca_id, n->value))
        cx_report(cx, DIAG_ERROR, n, n->value, "%s", id_problem(n->value));
}

/* cert<suffix> { file = ... } and cacert<suffix> */
bool cert_section(struct cx *cx, const struct vnode *sec, struct conn_auth *a)
{
    bool authority = !strncmp(sec->name, "cacert", 6);
    if (sec->kind != VN_SECTION || (!authority && strncmp(sec->name, "cert", 4) != 0))
        return false;
    const struct vnode *file = vnode_find(sec, "file");
    struct conn_pki *p = pki_of(cx, a);
    for (const struct vnode *n = sec->child; n; n = n->next)
        if (n != file)
            cx_report(cx, DIAG_ERROR, n, n->name,
                      "only file = ... is supported; there are no tokens");
    if (!file || file->kind != VN_VALUE || !file->value_len)
        cx_report(cx, DIAG_ERROR, sec, NULL, "expected file = NAME");
    else if (p)
        read_cert(cx, file, authority ? "x509ca" : "x509", file->value, place_of(p, authority));
    return true;
}

/* --- the identity --- */

static void default_id(struct cx *cx, struct conn_auth *a, const struct id *subject)
{
    struct buf b = {0};
    a->id = *subject;
    id_print(subject, &b);
    free(a->id_text);
    a->id_text = b.err ? NULL : strdup(buf_str(&b));
    cx->d->nomem = cx->d->nomem || !a->id_text;
    buf_free(&b);
}

/* As swanctl.conf(5) and strongSwan have it: an identity that is not given, and one of ours that
 * the certificate is not for, is the certificate's subject. */
void auth_id_of_cert(struct cx *cx, const struct vnode *sec, struct conn_auth *a, bool local)
{
    const struct conn_cert *c = a->pki && a->pki->cert_count ? a->pki->certs : NULL;
    struct pki_read r;
    if (!c || (a->id.type != ID_ANY && !local))
        return;
    struct bytes der = bytes_of(c->p, c->n);
    if (a->id.type != ID_ANY && pki_cert_is_for(der, &a->id))
        return;
    if (a->id.type != ID_ANY)
        cx_report(cx, DIAG_WARNING, key_or_section(sec, "id"), a->id_text,
                  "the certificate %s is not for this identity (RFC 4945 3.1); its subject is used",
                  c->name);
    if (pki_read_cert(der, &r))
        return;
    if (r.subject.type != ID_ANY)
        default_id(cx, a, &r.subject);
    else
        cx_report(
            cx, DIAG_ERROR, sec, NULL,
            "the certificate's subject is longer than %d bytes: write id = ... with a name of "
            "its subjectAltName",
            ID_MAX);
    free(r.der);
}
