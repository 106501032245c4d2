/* Traffic selectors: parsing, printing, and the arithmetic of narrowing (RFC 7296 2.9, 3.13). */
#include "model/ts.h"
#include <strings.h>

#define PORT_ANY_HI 65535

static bool parse_number(const char *s, size_t n, unsigned long max, unsigned long *out)
{
    unsigned long v = 0;
    if (n == 0 || n > 5)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (unsigned long)(s[i] - '0');
    }
    *out = v;
    return v <= max;
}

/* IANA's names of what people write into selectors; the system's own tables may be missing. */
struct name {
    const char *name;
    uint16_t number;
};

static const struct name protocols[] = {
    {"any", 0},     {"icmp", 1},       {"igmp", 2},   {"ipip", 4},      {"tcp", 6},
    {"udp", 17},    {"ipv6", 41},      {"gre", 47},   {"esp", 50},      {"ah", 51},
    {"icmpv6", 58}, {"ipv6-icmp", 58}, {"eigrp", 88}, {"ospf", 89},     {"pim", 103},
    {"vrrp", 112},  {"l2tp", 115},     {"sctp", 132}, {"udplite", 136},
};

static const struct name services[] = {
    {"ftp-data", 20},
    {"ftp", 21},
    {"ssh", 22},
    {"telnet", 23},
    {"smtp", 25},
    {"tacacs", 49},
    {"domain", 53},
    {"bootps", 67},
    {"bootpc", 68},
    {"tftp", 69},
    {"http", 80},
    {"kerberos", 88},
    {"pop3", 110},
    {"ntp", 123},
    {"imap2", 143},
    {"snmp", 161},
    {"snmp-trap", 162},
    {"bgp", 179},
    {"ldap", 389},
    {"https", 443},
    {"microsoft-ds", 445},
    {"isakmp", 500},
    {"syslog", 514},
    {"submission", 587},
    {"ldaps", 636},
    {"domain-s", 853},
    {"imaps", 993},
    {"pop3s", 995},
    {"openvpn", 1194},
    {"ms-sql-s", 1433},
    {"l2f", 1701},
    {"l2tp", 1701},
    {"radius", 1812},
    {"radius-acct", 1813},
    {"nfs", 2049},
    {"mysql", 3306},
    {"ms-wbt-server", 3389},
    {"ipsec-nat-t", 4500},
    {"sip", 5060},
    {"sip-tls", 5061},
    {"postgresql", 5432},
    {"redis", 6379},
    {"http-alt", 8080},
};

static bool by_name(const struct name *t, size_t count, const char *s, size_t n, uint16_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(t[i].name) == n && !strncasecmp(t[i].name, s, n)) {
            *out = t[i].number;
            return true;
        }
    }
    return false;
}

static bool parse_proto(const char *s, size_t n, uint8_t *proto)
{
    unsigned long v;
    uint16_t named;
    if (parse_number(s, n, 255, &v))
        named = (uint16_t)v;
    else if (!by_name(protocols, sizeof protocols / sizeof *protocols, s, n, &named))
        return false;
    *proto = (uint8_t)named;
    return true;
}

static bool parse_port(const char *s, size_t n, uint16_t *port)
{
    unsigned long v;
    if (!parse_number(s, n, 65535, &v))
        return by_name(services, sizeof services / sizeof *services, s, n, port);
    *port = (uint16_t)v;
    return true;
}

static bool parse_ports(const char *s, size_t n, struct ts *t)
{
    const char *dash = memchr(s, '-', n);
    if (n == 3 && !memcmp(s, "any", 3))
        return true;
    if (n == 6 && !strncasecmp(s, "opaque", 6)) {
        t->port_lo = PORT_ANY_HI;
        t->port_hi = 0;
        return true;
    }
    if (parse_port(s, n, &t->port_lo)) { /* a service name may hold a dash */
        t->port_hi = t->port_lo;
        return true;
    }
    if (!dash)
        return false;
    size_t first = (size_t)(dash - s);
    return parse_port(s, first, &t->port_lo) && parse_port(dash + 1, n - first - 1, &t->port_hi) &&
           t->port_lo <= t->port_hi;
}

/* The bracket's inside: "tcp", "tcp/80", "17/1024-2048". */
static err_t parse_proto_ports(const char *s, size_t n, struct ts *t, const char **why)
{
    const char *slash = memchr(s, '/', n);
    size_t pn = slash ? (size_t)(slash - s) : n;
    *why = "expected a protocol by name or number";
    if (pn && !parse_proto(s, pn, &t->proto))
        return R_CONFIG_VALUE;
    *why = "expected a port, a range of ports, a service name or opaque";
    if (slash && !parse_ports(slash + 1, n - pn - 1, t))
        return R_CONFIG_VALUE;
    *why = NULL;
    return E_OK;
}

static err_t parse_addrs(const char *s, struct ts *t, const char **why)
{
    char first[ADDR_STR_MAX];
    struct addr a;
    unsigned bits;
    const char *dash = strchr(s, '-');
    *why =
        "expected an address, a subnet like 10.1.0.0/16, a range like 10.1.0.1-10.1.0.9 or dynamic";
    if (!dash) {
        if (!addr_parse_prefix(&a, &bits, s))
            return R_CONFIG_VALUE;
        addr_prefix_range(&a, bits, &t->lo, &t->hi);
        *why = NULL;
        return E_OK;
    }
    size_t n = (size_t)(dash - s);
    if (n >= sizeof first)
        return R_CONFIG_VALUE;
    memcpy(first, s, n);
    first[n] = 0;
    if (!addr_parse(&t->lo, first) || !addr_parse(&t->hi, dash + 1))
        return R_CONFIG_VALUE;
    *why = "the range's first address lies behind its last";
    if (t->lo.family != t->hi.family || addr_cmp(&t->lo, &t->hi) > 0)
        return R_CONFIG_VALUE;
    *why = NULL;
    return E_OK;
}

err_t ts_conf_parse(struct ts_conf *t, const char *text, const char **why)
{
    char addrs[2 * ADDR_STR_MAX];
    const char *open = strchr(text, '[');
    size_t n = open ? (size_t)(open - text) : strlen(text);
    *t = (struct ts_conf){.ts = {.port_hi = PORT_ANY_HI}};
    *why = "traffic selector is too long";
    if (n >= sizeof addrs)
        return R_CONFIG_VALUE;
    memcpy(addrs, text, n);
    addrs[n] = 0;
    if (open) {
        size_t rest = strlen(open);
        *why = "expected ] at the end";
        if (open[rest - 1] != ']')
            return R_CONFIG_VALUE;
        err_t e = parse_proto_ports(open + 1, rest - 2, &t->ts, why);
        if (e)
            return e;
    }
    *why = NULL;
    t->dynamic = (n == 0 && open) || !strcmp(addrs, "dynamic");
    return t->dynamic ? E_OK : parse_addrs(addrs, &t->ts, why);
}

void ts_resolve_in(const struct ts_conf_list *c, const struct ts *dynamic, size_t n,
                   struct ts_list *out)
{
    out->count = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct ts t = c->ts[i].ts;
        for (size_t k = 0; k < (c->ts[i].dynamic ? n : 1) && out->count < TS_MAX; k++) {
            if (c->ts[i].dynamic) {
                t.lo = dynamic[k].lo;
                t.hi = dynamic[k].hi;
            }
            out->ts[out->count++] = t;
        }
    }
}

void ts_resolve(const struct ts_conf_list *c, const struct addr *dynamic, struct ts_list *out)
{
    const struct ts host = {.lo = *dynamic, .hi = *dynamic};
    ts_resolve_in(c, &host, dynamic->family != 0, out);
}

/* Bits of the prefix that lo..hi is, or -1 when it is not one. */
static int prefix_of(const struct ts *t)
{
    const uint8_t *lo = t->lo.ip, *hi = t->hi.ip;
    size_t n = addr_len(&t->lo), same = 0;
    if (t->lo.family != t->hi.family)
        return -1;
    while (same < n && lo[same] == hi[same])
        same++;
    if (same == n)
        return (int)n * 8;
    unsigned free = lo[same] ^ hi[same]; /* ones below the prefix: 0 in lo, 1 in hi */
    if ((free & (free + 1)) || (lo[same] & free))
        return -1;
    for (size_t i = same + 1; i < n; i++)
        if (lo[i] != 0 || hi[i] != 0xff)
            return -1;
    return (int)(same * 8) + __builtin_clz(free) - 24;
}

static void print_ports(const struct ts *t, struct buf *out)
{
    static const struct {
        uint8_t number;
        const char *name;
    } names[] = {{1, "icmp"}, {6, "tcp"},        {17, "udp"},
                 {47, "gre"}, {58, "ipv6-icmp"}, {132, "sctp"}};
    bool all_ports = ts_any_port(t);
    if (t->proto == 0 && all_ports)
        return;
    const char *name = t->proto ? NULL : "0";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == t->proto)
            name = names[i].name;
    buf_puts(out, "[");
    if (name)
        buf_puts(out, name);
    else
        buf_printf(out, "%u", t->proto);
    if (ts_opaque(t))
        buf_puts(out, "/opaque");
    else if (!all_ports && (t->proto == 1 || t->proto == 58))
        buf_printf(out, "/%u(%u)", t->port_lo >> 8, t->port_lo & 0xff);
    else if (!all_ports && t->port_lo == t->port_hi)
        buf_printf(out, "/%u", t->port_lo);
    else if (!all_ports)
        buf_printf(out, "/%u-%u", t->port_lo, t->port_hi);
    buf_puts(out, "]");
}

void ts_print(const struct ts *t, struct buf *out)
{
    char a[ADDR_STR_MAX];
    int bits = prefix_of(t);
    if (bits >= 0) {
        buf_puts(out, addr_str(&t->lo, a));
        buf_puts(out, "/");
        buf_number(out, (unsigned)bits);
    } else {
        buf_puts(out, addr_str(&t->lo, a));
        buf_puts(out, "..");
        buf_puts(out, addr_str(&t->hi, a));
    }
    print_ports(t, out);
}

void ts_list_print(const struct ts_list *l, struct buf *out)
{
    for (size_t i = 0; i < l->count; i++) {
        if (i)
            buf_puts(out, " ");
        ts_print(&l->ts[i], out);
    }
}

const struct addr *ts_list_host(const struct ts_list *l)
{
    const struct addr *a = &l->ts[0].lo;
    for (size_t i = 0; i < l->count; i++)
        if (!addr_eq(&l->ts[i].lo, a) || !addr_eq(&l->ts[i].hi, a))
            return NULL;
    return l->count ? a : NULL;
}

bool ts_any_port(const struct ts *t)
{
    return t->port_lo == 0 && t->port_hi == PORT_ANY_HI;
}

bool ts_opaque(const struct ts *t)
{
    return t->port_lo == PORT_ANY_HI && t->port_hi == 0;
}

bool ts_eq(const struct ts *a, const struct ts *b)
{
    return a->proto == b->proto && a->port_lo == b->port_lo && a->port_hi == b->port_hi &&
           addr_eq(&a->lo, &b->lo) && addr_eq(&a->hi, &b->hi);
}

/* RFC 4301 4.4.1: ANY includes OPAQUE; a port does not. */
static bool ports_contain(const struct ts *outer, const struct ts *inner)
{
    if (ts_opaque(inner) || ts_opaque(outer))
        return ts_opaque(inner) && (ts_opaque(outer) || ts_any_port(outer));
    return outer->port_lo <= inner->port_lo && outer->port_hi >= inner->port_hi;
}

bool ts_contains(const struct ts *outer, const struct ts *inner)
{
    return outer->lo.family == inner->lo.family && addr_cmp(&outer->lo, &inner->lo) <= 0 &&
           addr_cmp(&outer->hi, &inner->hi) >= 0 &&
           (outer->proto == 0 || outer->proto == inner->proto) && ports_contain(outer, inner);
}

bool ts_intersect(const struct ts *a, const struct ts *b, struct ts *out)
{
    if (a->lo.family != b->lo.family || (a->proto && b->proto && a->proto != b->proto))
        return false;
    out->proto = a->proto ? a->proto : b->proto;
    out->port_lo = a->port_lo > b->port_lo ? a->port_lo : b->port_lo;
    out->port_hi = a->port_hi < b->port_hi ? a->port_hi : b->port_hi;
    out->lo = addr_cmp(&a->lo, &b->lo) > 0 ? a->lo : b->lo;
    out->hi = addr_cmp(&a->hi, &b->hi) < 0 ? a->hi : b->hi;
    bool ports = out->port_lo <= out->port_hi || ports_contain(a, b) || ports_contain(b, a);
    return ports && addr_cmp(&out->lo, &out->hi) <= 0;
}

bool ts_match(const struct ts *t, const struct addr *a, uint8_t proto, uint16_t port)
{
    return t->lo.family == a->family && addr_cmp(&t->lo, a) <= 0 && addr_cmp(&t->hi, a) >= 0 &&
           (t->proto == 0 || t->proto == proto) && t->port_lo <= port && port <= t->port_hi;
}

/* Adds unless something in the list covers it already; drops what it covers. */
static void add_distinct(struct ts_list *l, const struct ts *t)
{
    size_t kept = 0;
    if (ts_list_contains(l, t))
        return;
    for (size_t i = 0; i < l->count; i++)
        if (!ts_contains(t, &l->ts[i]))
            l->ts[kept++] = l->ts[i];
    l->count = kept;
    if (l->count < TS_MAX)
        l->ts[l->count++] = *t;
}

err_t ts_narrow(const struct ts_list *ours, const struct ts_list *theirs, struct ts_list *out)
{
    struct ts_list r = {0};
    struct ts t;
    for (size_t i = 0; i < theirs->count; i++)
        for (size_t j = 0; j < ours->count; j++)
            if (ts_intersect(&theirs->ts[i], &ours->ts[j], &t))
                add_distinct(&r, &t);
    *out = r;
    return r.count ? E_OK : (err_t)R_TS_UNACCEPTABLE;
}

bool ts_list_contains(const struct ts_list *l, const struct ts *t)
{
    for (size_t i = 0; i < l->count; i++)
        if (ts_contains(&l->ts[i], t))
            return true;
    return false;
}

bool ts_within(const struct ts_list *offered, const struct ts_list *returned)
{
    for (size_t i = 0; i < returned->count; i++)
        if (!ts_list_contains(offered, &returned->ts[i]))
            return false;
    return returned->count > 0;
}

bool ts_list_eq(const struct ts_list *a, const struct ts_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!ts_eq(&a->ts[i], &b->ts[i]))
            return false;
    return true;
}

bool ts_pair_narrower(const struct ts_list a[2], const struct ts_list b[2])
{
    return ts_within(&b[0], &a[0]) && ts_within(&b[1], &a[1]) &&
           !(ts_list_eq(&a[0], &b[0]) && ts_list_eq(&a[1], &b[1]));
}
