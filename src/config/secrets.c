/*
 * Shared secrets: a section of a file's secrets { }, which spells the secret as text, 0x hex or 0s
 * Base64 and is decoded here as swanctl does, and VICI's load-shared, which brings the bytes. No
 * report ever shows a secret or a part of it.
 */
#include "config/creds.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* The kinds by the prefix of a file's section, which is VICI's type as well. */
static const struct {
    const char *name;
    enum shared_kind kind;
} kinds[] = {{"ike", SHARED_IKE},
             {"eap", SHARED_EAP},
             {"xauth", SHARED_XAUTH},
             {"ntlm", SHARED_NTLM},
             {"ppk", SHARED_PPK}};

/* Pass phrases of private keys: creds.c takes them from the tree. */
static const char *const key_sections[] = {"private", "rsa", "ecdsa", "pkcs8"};
static const char *const refused_sections[] = {"pkcs12", "token"};

/* --- decoding --- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* An odd number of digits gets a zero in front, as swanctl has it. Bytes written, or -1. */
static long decode_hex(const char *s, uint8_t *out)
{
    long n = 0;
    bool half = strlen(s) % 2;
    out[0] = 0;
    for (; *s; s++) {
        int v = hex_digit(*s);
        if (v < 0)
            return -1;
        out[n] = (uint8_t)((half ? out[n] << 4 : 0) | v);
        n += half;
        half = !half;
    }
    return n;
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* RFC 4648 4, with padding. */
static long decode_base64(const char *s, uint8_t *out)
{
    size_t len = strlen(s), pad = 0;
    uint32_t v = 0;
    long n = 0;
    if (len % 4)
        return -1;
    while (pad < 2 && len && s[len - 1] == '=') {
        len--;
        pad++;
    }
    for (size_t i = 0; i < len; i++) {
        int d = base64_digit(s[i]);
        if (d < 0)
            return -1;
        v = v << 6 | (uint32_t)d;
        if (i % 4)
            out[n++] = (uint8_t)(v >> (6 - 2 * (i % 4)));
    }
    return n;
}

bool secret_of_text(struct cx *cx, const struct vnode *n, struct secret *out)
{
    const char *s = n->value;
    if (strstr(s, " = "))
        cx_report(cx, DIAG_WARNING, n, NULL,
                  "holds \" = \": a value goes to the end of its line; "
                  "write the next setting on a line of its own");
    bool hex = !strncmp(s, "0x", 2), b64 = !strncmp(s, "0s", 2);
    if (!hex && !b64) {
        if (secret_set(out, bytes_of(s, n->value_len)))
            cx->d->nomem = true;
        return true;
    }
    uint8_t *raw = malloc(n->value_len + 1);
    if (!raw) {
        cx->d->nomem = true;
        return false;
    }
    long len = hex ? decode_hex(s + 2, raw) : decode_base64(s + 2, raw);
    if (len > 0 && secret_set(out, bytes_of(raw, (size_t)len)))
        cx->d->nomem = true;
    if (len <= 0)
        cx_report(cx, DIAG_ERROR, n, NULL,
                  "expected %s; a secret that starts with %.2s itself must "
                  "be written in hex (0x...)",
                  hex ? "hex digits behind 0x" : "Base64 behind 0s", s);
    secret_wipe(raw, n->value_len + 1);
    free(raw);
    return len > 0;
}

void set_key(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct secret *out = (struct secret *)(void *)((char *)obj + r->off);
    if (strncmp(n->value, "0x", 2) != 0 && strncmp(n->value, "0s", 2) != 0)
        cx_report(cx, DIAG_ERROR, n, NULL, "expected a key in hex (0x...) or Base64 (0s...)");
    else
        (void)secret_of_text(cx, n, out);
}

/* --- a file's section --- */

static void add_owner(struct cx *cx, const struct vnode *at, const char *text, struct shared *s)
{
    if (s->owner_count == SHARED_OWNERS_MAX)
        cx_report(cx, DIAG_ERROR, at, text, "more than %d identities", SHARED_OWNERS_MAX);
    else if (!id_parse(&s->owner[s->owner_count], text))
        cx_report(cx, DIAG_ERROR, at, text, "%s", id_problem(text));
    else
        s->owner_count++;
}

/* Names only: a value here may be a secret under a mistyped key. */
static void unknown_member(struct cx *cx, const struct vnode *n)
{
    static const char *const names[] = {"secret", "id"};
    const char *near = nearest(n->name, names, 2);
    cx_report(cx, DIAG_ERROR, n, n->name, "unknown %s; %s%s%s",
              n->kind == VN_SECTION ? "section" : "key",
              near ? "did you mean `" : "expected secret or id", near ? near : "",
              near ? "'?" : "<suffix>");
}

static void members_from_tree(struct cx *cx, const struct vnode *sec, struct shared *s)
{
    bool found = false;
    for (const struct vnode *n = sec->child; n; n = n->next) {
        bool given = n->kind == VN_VALUE && n->value_len;
        if (n->kind == VN_VALUE && !strcmp(n->name, "secret"))
            found = given && secret_of_text(cx, n, &s->secret) ? true : found || given;
        else if (n->kind == VN_VALUE && !strncmp(n->name, "id", 2)) {
            if (given)
                add_owner(cx, n, n->value, s);
        } else {
            unknown_member(cx, n);
        }
    }
    if (!found)
        cx_report(cx, DIAG_ERROR, sec, NULL, "no secret is given: write secret = \"...\"");
}

static int kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strncmp(name, kinds[i].name, strlen(kinds[i].name)))
            return (int)kinds[i].kind;
    return -1;
}

static bool begins_with_one_of(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strncmp(name, list[i], strlen(list[i])))
            return true;
    return false;
}

/* private-gw { file = gw.key, secret = ... }: used where the key is read. */
static void check_phrase(struct cx *cx, const struct vnode *sec)
{
    struct secret s = {0};
    const struct vnode *file = vnode_find(sec, "file"), *secret = vnode_find(sec, "secret");
    for (const struct vnode *n = sec->child; n; n = n->next)
        if (n != file && n != secret)
            cx_report(cx, DIAG_ERROR, n, n->name, "unknown key; expected file and secret");
    if (!file || file->kind != VN_VALUE || !file->value_len)
        cx_report(cx, DIAG_ERROR, sec, NULL, "expected file = NAME of the private key");
    if (!secret || secret->kind != VN_VALUE || !secret->value_len)
        cx_report(cx, DIAG_ERROR, sec, NULL, "no secret is given: write secret = \"...\"");
    else if (!secret_of_text(cx, secret, &s))
        return;
    secret_free(&s);
}

static err_t done(struct diag *d, size_t errors_before, struct shared *s, struct shared **out)
{
    if (d->errors == errors_before && !d->nomem) {
        *out = s;
        return E_OK;
    }
    shared_free(s);
    return d->nomem ? E_NOMEM : R_CONFIG_VALUE;
}

err_t config_shared_from_tree(const struct vnode *sec, struct shared **out, struct diag *d)
{
    struct cx cx = {d};
    size_t before = d->errors;
    int kind = kind_of(sec->name);
    *out = NULL;
    bool section = sec->kind == VN_SECTION;
    if (section && kind < 0 && begins_with_one_of(sec->name, key_sections, 4)) {
        check_phrase(&cx, sec);
        return d->errors > before ? R_CONFIG_VALUE : E_OK;
    }
    if (section && kind < 0 && begins_with_one_of(sec->name, refused_sections, 2)) {
        cx_report(&cx, DIAG_WARNING, sec, sec->name,
                  "PKCS #12 and tokens are not supported yet; the section is not used");
        return E_OK;
    }
    if (!section || kind < 0) {
        cx_report(
            &cx, DIAG_ERROR, sec, sec->name,
            "expected a section whose name starts with ike (or eap, xauth, ntlm, ppk, private, "
            "rsa, ecdsa, pkcs8)");
        return R_CONFIG_VALUE;
    }
    struct shared *s = shared_new(sec->name);
    if (!s)
        return E_NOMEM;
    s->kind = (enum shared_kind)kind;
    members_from_tree(&cx, sec, s);
    return done(d, before, s, out);
}

/* --- VICI --- */

/* A secret without id must have a name all the same: that of its owners. */
static char *vici_name(const struct vnode *msg)
{
    const char *id = vnode_get(msg, "id");
    const struct vnode *owners = vnode_find(msg, "owners");
    struct buf name = {0};
    if (id && *id)
        return strdup(id);
    buf_puts(&name, "unnamed");
    for (const struct vnode *o = owners ? owners->child : NULL; o; o = o->next)
        buf_printf(&name, ",%s", o->value);
    char *copy = name.err ? NULL : strdup(buf_str(&name));
    buf_free(&name);
    return copy;
}

static int vici_kind(struct cx *cx, const struct vnode *msg)
{
    const char *type = vnode_get(msg, "type");
    for (size_t i = 0; type && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcasecmp(type, kinds[i].name))
            return (int)kinds[i].kind;
    cx_report(cx, DIAG_ERROR, key_or_section(msg, "type"), type,
              "expected type = IKE, EAP, XAUTH, NTLM or PPK");
    return -1;
}

static void vici_members(struct cx *cx, const struct vnode *msg, struct shared *s)
{
    const struct vnode *data = vnode_find(msg, "data"), *owners = vnode_find(msg, "owners");
    if (!data || data->kind != VN_VALUE || data->value_len == 0)
        cx_report(cx, DIAG_ERROR, msg, NULL, "data is missing or empty");
    else if (secret_set(&s->secret, bytes_of(data->value, data->value_len)))
        cx->d->nomem = true;
    if (owners && owners->kind != VN_LIST)
        cx_report(cx, DIAG_ERROR, owners, NULL, "expected a list");
    for (const struct vnode *o = owners && owners->kind == VN_LIST ? owners->child : NULL; o;
         o = o->next)
        if (o->value_len)
            add_owner(cx, owners, o->value, s);
}

err_t config_shared_from_vici(const struct vnode *msg, struct shared **out, struct diag *d)
{
    struct cx cx = {d};
    size_t before = d->errors;
    *out = NULL;
    int kind = vici_kind(&cx, msg);
    if (kind < 0)
        return R_CONFIG_VALUE;
    char *name = vici_name(msg);
    struct shared *s = name ? shared_new(name) : NULL;
    free(name);
    if (!s)
        return E_NOMEM;
    s->kind = (enum shared_kind)kind;
    vici_members(&cx, msg, s);
    return done(d, before, s, out);
}
