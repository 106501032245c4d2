/* Identities as swanctl.conf writes them and RFC 7296 3.5 carries them. */
#include "model/id.h"
#include "model/dn.h"
#include <ctype.h>
#include <strings.h>

bool id_set(struct id *id, uint8_t type, struct bytes data)
{
    *id = (struct id){.type = type};
    if (data.n > ID_MAX)
        return false;
    id->len = (uint16_t)data.n;
    if (data.n)
        memcpy(id->data, data.p, data.n);
    return true;
}

bool id_of_addr(struct id *id, const struct addr *a)
{
    if (a->family == 0)
        return id_set(id, ID_ANY, bytes_of(NULL, 0));
    return id_set(id, a->family == 4 ? ID_IPV4_ADDR : ID_IPV6_ADDR, bytes_of(a->ip, addr_len(a)));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool key_id_of_hex(struct id *id, const char *hex)
{
    size_t n = strlen(hex);
    if (n == 0 || n % 2 || n / 2 > ID_MAX)
        return false;
    *id = (struct id){.type = ID_KEY_ID, .len = (uint16_t)(n / 2)};
    for (size_t i = 0; i < n; i++) {
        int d = hex_digit(hex[i]);
        if (d < 0)
            return false;
        id->data[i / 2] = (uint8_t)(id->data[i / 2] << 4 | d);
    }
    return true;
}

static bool id_of_dn(struct id *id, const char *text)
{
    *id = (struct id){.type = ID_DER_ASN1_DN};
    id->len = (uint16_t)dn_parse(text, id->data, sizeof id->data);
    return id->len > 0;
}

static bool id_of_text(struct id *id, uint8_t type, const char *text)
{
    size_t n = strlen(text);
    return n > 0 && id_set(id, type, bytes_of(text, n));
}

/* "type:value" forms of swanctl.conf; *known is set when the prefix is one of them. */
static bool parse_prefixed(struct id *id, const char *text, bool *known)
{
    static const struct {
        const char *prefix;
        uint8_t type;
    } forms[] = {
        {"fqdn:", ID_FQDN},
        {"dns:", ID_FQDN},
        {"rfc822:", ID_RFC822_ADDR},
        {"email:", ID_RFC822_ADDR},
        {"userfqdn:", ID_RFC822_ADDR},
        {"keyid:", ID_KEY_ID},
        {"ipv4:", ID_IPV4_ADDR},
        {"ipv6:", ID_IPV6_ADDR},
        {"asn1dn:", ID_DER_ASN1_DN},
        {"dn:", ID_DER_ASN1_DN},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t n = strlen(forms[i].prefix);
        if (strncasecmp(text, forms[i].prefix, n) != 0)
            continue;
        *known = true;
        struct addr a;
        if (forms[i].type == ID_IPV4_ADDR || forms[i].type == ID_IPV6_ADDR)
            return addr_parse(&a, text + n) && id_of_addr(id, &a) && id->type == forms[i].type;
        if (forms[i].type == ID_DER_ASN1_DN)
            return id_of_dn(id, text + n);
        return id_of_text(id, forms[i].type, text + n);
    }
    *known = false;
    return false;
}

bool id_parse(struct id *id, const char *text)
{
    struct addr a;
    bool known;
    *id = (struct id){0};
    if (!*text || !strcmp(text, "%any") || !strcmp(text, "%any6") || !strcmp(text, "*"))
        return true;
    bool ok = parse_prefixed(id, text, &known);
    if (known)
        return ok;
    if (addr_parse(&a, text))
        return id_of_addr(id, &a);
    if (text[0] == '@' && text[1] == '#')
        return key_id_of_hex(id, text + 2);
    if (text[0] == '@' && text[1] == '@')
        return id_of_text(id, ID_RFC822_ADDR, text + 2);
    if (text[0] == '@')
        return id_of_text(id, ID_FQDN, text + 1);
    if (strchr(text, '='))
        return id_of_dn(id, text);
    if (strchr(text, '@'))
        return id_of_text(id, ID_RFC822_ADDR, text);
    return id_of_text(id, ID_FQDN, text);
}

static struct bytes id_bytes(const struct id *id)
{
    return bytes_of(id->data, id->len);
}

static bool textual(uint8_t type)
{
    return type == ID_FQDN || type == ID_RFC822_ADDR;
}

bool id_eq(const struct id *a, const struct id *b)
{
    if (a->type == ID_DER_ASN1_DN && b->type == ID_DER_ASN1_DN && a->len && b->len)
        return dn_match(id_bytes(a), id_bytes(b)) == 3;
    if (a->type != b->type || a->len != b->len)
        return false;
    if (textual(a->type) && !memchr(a->data, 0, a->len)) /* comparing would end there */
        return strncasecmp((const char *)a->data, (const char *)b->data, a->len) == 0;
    return memcmp(a->data, b->data, a->len) == 0;
}

size_t id_fold(const struct id *id, uint8_t *out)
{
    out[0] = id->type;
    for (size_t i = 0; i < id->len; i++) {
        uint8_t c = id->data[i];
        bool upper = textual(id->type) && c >= 'A' && c <= 'Z';
        out[1 + i] = upper ? (uint8_t)(c + 32) : c;
    }
    return id->len + 1u;
}

/* "*.example.org" stands for one or more labels, "*@example.org" for any user. */
static bool wildcard_match(const struct id *pattern, const struct id *id)
{
    if (!textual(pattern->type) || pattern->type != id->type || pattern->len < 2 ||
        pattern->data[0] != '*' || id->len < pattern->len || memchr(id->data, 0, id->len))
        return false;
    size_t tail = pattern->len - 1u;
    return strncasecmp((const char *)pattern->data + 1, (const char *)id->data + (id->len - tail),
                       tail) == 0;
}

int id_match(const struct id *pattern, const struct id *id)
{
    if (pattern->type == ID_ANY)
        return 1;
    if (id_eq(pattern, id))
        return 3;
    if (pattern->type == ID_DER_ASN1_DN && id->type == ID_DER_ASN1_DN)
        return dn_match(id_bytes(pattern), id_bytes(id));
    return wildcard_match(pattern, id) ? 2 : 0;
}

static void print_text(const struct id *id, struct buf *out)
{
    for (size_t i = 0; i < id->len; i++) {
        uint8_t c = id->data[i];
        if (c > 0x20 && c < 0x7f && c != '\\')
            buf_add(out, &c, 1);
        else
            buf_printf(out, "\\x%02x", c);
    }
}

void id_print(const struct id *id, struct buf *out)
{
    char text[ADDR_STR_MAX];
    struct addr a;
    switch (id->type) {
    case ID_ANY:
        buf_puts(out, "%any");
        return;
    case ID_IPV4_ADDR:
    case ID_IPV6_ADDR:
        if (id->len == (id->type == ID_IPV4_ADDR ? 4 : 16)) {
            a = id->type == ID_IPV4_ADDR ? addr_v4(id->data) : addr_v6(id->data);
            buf_puts(out, addr_str(&a, text));
            return;
        }
        break;
    case ID_FQDN:
    case ID_RFC822_ADDR:
        print_text(id, out);
        return;
    case ID_DER_ASN1_DN:
        dn_print(id_bytes(id), out);
        return;
    default:
        break;
    }
    if (id->type != ID_KEY_ID)
        buf_printf(out, "(type %u)", id->type);
    bool printable = id->len > 0;
    for (size_t i = 0; i < id->len; i++)
        printable = printable && id->data[i] > 0x20 && id->data[i] < 0x7f;
    if (printable) {
        print_text(id, out);
        return;
    }
    buf_puts(out, "@#");
    buf_hex(out, bytes_of(id->data, id->len));
}
