/*
 * VICI's commands for keys, certificates and authorities, with charon's names and spellings:
 * load-cert, load-key, unload-key, get-keys, list-certs, flush-certs, clear-creds and those of
 * authorities.
 */
#include "daemon/core.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct {
    const char *name;
    enum pki_flag flag;
} flags[] = {{"NONE", PKI_END}, {"CA", PKI_CA}, {"AA", PKI_AA}, {"OCSP", PKI_OCSP}};

static const char *flag_name(uint8_t flag)
{
    for (size_t i = 1; i < sizeof flags / sizeof *flags; i++)
        if (flag & flags[i].flag)
            return flags[i].name;
    return flags[0].name;
}

static bool flag_of(const char *name, enum pki_flag *out)
{
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (!name || strcasecmp(name, flags[i].name) != 0)
            continue;
        *out = flags[i].flag;
        return true;
    }
    return !name;
}

static struct bytes data_of(const struct vici_request *rq)
{
    const struct vnode *n = vnode_find(rq->msg, "data");
    return n && n->kind == VN_VALUE ? bytes_of(n->value, n->value_len) : bytes_of(NULL, 0);
}

static void put_id(struct buf *b, const struct cr_key_info *i)
{
    buf_hex(b, bytes_of(i->id, sizeof i->id));
}

/* What was added counts when there is a store with it. */
static void published(struct core *c, struct vnode *reply)
{
    if (creds_publish(c->creds))
        reply_no(reply, "out of memory");
    else
        reply_ok(reply);
}

/* --- certificates --- */

HANDLER(control_load_cert)
{
    struct core *c = ctx;
    const char *type = vnode_get(rq->msg, "type"), *flag = vnode_get(rq->msg, "flag");
    struct bytes data = data_of(rq);
    enum pki_flag f = PKI_END;
    bool crl = type && !strcasecmp(type, "X509_CRL");
    err_t e = E_OK;
    if (!type)
        reply_no(rq->reply, "certificate type missing");
    else if (!crl && strcasecmp(type, "X509") != 0)
        reply_no(rq->reply, "invalid certificate type: %s", type);
    else if (!flag_of(flag, &f))
        reply_no(rq->reply, "invalid certificate flag: %s", flag);
    else if (!data.n)
        reply_no(rq->reply, "certificate data missing");
    else if ((e = crl ? pki_add_crl(creds_build(c->creds), data, "VICI")
                      : pki_add_cert(creds_build(c->creds), data, f, "VICI")))
        reply_no(rq->reply, "parsing %s certificate failed: %s", type,
                 e == (err_t)R_CERT_CA ? "it lacks the CA basic constraint" : err_text(e));
    else
        published(c, rq->reply);
}

struct list_certs {
    struct core *c;
    struct vici_client *client;
    const char *type, *flag, *subject;
};

static bool wants(const char *filter, const char *value)
{
    return !filter || !*filter || !strcasecmp(filter, "any") || !strcasecmp(filter, value);
}

static void put_time(struct vici_writer *w, const char *key, int64_t at)
{
    char text[64];
    time_t t = (time_t)at;
    struct tm tm;
    if (gmtime_r(&t, &tm) && strftime(text, sizeof text, "%b %d %H:%M:%S %Y", &tm))
        vici_put_value(w, key, text);
}

static void put_key(struct vici_writer *w, const struct cr_key *key)
{
    char text[24];
    if (key)
        vici_put_value(w, "key", cr_key_text(key, text));
}

static void list_cert(void *ctx, const struct pki_cert_info *i)
{
    struct list_certs *l = ctx;
    struct buf subject = {0};
    pki_name_print(i->subject, &subject);
    bool shown = wants(l->type, "X509") && wants(l->flag, flag_name(i->flags)) &&
                 (!l->subject || !strcmp(l->subject, buf_str(&subject)));
    struct vici_writer *w = shown ? vici_event_begin(l->client, "list-cert") : NULL;
    if (w) {
        vici_put_value(w, "type", "X509");
        vici_put_value(w, "flag", flag_name(i->flags));
        if (i->secret)
            vici_put_value(w, "has_privkey", "yes");
        vici_put_data(w, bytes_of("data", 4), i->der);
        vici_put_value(w, "subject", buf_str(&subject));
        put_time(w, "not-before", i->not_before);
        put_time(w, "not-after", i->not_after);
        put_key(w, i->key);
        vici_put_value(w, "file", i->name);
        vici_event_end(l->client);
    }
    buf_free(&subject);
}

static void list_crl(void *ctx, const struct pki_crl_info *i)
{
    struct list_certs *l = ctx;
    struct buf issuer = {0};
    pki_name_print(i->issuer, &issuer);
    bool shown = wants(l->type, "X509_CRL") && wants(l->flag, "NONE") &&
                 (!l->subject || !strcmp(l->subject, buf_str(&issuer)));
    struct vici_writer *w = shown ? vici_event_begin(l->client, "list-cert") : NULL;
    if (w) {
        vici_put_value(w, "type", "X509_CRL");
        vici_put_value(w, "flag", "NONE");
        vici_put_data(w, bytes_of("data", 4), i->der);
        vici_put_value(w, "subject", buf_str(&issuer));
        put_time(w, "not-before", i->this_update);
        if (i->next_update)
            put_time(w, "not-after", i->next_update);
        vici_put_value(w, "file", i->name);
        vici_event_end(l->client);
    }
    buf_free(&issuer);
}

HANDLER(control_list_certs)
{
    struct core *c = ctx;
    struct list_certs l = {.c = c,
                           .client = rq->client,
                           .type = vnode_get(rq->msg, "type"),
                           .flag = vnode_get(rq->msg, "flag"),
                           .subject = vnode_get(rq->msg, "subject")};
    pki_cert_each(creds_store(c->creds), list_cert, &l);
    pki_crl_each(creds_store(c->creds), list_crl, &l);
}

HANDLER(control_clear_creds)
{
    struct core *c = ctx;
    runner_feed(c->runner, &(struct ike_in){.kind = IN_CREDS_CLEAR});
    pki_build_clear(creds_build(c->creds));
    published(c, rq->reply);
}

/* --- private keys --- */

HANDLER(control_load_key)
{
    struct core *c = ctx;
    static const char *const types[] = {"any", "RSA", "ECDSA", "ED25519", "ED448", "PKCS8"};
    const char *type = vnode_get(rq->msg, "type");
    struct bytes data = data_of(rq);
    struct cr_key *key = NULL;
    struct buf id = {0};
    bool known = false;
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        known = known || !strcasecmp(type, types[i]);
    err_t e = known && data.n ? cr_key_private(data, bytes_of(NULL, 0), &key) : E_USAGE;
    if (!type)
        reply_no(rq->reply, "private key type missing");
    else if (!known)
        reply_no(rq->reply, "invalid private key type: %s", type);
    else if (!data.n)
        reply_no(rq->reply, "private key data missing");
    else if (e || (e = pki_add_key(creds_build(c->creds), key, "VICI")))
        reply_no(rq->reply, "parsing %s private key failed: %s", type, err_text(e));
    else {
        published(c, rq->reply);
        put_id(&id, cr_key_info(key));
        vnode_value(rq->reply, "id", buf_str(&id));
    }
    buf_free(&id);
    cr_key_unref(key);
}

static bool id_of_hex(const char *text, uint8_t id[20])
{
    unsigned v;
    for (size_t i = 0; i < 20; i++) {
        if (sscanf(text + 2 * i, "%2x", &v) != 1)
            return false;
        id[i] = (uint8_t)v;
    }
    return !text[40];
}

HANDLER(control_unload_key)
{
    struct core *c = ctx;
    const char *text = vnode_get(rq->msg, "id");
    uint8_t id[20];
    if (!text)
        reply_no(rq->reply, "key id missing");
    else if (strlen(text) != 40 || !id_of_hex(text, id) || !pki_del_key(creds_build(c->creds), id))
        reply_no(rq->reply, "key not found");
    else
        published(c, rq->reply);
}

static void list_key(void *ctx, const struct cr_key *key, const char *name)
{
    struct buf id = {0};
    (void)name;
    put_id(&id, cr_key_info(key));
    vnode_item(ctx, buf_str(&id));
    buf_free(&id);
}

HANDLER(control_get_keys)
{
    struct core *c = ctx;
    pki_key_each(creds_store(c->creds), list_key, vnode_list(rq->reply, "keys"));
}

HANDLER(control_load_token)
{
    (void)ctx;
    reply_no(rq->reply, "tokens are not supported: load the key itself with load-key");
}

/* --- authorities --- */

HANDLER(control_load_authority)
{
    struct core *c = ctx;
    struct diag d = {0};
    struct config_authority *a = NULL;
    const struct vnode *sec = rq->msg->child;
    if (!sec || sec->kind != VN_SECTION || sec->next) {
        reply_no(rq->reply, "expected one section named like the authority");
        return;
    }
    err_t e = config_authority_from_tree(sec, &a, &d);
    say_warnings(c, &d);
    if (e)
        reply_diag(rq->reply, &d, ", authority discarded");
    else if ((e = creds_authority_load(c->creds, a)))
        reply_no(rq->reply, "%s",
                 e == (err_t)R_CERT_CA ? "the certificate lacks the CA basic constraint"
                                       : err_text(e));
    else
        reply_ok(rq->reply);
    diag_free(&d);
}

HANDLER(control_unload_authority)
{
    struct core *c = ctx;
    const char *name = vnode_get(rq->msg, "name");
    if (!name)
        reply_no(rq->reply, "unload: missing authority name");
    else if (!creds_authority_unload(c->creds, name))
        reply_no(rq->reply, "unload: authority '%s' not found", name);
    else
        reply_ok(rq->reply);
}

HANDLER(control_get_authorities)
{
    struct core *c = ctx;
    struct config_authority *const *list;
    size_t n = creds_authorities(c->creds, &list);
    struct vnode *names = vnode_list(rq->reply, "authorities");
    for (size_t i = 0; i < n; i++)
        vnode_item(names, list[i]->name);
}

static void put_uris(struct vici_writer *w, const char *key, const struct config_uris *u)
{
    vici_put_list(w, key);
    for (size_t i = 0; i < u->count; i++)
        vici_put_item(w, u->uri[i]);
    vici_put_list_end(w);
}

static void put_subject(struct vici_writer *w, const struct conn_cert *cert)
{
    struct pki_read r;
    struct buf b = {0};
    if (!pki_read_cert(bytes_of(cert->p, cert->n), &r)) {
        id_print(&r.subject, &b);
        vici_put_value(w, "cacert", buf_str(&b));
        free(r.der);
    }
    buf_free(&b);
}

HANDLER(control_list_authorities)
{
    struct core *c = ctx;
    const char *name = vnode_get(rq->msg, "name");
    struct config_authority *const *list;
    size_t n = creds_authorities(c->creds, &list);
    for (size_t i = 0; i < n; i++) {
        const struct config_authority *a = list[i];
        bool shown = !name || !strcmp(name, a->name);
        struct vici_writer *w = shown ? vici_event_begin(rq->client, "list-authority") : NULL;
        if (!w)
            continue;
        vici_put_section(w, a->name);
        put_subject(w, &a->cert[0]);
        put_uris(w, "crl_uris", &a->crl_uris);
        put_uris(w, "ocsp_uris", &a->ocsp_uris);
        if (a->cert_uri_base)
            vici_put_value(w, "cert_uri_base", a->cert_uri_base);
        vici_put_section_end(w);
        vici_event_end(rq->client);
    }
}
