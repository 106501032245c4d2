/*
 * Text to value, for the types that any row may have, and the walk over a section. Texts of reports
 * say what was expected. Called by conn_load.c, secrets.c and daemon.c.
 */
#include "config/schema.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- reports --- */

static void put_path(const struct vnode *n, struct buf *out)
{
    const struct vnode *chain[CONFIG_DEPTH_MAX + 4];
    size_t k = 0;
    for (; n && k < sizeof chain / sizeof *chain; n = n->parent)
        if (n->name)
            chain[k++] = n;
    while (k--)
        buf_printf(out, "%s%s", chain[k]->name, k ? "." : "");
}

void cx_report(struct cx *cx, enum diag_level level, const struct vnode *at, const char *word,
               const char *fmt, ...)
{
    char text[500];
    struct buf path = {0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put_path(at, &path);
    diag_add(cx->d, level, &at->src, buf_str(&path), word, "%s", text);
    buf_free(&path);
}

/* --- lists --- */

struct items items_of(const struct vnode *n)
{
    struct items it = {.node = n, .item = n->kind == VN_LIST ? n->child : NULL};
    if (n->kind == VN_VALUE)
        it.p = n->value;
    return it;
}

static const char *trimmed(struct items *it, const char *p, size_t n)
{
    while (n && isspace((unsigned char)*p)) {
        p++;
        n--;
    }
    while (n && isspace((unsigned char)p[n - 1]))
        n--;
    it->too_long = n >= sizeof it->word;
    if (it->too_long)
        n = sizeof it->word - 1;
    memcpy(it->word, p, n);
    it->word[n] = 0;
    return it->word;
}

/* Empty items ("a,,b", a trailing comma) are passed over, as swanctl does. */
const char *items_next(struct items *it)
{
    while (it->item) {
        const struct vnode *n = it->item;
        it->item = n->next;
        if (n->value && *trimmed(it, n->value, n->value_len))
            return it->word;
    }
    while (it->p && *it->p) {
        const char *p = it->p;
        size_t n = strcspn(p, ",");
        it->p = p + n + (p[n] == ',');
        if (*trimmed(it, p, n))
            return it->word;
    }
    return NULL;
}

bool has_key(const struct vnode *sec, const char *key)
{
    const struct vnode *n = vnode_find(sec, key);
    return n &&
           ((n->kind == VN_VALUE && n->value && *n->value) || (n->kind == VN_LIST && n->child));
}

const struct vnode *key_or_section(const struct vnode *sec, const char *key)
{
    const struct vnode *n = vnode_find(sec, key);
    return n ? n : sec;
}

/* --- single values --- */

/* Programming errors only: the row's size is that of the field. */
static void put_uint(void *obj, const struct row *r, uint64_t v)
{
    char *to = (char *)obj + r->off;
    uint8_t v8 = (uint8_t)v;
    uint16_t v16 = (uint16_t)v;
    uint32_t v32 = (uint32_t)v;
    const void *from = r->size == 1   ? (const void *)&v8
                       : r->size == 2 ? (const void *)&v16
                       : r->size == 4 ? (const void *)&v32
                                      : (const void *)&v;
    memcpy(to, from, r->size);
}

/* Digits at the start; false if there are none or the number is beyond 2^63. */
static bool take_number(const char **p, uint64_t *out)
{
    uint64_t v = 0;
    if (!isdigit((unsigned char)**p))
        return false;
    for (; isdigit((unsigned char)**p); (*p)++) {
        if (v > (UINT64_MAX / 2 - 9) / 10)
            return false;
        v = v * 10 + (uint64_t)(**p - '0');
    }
    *out = v;
    return true;
}

/* A number with a unit of the list "s1|m60|..." behind it. */
static bool take_units(const char *text, const char *letters, const uint64_t *factor, uint64_t *out)
{
    uint64_t v, f = 1;
    if (!take_number(&text, &v))
        return false;
    while (*text == ' ')
        text++;
    if (*text) {
        const char *u = strchr(letters, tolower((unsigned char)*text));
        if (!u || text[1])
            return false;
        f = factor[u - letters];
    }
    *out = v * f;
    return v <= UINT64_MAX / 2 / f;
}

static void set_time(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    static const uint64_t factor[] = {1, 60, 3600, 86400};
    uint64_t v;
    /* 68 years: what is added to a clock must not wrap */
    if (take_units(n->value, "smhd", factor, &v) && v <= INT32_MAX)
        put_uint(obj, r, v);
    else
        cx_report(cx, DIAG_ERROR, n, n->value, "expected a time: 3600, 45s, 30m, 4h or 2d");
}

static void set_bytes(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    static const uint64_t factor[] = {1u << 10, 1u << 20, 1u << 30};
    uint64_t v;
    if (take_units(n->value, "kmg", factor, &v))
        put_uint(obj, r, v);
    else
        cx_report(cx, DIAG_ERROR, n, n->value, "expected a number of bytes: 1000000, 500m or 2g");
}

static void set_count(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    const char *p = n->value;
    uint64_t v = 0;
    const struct word *w = r->words;
    while (w && w->name && strcasecmp(w->name, n->value) != 0)
        w++;
    if (w && w->name)
        put_uint(obj, r, (uint64_t)w->value);
    else if (take_number(&p, &v) && !*p && v >= r->min && v <= r->max)
        put_uint(obj, r, v);
    else
        cx_report(cx, DIAG_ERROR, n, n->value, "expected %s%sa number from %llu to %llu",
                  r->words ? r->words->name : "", r->words ? " or " : "",
                  (unsigned long long)r->min, (unsigned long long)r->max);
}

/* "4", "4.5", "0.25" times r->min; r->max is the limit before scaling. */
static void set_decimal(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    const char *p = n->value;
    uint64_t v = 0, scale = r->min;
    bool ok = take_number(&p, &v) && v <= r->max;
    v *= r->min;
    if (ok && *p == '.')
        for (p++; isdigit((unsigned char)*p); p++) {
            scale /= 10;
            v += scale * (uint64_t)(*p - '0');
        }
    if (ok && !*p && v <= r->max * r->min)
        put_uint(obj, r, v);
    else
        cx_report(cx, DIAG_ERROR, n, n->value, "expected a number up to %llu, such as 1.5",
                  (unsigned long long)r->max);
}

/* As charon: yes, true, enabled, 1 and their opposites, in any case. */
static void set_bool(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    static const char *const text[] = {"no", "yes", "false",    "true",
                                       "0",  "1",   "disabled", "enabled"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        if (!strcasecmp(text[i], n->value)) {
            put_uint(obj, r, i & 1);
            return;
        }
    }
    cx_report(cx, DIAG_ERROR, n, n->value, "expected yes or no");
}

static void list_words(const struct word *w, struct buf *out)
{
    for (const struct word *i = w; i->name; i++) {
        bool alias = false;
        for (const struct word *before = w; before < i; before++)
            alias = alias || before->value == i->value;
        if (!alias)
            buf_printf(out, "%s%s", i == w ? "" : ", ", i->name);
    }
}

static void set_word(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    for (const struct word *w = r->words; w->name; w++) {
        if (!strcasecmp(w->name, n->value)) {
            put_uint(obj, r, (uint64_t)(int64_t)w->value);
            return;
        }
    }
    struct buf all = {0};
    list_words(r->words, &all);
    cx_report(cx, DIAG_ERROR, n, n->value, "expected one of %s", buf_str(&all));
    buf_free(&all);
}

static void set_text(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    if (n->value_len < r->size)
        memcpy((char *)obj + r->off, n->value, n->value_len + 1);
    else
        cx_report(cx, DIAG_ERROR, n, n->value, "longer than %zu characters", r->size - 1);
}

static bool is_one_of(const char *list, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = list; p; p = strchr(p, '|')) {
        p += *p == '|';
        size_t k = strcspn(p, "|");
        if (k == n && !strncasecmp(p, value, n))
            return true;
    }
    return false;
}

static void check_fixed(struct cx *cx, const struct row *r, const struct vnode *n)
{
    if (n->kind == VN_VALUE && is_one_of(r->only, n->value))
        return;
    const char *word = n->kind == VN_VALUE ? n->value : NULL;
    if (r->def[0])
        cx_report(cx, DIAG_ERROR, n, word, "not supported yet; only %s = %s", r->key, r->def);
    else
        cx_report(cx, DIAG_ERROR, n, word, "%s is not supported yet; remove it", r->key);
}

/* --- applying --- */

static bool takes_list(enum value_type t)
{
    return t == V_ADDRS || t == V_LANS || t == V_PREFIXES || t == V_PROPOSALS || t == V_TS ||
           t == V_ANY || t == V_REFUSED || t == V_FIXED || t == V_CERTS || t == V_URIS ||
           t == V_VIPS || t == V_NAMES;
}

/* The commonest slip on one line: "auth = psk id = gw" is one value to the grammar. */
static bool two_settings(struct cx *cx, const struct row *r, const struct vnode *n)
{
    if (n->kind != VN_VALUE || r->type == V_ID || !strstr(n->value, " = "))
        return false;
    cx_report(cx, DIAG_ERROR, n, n->value,
              "a value goes to the end of its line; "
              "write each setting on a line of its own");
    return true;
}

static bool is_usable(struct cx *cx, const struct row *r, const struct vnode *n)
{
    if (n->kind == VN_LIST && !takes_list(r->type)) {
        cx_report(cx, DIAG_ERROR, n, NULL, "expected one value, not a list");
        return false;
    }
    bool bytes = r->type == V_CERTS || r->type == V_FILE; /* VICI's are the certificate itself */
    if (n->kind == VN_VALUE && !bytes && strlen(n->value) != n->value_len) {
        cx_report(cx, DIAG_ERROR, n, NULL, "the value holds a zero byte");
        return false;
    }
    return !two_settings(cx, r, n);
}

void value_apply(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    typedef void setter(struct cx *, const struct row *, const struct vnode *, void *);
    static setter *const set[V_COUNT_OF] = {
        [V_BOOL] = set_bool,     [V_TIME] = set_time,         [V_COUNT] = set_count,
        [V_BYTES] = set_bytes,   [V_DECIMAL] = set_decimal,   [V_WORD] = set_word,
        [V_MODE] = set_mode,     [V_ADDRS] = set_addrs,       [V_PROPOSALS] = set_proposals,
        [V_TS] = set_ts,         [V_AUTH] = set_auth,         [V_ID] = set_id,
        [V_TEXT] = set_text,     [V_LANS] = set_lans,         [V_ADDR] = set_addr,
        [V_IFNAME] = set_ifname, [V_PREFIXES] = set_prefixes, [V_SPI] = set_spi,
        [V_KEY] = set_key,       [V_CERTS] = set_certs,       [V_CA_ID] = set_ca_id,
        [V_STRING] = set_string, [V_VIPS] = set_vips,         [V_NAMES] = set_names,
    };
    if (!is_usable(cx, r, n))
        return;
    if (r->type == V_FIXED)
        check_fixed(cx, r, n);
    else if (r->type == V_REFUSED)
        cx_report(cx, DIAG_ERROR, n, NULL, "%s is not supported yet; remove it", r->key);
    else if (set[r->type])
        set[r->type](cx, r, n, obj);
}

void schema_apply(struct cx *cx, enum scope scope, const struct vnode *sec, void *obj)
{
    for (const struct vnode *n = sec->child; n; n = n->next) {
        const struct row *r = schema_find(scope, n->name);
        bool empty = n->kind == VN_LIST ? !n->child : n->kind == VN_VALUE && !n->value_len;
        if (n->kind == VN_SECTION && r)
            cx_report(cx, DIAG_ERROR, n, NULL, "expected %s = value, not a section", n->name);
        else if (n->kind != VN_SECTION && !r)
            cx_unknown_key(cx, scope, n);
        else if (n->kind != VN_SECTION && !empty) /* an empty value means the default */
            value_apply(cx, r, n, obj);
    }
}
