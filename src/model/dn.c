/* Distinguished names: see dn.h. RFC 5280 4.1.2.4, RFC 4514 for the letters, X.690 for the bytes.
 */
#include "model/dn.h"
#include <ctype.h>
#include <strings.h>

enum {
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_PRINTABLE = 0x13,
    DER_T61 = 0x14,
    DER_IA5 = 0x16,
};

struct attribute {
    const char *name; /* as it is printed; those behind it with the same OID are only read */
    uint8_t len;
    uint8_t oid[10];
};

#define X520(n)                                                                                    \
    3,                                                                                             \
    {                                                                                              \
        0x55, 0x04, n                                                                              \
    }
#define PKCS9(n)                                                                                   \
    9,                                                                                             \
    {                                                                                              \
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, n                                          \
    }
#define PILOT(n)                                                                                   \
    10,                                                                                            \
    {                                                                                              \
        0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, n                                    \
    }

/* strongSwan's names, so that its configurations keep their meaning. */
static const struct attribute attributes[] = {
    {"CN", X520(3)},
    {"S", X520(4)},
    {"SN", X520(5)},
    {"serialNumber", X520(5)},
    {"C", X520(6)},
    {"L", X520(7)},
    {"ST", X520(8)},
    {"STREET", X520(9)},
    {"O", X520(10)},
    {"OU", X520(11)},
    {"T", X520(12)},
    {"D", X520(13)},
    {"postalCode", X520(17)},
    {"N", X520(41)},
    {"G", X520(42)},
    {"I", X520(43)},
    {"dnQualifier", X520(46)},
    {"pseudonym", X520(65)},
    {"E", PKCS9(1)},
    {"Email", PKCS9(1)},
    {"emailAddress", PKCS9(1)},
    {"UN", PKCS9(2)},
    {"unstructuredName", PKCS9(2)},
    {"UID", PILOT(1)},
    {"DC", PILOT(25)},
};

static const struct attribute *by_name(const char *p, size_t n)
{
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (strlen(attributes[i].name) == n && !strncasecmp(attributes[i].name, p, n))
            return &attributes[i];
    return NULL;
}

static const struct attribute *by_oid(struct bytes oid)
{
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (bytes_eq(bytes_of(attributes[i].oid, attributes[i].len), oid))
            return &attributes[i];
    return NULL;
}

/* --- text into DER --- */

static bool is_printable(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)p[i]) && !strchr(" '()+,-./:=?*", p[i]))
            return false;
    return true;
}

/* Values are short: a name of ID_MAX bytes has none beyond 255. */
static bool put(struct wr *w, uint8_t tag, size_t len)
{
    if (len > 255)
        return false;
    wr_u8(w, tag);
    if (len > 127)
        wr_u8(w, 0x81);
    wr_u8(w, (uint8_t)len);
    return true;
}

static size_t with_head(size_t len)
{
    return len + (len > 127 ? 3 : 2);
}

static bool put_rdn(struct wr *w, const struct attribute *a, const char *value, size_t n)
{
    bool ia5 = a->len == 9 || !strcmp(a->name, "DC");
    uint8_t tag = ia5 ? DER_IA5 : is_printable(value, n) ? DER_PRINTABLE : DER_UTF8;
    size_t pair = 2u + a->len + with_head(n);
    if (!put(w, DER_SET, with_head(pair)) || !put(w, DER_SEQUENCE, pair) ||
        !put(w, DER_OID, a->len))
        return false;
    wr_bytes_put(w, bytes_of(a->oid, a->len));
    if (!put(w, tag, n))
        return false;
    wr_bytes_put(w, bytes_of(value, n));
    return true;
}

struct pair {
    const char *name, *value;
    size_t name_len, value_len;
};

static const char *trim(const char *p, const char **end)
{
    while (p < *end && isspace((unsigned char)*p))
        p++;
    while (*end > p && isspace((unsigned char)(*end)[-1]))
        --*end;
    return p;
}

/* NAME=VALUE up to the separator; NULL: that is none. */
static const char *next_pair(const char *p, char separator, struct pair *out)
{
    const char *eq = strchr(p, '=');
    const char *end = eq ? eq + 1 : p;
    if (!eq)
        return NULL;
    bool quoted = end[0] == '"' && strchr(end + 1, '"');
    end = quoted ? strchr(end + 1, '"') + 1 : end;
    while (*end && *end != separator)
        end++;
    const char *name_end = eq, *value_end = end;
    out->name = trim(p, &name_end);
    out->name_len = (size_t)(name_end - out->name);
    out->value = trim(eq + 1, &value_end);
    if (quoted && value_end - out->value >= 2 && value_end[-1] == '"') {
        out->value++;
        value_end--;
    }
    out->value_len = (size_t)(value_end - out->value);
    return *end ? end + 1 : end;
}

size_t dn_parse(const char *text, uint8_t *out, size_t max)
{
    uint8_t body[512];
    struct wr w = wr_of(body, sizeof body);
    char separator = *text == '/' ? '/' : ',';
    struct pair p;
    for (const char *at = text + (separator == '/'); *at;) {
        at = next_pair(at, separator, &p);
        const struct attribute *a = at ? by_name(p.name, p.name_len) : NULL;
        if (!a || !p.value_len || !put_rdn(&w, a, p.value, p.value_len))
            return 0;
    }
    struct bytes rdns = wr_bytes(&w);
    struct wr whole = wr_of(out, max);
    if (w.err || !rdns.n || !put(&whole, DER_SEQUENCE, rdns.n))
        return 0;
    wr_bytes_put(&whole, rdns);
    return whole.err ? 0 : wr_bytes(&whole).n;
}

/* --- DER --- */

/* One element: its tag and content. Lengths of more than two bytes have no place in a name. */
static bool der_next(struct rd *r, uint8_t *tag, struct bytes *content)
{
    *tag = rd_u8(r);
    size_t n = rd_u8(r);
    if (n > 0x82)
        return false;
    if (n == 0x81)
        n = rd_u8(r);
    else if (n == 0x82)
        n = rd_u16(r);
    else if (n == 0x80)
        return false;
    *content = rd_bytes(r, n);
    return !r->err;
}

struct walk {
    struct rd sets, pairs;
    bool bad;
};

struct rdn {
    struct bytes oid, value;
    uint8_t tag;
    bool more; /* of one multi-valued RDN */
};

static struct walk walk_of(struct bytes der)
{
    struct walk w = {.sets = rd_of(der), .pairs = rd_of(bytes_of(NULL, 0))};
    struct bytes body;
    uint8_t tag;
    w.bad = !der_next(&w.sets, &tag, &body) || tag != DER_SEQUENCE || rd_left(&w.sets);
    if (!w.bad)
        w.sets = rd_of(body);
    return w;
}

static bool walk_next(struct walk *w, struct rdn *out)
{
    struct bytes set, pair;
    uint8_t tag;
    out->more = rd_left(&w->pairs) > 0;
    if (w->bad || (!out->more && !rd_left(&w->sets)))
        return false;
    if (!out->more) {
        w->bad = !der_next(&w->sets, &tag, &set) || tag != DER_SET || !set.n;
        w->pairs = rd_of(set);
    }
    w->bad = w->bad || !der_next(&w->pairs, &tag, &pair) || tag != DER_SEQUENCE;
    if (w->bad)
        return false;
    struct rd r = rd_of(pair);
    w->bad = !der_next(&r, &tag, &out->oid) || tag != DER_OID ||
             !der_next(&r, &out->tag, &out->value) || rd_left(&r);
    return !w->bad;
}

/* How many bytes from `at` on are one character that a terminal may see; 0: none. */
static size_t shown(const struct rdn *a, size_t at)
{
    const uint8_t *p = a->value.p + at;
    size_t left = a->value.n - at, n = 1;
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f && p[0] != '\\';
    if (a->tag != DER_UTF8 || p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    n += p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
    for (size_t i = 1; i < n; i++)
        if (i >= left || (p[i] & 0xc0) != 0x80)
            return 0;
    return p[0] == 0xc2 && p[1] < 0xa0 ? 0 : n; /* U+0080 to U+009F are controls */
}

static void print_value(const struct rdn *a, struct buf *out)
{
    bool text =
        a->tag == DER_UTF8 || a->tag == DER_PRINTABLE || a->tag == DER_IA5 || a->tag == DER_T61;
    if (!text) {
        buf_puts(out, "#");
        buf_hex(out, a->value);
        return;
    }
    for (size_t i = 0, n; i < a->value.n; i += n) {
        n = shown(a, i);
        if (n)
            buf_add(out, a->value.p + i, n);
        else
            buf_printf(out, "\\x%02x", a->value.p[i]);
        n = n ? n : 1;
    }
}

void dn_print(struct bytes der, struct buf *out)
{
    struct walk w = walk_of(der);
    struct rdn a;
    bool any = false;
    while (walk_next(&w, &a)) {
        const struct attribute *known = by_oid(a.oid);
        buf_puts(out, !any ? "" : a.more ? " + " : ", ");
        if (known)
            buf_puts(out, known->name);
        else
            buf_hex(out, a.oid);
        buf_puts(out, "=");
        print_value(&a, out);
        any = true;
    }
    if (w.bad)
        buf_puts(out, any ? ", (malformed)" : "(malformed)");
}

static bool is_text(uint8_t tag)
{
    return tag == DER_UTF8 || tag == DER_PRINTABLE || tag == DER_IA5 || tag == DER_T61;
}

static bool same_value(const struct rdn *a, const struct rdn *b)
{
    if (a->value.n != b->value.n)
        return false;
    if (is_text(a->tag) && is_text(b->tag))
        return !a->value.n ||
               !strncasecmp((const char *)a->value.p, (const char *)b->value.p, a->value.n);
    return a->tag == b->tag && bytes_eq(a->value, b->value);
}

int dn_match(struct bytes pattern, struct bytes der)
{
    struct walk p = walk_of(pattern), d = walk_of(der);
    struct rdn a, b;
    int rank = 3;
    for (;;) {
        bool more = walk_next(&p, &a), other = walk_next(&d, &b);
        if (p.bad || d.bad || more != other)
            return 0;
        if (!more)
            return rank;
        if (!bytes_eq(a.oid, b.oid) || a.more != b.more)
            return 0;
        if (same_value(&a, &b))
            continue;
        if (a.value.n != 1 || a.value.p[0] != '*')
            return 0;
        rank = 2;
    }
}
