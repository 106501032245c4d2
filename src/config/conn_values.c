/*
 * Values of a connection that are more than a number or a word: addresses, proposals, selectors,
 * identities, authentication, mode. Called through the schema's rows by value_apply.
 */
#include "config/schema.h"
#include <ctype.h>
#include <stdlib.h>

static void *field(void *obj, size_t off)
{
    return (char *)obj + off;
}

static bool usable_item(struct cx *cx, const struct vnode *n, const struct items *it)
{
    if (it->too_long)
        cx_report(cx, DIAG_ERROR, n, NULL, "an item of the list is longer than %zu characters",
                  sizeof it->word - 1);
    return !it->too_long;
}

/* --- addresses --- */

/* RFC 1123 2.1, and underscores; a name of digits and dots only is a mistyped address. */
static bool is_host_name(const char *s)
{
    bool letter = false;
    if (!*s || *s == '-' || *s == '.' || strlen(s) > 253)
        return false;
    for (; *s; s++) {
        letter = letter || isalpha((unsigned char)*s);
        if (!isalnum((unsigned char)*s) && !strchr("-_.", *s))
            return false;
    }
    return letter;
}

static bool parse_range(struct addr_match *m, const char *word)
{
    char first[ADDR_STR_MAX];
    const char *dash = strchr(word, '-');
    size_t n = dash ? (size_t)(dash - word) : sizeof first;
    if (n >= sizeof first)
        return false;
    memcpy(first, word, n);
    first[n] = 0;
    return addr_parse(&m->lo, first) && addr_parse(&m->hi, dash + 1) &&
           m->lo.family == m->hi.family && addr_cmp(&m->lo, &m->hi) <= 0;
}

/* %any4 and %any6 are charon's. */
static bool parse_addr_match(struct addr_match *m, const char *word)
{
    struct addr a;
    unsigned bits;
    *m = (struct addr_match){0};
    if (!strcasecmp(word, "%any"))
        return true;
    if (!strcasecmp(word, "%any4") || !strcmp(word, "0.0.0.0"))
        word = "0.0.0.0/0";
    if (!strcasecmp(word, "%any6") || !strcmp(word, "::"))
        word = "::/0";
    if (addr_parse_prefix(&a, &bits, word)) {
        addr_prefix_range(&a, bits, &m->lo, &m->hi);
        return true;
    }
    if (parse_range(m, word))
        return true;
    *m = (struct addr_match){0};
    return false;
}

void set_addrs(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct addr_match *list = field(obj, r->off);
    size_t *count = field(obj, r->aux);
    struct items it = items_of(n);
    for (const char *w; (w = items_next(&it));) {
        struct addr_match *m = &list[*count];
        if (!usable_item(cx, n, &it))
            continue;
        if (*count == CONN_ADDRS_MAX) {
            cx_report(cx, DIAG_ERROR, n, w, "more than %d addresses", CONN_ADDRS_MAX);
            return;
        }
        if (!parse_addr_match(m, w)) {
            if (!is_host_name(w)) {
                cx_report(cx, DIAG_ERROR, n, w,
                          "expected an address, a host name, a subnet, a range a-b or %%any");
                continue;
            }
            m->host = strdup(w);
            if (!m->host)
                cx->d->nomem = true;
        }
        (*count)++;
    }
}

/* --- proposals --- */

/* "md5" in an IKE proposal brings its PRF along: one warning is enough. */
static bool is_implied(const struct proposal *p, const struct transform *t)
{
    for (size_t i = 0; t->type == T_PRF && i < p->count; i++) {
        const struct alg *prf = p->t[i].type == T_INTEG ? alg_prf_of_integ(p->t[i].id) : NULL;
        if (prf && prf->id == t->id)
            return true;
    }
    return false;
}

/* Naming a weak algorithm permits it; it must not go unnoticed. */
static void warn_weak(struct cx *cx, const struct vnode *n, const struct proposal *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct transform *t = &p->t[i];
        const struct alg *a = alg_find((enum transform_type)t->type, t->id, t->key_bits);
        if (!a || t->type == T_ESN || is_implied(p, t))
            continue;
        if (t->type == T_ENCR && (a->mode == MODE_NULL || a->mode == MODE_GMAC))
            cx_report(cx, DIAG_WARNING, n, a->name, "nothing is encrypted");
        const char *why = alg_weakness(a, p->proto == PROTO_IKE);
        if (why)
            cx_report(cx, DIAG_WARNING, n, a->name,
                      "weak algorithm: %s; allowed because it is named", why);
    }
}

static void bad_proposal(struct cx *cx, const struct vnode *n, const struct proposal_error *err)
{
    const char *names[256], *near = NULL;
    char word[64];
    size_t k = 0, len = err->bad_len < sizeof word ? err->bad_len : sizeof word - 1;
    memcpy(word, err->bad ? err->bad : "", err->bad ? len : 0);
    word[err->bad ? len : 0] = 0;
    for (size_t i = 0; i < alg_count && k < sizeof names / sizeof *names; i++)
        if (alg_table[i].name)
            names[k++] = alg_table[i].name;
    if (!alg_by_name(word, strlen(word)) && !strchr(word, '-'))
        near = nearest(word, names, k);
    cx_report(cx, DIAG_ERROR, n, word, "%s%s%s%s", err->why ? err->why : "not a proposal",
              near ? "; did you mean `" : "", near ? near : "", near ? "'?" : "");
}

void set_proposals(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct proposals *out = field(obj, r->off);
    bool *is_default = field(obj, r->aux);
    enum proto proto = (enum proto)r->min;
    struct items it = items_of(n);
    *is_default = *is_default || out->count == 0; /* AH's and ESP's are one list */
    for (const char *w; (w = items_next(&it));) {
        struct proposal_error err = {0};
        size_t before = out->count;
        bool standard = !strcmp(w, "default");
        *is_default = *is_default && standard;
        if (!usable_item(cx, n, &it))
            continue;
        bool in_ah = proto == PROTO_ESP && n->parent && has_key(n->parent, "ah_proposals");
        if (in_ah ? proposal_parse_in_ah(w, out, &err) : proposal_parse(proto, w, out, &err)) {
            bad_proposal(cx, n, &err);
            continue;
        }
        for (size_t i = before; i < out->count && !standard; i++)
            warn_weak(cx, n, &out->p[i]);
    }
}

/* --- selectors --- */

void set_ts(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct ts_conf_list *out = field(obj, r->off);
    struct items it = items_of(n);
    for (const char *w; (w = items_next(&it));) {
        const char *why = NULL;
        if (!usable_item(cx, n, &it))
            continue;
        if (out->count == TS_MAX) {
            cx_report(cx, DIAG_ERROR, n, w, "more than %d traffic selectors", TS_MAX);
            return;
        }
        if (ts_conf_parse(&out->ts[out->count], w, &why))
            cx_report(cx, DIAG_ERROR, n, w, "%s", why ? why : "not a traffic selector");
        else
            out->count++;
    }
}

/* --- identities and authentication --- */

void set_auth(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct conn_auth *a = obj;
    (void)r;
    if (!strcmp(n->value, "psk"))
        a->kind = AUTH_PSK;
    else if (!strcmp(n->value, "xauth") || !strcmp(n->value, "xauth-generic"))
        a->kind = AUTH_XAUTH;
    else if (!strncmp(n->value, "eap", 3) || !strncmp(n->value, "xauth", 5))
        cx_report(cx, DIAG_ERROR, n, n->value, "not supported yet; only psk, pubkey and xauth");
    else if (!auth_of_keys(cx, n, a))
        cx_report(cx, DIAG_ERROR, n, n->value, "expected psk, pubkey or xauth");
}

const char *id_problem(const char *text)
{
    if (strchr(text, '='))
        return "expected a distinguished name such as C=CH, O=Example, CN=gw, up to 256 bytes; and "
               "a "
               "value goes to the end of its line";
    return "expected an identity: an address, gw.example.org, user@example.org, keyid:text, "
           "@#hex digits or %any, up to 256 bytes";
}

void set_id(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct conn_auth *auth = obj;
    (void)r;
    if (!id_parse(&auth->id, n->value)) {
        cx_report(cx, DIAG_ERROR, n, n->value, "%s", id_problem(n->value));
        return;
    }
    free(auth->id_text);
    auth->id_text = strdup(n->value);
    if (!auth->id_text)
        cx->d->nomem = true;
}

/* --- interfaces --- */

void set_ifname(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    char *name = field(obj, r->off);
    if (n->value_len >= r->size || strpbrk(n->value, "/: \t%") || n->value[0] == '.')
        cx_report(cx, DIAG_ERROR, n, n->value,
                  "expected the name of an interface: at most %zu characters, no blank, / or :",
                  r->size - 1);
    else
        memcpy(name, n->value, n->value_len + 1);
}

void set_prefixes(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct prefix_conf *list = field(obj, r->off);
    size_t *count = field(obj, r->aux);
    struct items it = items_of(n);
    *count = 0;
    for (const char *w; (w = items_next(&it));) {
        unsigned bits;
        if (!usable_item(cx, n, &it))
            continue;
        if (*count == r->max) {
            cx_report(cx, DIAG_ERROR, n, w, "more than %u addresses", (unsigned)r->max);
            return;
        }
        if (!addr_parse_prefix(&list[*count].addr, &bits, w)) {
            cx_report(cx, DIAG_ERROR, n, w, "expected address/bits: 10.255.0.1/30");
            continue;
        }
        list[(*count)++].bits = (uint8_t)bits;
    }
}

/* --- mode --- */

void set_mode(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    static const struct {
        const char *name;
        enum child_policy policy;
        enum ipsec_mode mode;
    } modes[] = {{"tunnel", CHILD_PROTECT, MODE_TUNNEL},
                 {"transport", CHILD_PROTECT, MODE_TRANSPORT},
                 {"beet", CHILD_PROTECT, MODE_BEET},
                 {"pass", CHILD_PASS, MODE_TUNNEL},
                 {"drop", CHILD_DROP, MODE_TUNNEL}};
    struct conn_child *c = obj;
    (void)r;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (!strcasecmp(n->value, modes[i].name)) {
            c->policy = modes[i].policy;
            c->mode = modes[i].mode;
            return;
        }
    }
    if (!strcasecmp(n->value, "transport_proxy"))
        cx_report(cx, DIAG_ERROR, n, n->value,
                  "transport mode in the name of others is for agents of Mobile IPv6, which "
                  "culvertd is none of; use tunnel, or transport between the two peers");
    else
        cx_report(cx, DIAG_ERROR, n, n->value, "expected tunnel, transport, beet, pass or drop");
}
