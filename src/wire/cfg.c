/* Configuration payloads of both versions: see cfg.h. Called by ike/v1/trans.c and ike/v2/cp.c. */
#include "wire/cfg.h"

#define TYPE_MASK 0x7fff
#define SHORT_BIT                                                                                  \
    0x8000 /* RFC 2408 3.3: the value stands where the length would; RFC 7296: zero                \
            */

static struct cfg_attr take(struct rd *r, bool v1)
{
    uint16_t head = rd_u16(r);
    struct cfg_attr a = {.type = head & TYPE_MASK};
    if (v1 && head & SHORT_BIT)
        a.value = rd_bytes(r, 2);
    else
        a.value = rd_bytes(r, rd_u16(r));
    return a;
}

err_t cfg_parse(struct bytes body, bool v1, struct cfg_body *out)
{
    struct rd r = rd_of(body);
    out->count = 0;
    out->type = rd_u8(&r);
    rd_skip(&r, 1);
    out->id = rd_u16(&r);
    if (!v1)
        out->id = 0;
    if (!r.err && (out->type < CFG_REQUEST || out->type > CFG_ACK))
        rd_fail(&r, R_SYNTAX);
    while (!r.err && rd_left(&r)) {
        struct cfg_attr a = take(&r, v1);
        if (!r.err && out->count == CFG_ATTRS_MAX)
            rd_fail(&r, R_TOO_MANY);
        if (!r.err)
            out->attr[out->count++] = a;
    }
    return rd_done(&r);
}

/* draft-beaulieu-ike-xauth-02 6.2: these two are "basic", all others "variable" */
static bool is_short(const struct cfg_attr *a)
{
    return (a->type == CFG_XAUTH_TYPE || a->type == CFG_XAUTH_STATUS) && a->value.n == 2;
}

void cfg_write(struct wr *w, bool v1, const struct cfg_body *b)
{
    wr_u8(w, b->type);
    wr_u8(w, 0);
    wr_u16(w, v1 ? b->id : 0);
    for (size_t i = 0; i < b->count; i++) {
        const struct cfg_attr *a = &b->attr[i];
        bool brief = v1 && is_short(a);
        wr_u16(w, (uint16_t)(a->type | (brief ? SHORT_BIT : 0)));
        if (!brief)
            wr_u16(w, (uint16_t)a->value.n);
        wr_bytes_put(w, a->value);
    }
}

const struct cfg_attr *cfg_find(const struct cfg_body *b, uint16_t type)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->attr[i].type == type)
            return &b->attr[i];
    return NULL;
}

void cfg_add(struct cfg_body *b, uint16_t type, struct bytes value)
{
    if (b->count < CFG_ATTRS_MAX)
        b->attr[b->count++] = (struct cfg_attr){type, value};
}

/* --- values --- */

bool cfg_is_v6(uint16_t type)
{
    return type == CFG_IP6_ADDRESS || type == CFG_IP6_NETMASK || type == CFG_IP6_DNS ||
           type == CFG_IP6_NBNS || type == CFG_IP6_DHCP || type == CFG_IP6_SUBNET ||
           type == CFG_IP6_SERVER;
}

bool cfg_addr(const struct cfg_attr *a, struct addr *out)
{
    bool v6 = cfg_is_v6(a->type);
    size_t n = v6 ? 16 : 4;
    *out = (struct addr){.family = v6 ? 6 : 4};
    if (a->value.n == 0)
        return true;
    if (a->value.n != n && !(v6 && a->value.n == 17))
        return false;
    memcpy(out->ip, a->value.p, n);
    return true;
}

bool cfg_u16(const struct cfg_attr *a, uint16_t *out)
{
    if (!a || a->value.n != 2)
        return false;
    *out = get_u16(a->value.p);
    return true;
}

static void network(struct ts_list *out, const struct addr *a, unsigned bits)
{
    if (out->count == TS_MAX)
        return;
    struct ts *t = &out->ts[out->count++];
    *t = (struct ts){.port_hi = 65535};
    addr_prefix_range(a, bits, &t->lo, &t->hi);
}

void cfg_networks(const struct cfg_attr *a, struct ts_list *out)
{
    unsigned bits;
    bool v6 = a->type == CFG_IP6_SUBNET;
    size_t step = v6 ? 17 : a->type == CFG_IP4_SUBNET ? 8 : 14;
    for (size_t at = 0; at + step <= a->value.n; at += step) {
        const uint8_t *p = a->value.p + at;
        struct addr base = v6 ? addr_v6(p) : addr_v4(p);
        if (v6 ? p[16] <= 128 : cfg_mask_bits(p + 4, &bits))
            network(out, &base, v6 ? p[16] : bits);
    }
}

static const struct {
    uint16_t type;
    const char *name;
} names[] = {
    {CFG_IP4_ADDRESS, "INTERNAL_IP4_ADDRESS"},
    {CFG_IP4_NETMASK, "INTERNAL_IP4_NETMASK"},
    {CFG_IP4_DNS, "INTERNAL_IP4_DNS"},
    {CFG_IP4_NBNS, "INTERNAL_IP4_NBNS"},
    {CFG_ADDRESS_EXPIRY, "INTERNAL_ADDRESS_EXPIRY"},
    {CFG_IP4_DHCP, "INTERNAL_IP4_DHCP"},
    {CFG_APPLICATION_VERSION, "APPLICATION_VERSION"},
    {CFG_IP6_ADDRESS, "INTERNAL_IP6_ADDRESS"},
    {CFG_IP6_NETMASK, "INTERNAL_IP6_NETMASK"},
    {CFG_IP6_DNS, "INTERNAL_IP6_DNS"},
    {CFG_IP6_NBNS, "INTERNAL_IP6_NBNS"},
    {CFG_IP6_DHCP, "INTERNAL_IP6_DHCP"},
    {CFG_IP4_SUBNET, "INTERNAL_IP4_SUBNET"},
    {CFG_SUPPORTED_ATTRIBUTES, "SUPPORTED_ATTRIBUTES"},
    {CFG_IP6_SUBNET, "INTERNAL_IP6_SUBNET"},
    {CFG_XAUTH_TYPE, "XAUTH_TYPE"},
    {CFG_XAUTH_USER_NAME, "XAUTH_USER_NAME"},
    {CFG_XAUTH_USER_PASSWORD, "XAUTH_USER_PASSWORD"},
    {CFG_XAUTH_PASSCODE, "XAUTH_PASSCODE"},
    {CFG_XAUTH_MESSAGE, "XAUTH_MESSAGE"},
    {CFG_XAUTH_CHALLENGE, "XAUTH_CHALLENGE"},
    {CFG_XAUTH_DOMAIN, "XAUTH_DOMAIN"},
    {CFG_XAUTH_STATUS, "XAUTH_STATUS"},
    {CFG_XAUTH_NEXT_PIN, "XAUTH_NEXT_PIN"},
    {CFG_XAUTH_ANSWER, "XAUTH_ANSWER"},
    {CFG_UNITY_BANNER, "UNITY_BANNER"},
    {CFG_UNITY_SAVE_PASSWD, "UNITY_SAVE_PASSWD"},
    {CFG_UNITY_DEF_DOMAIN, "UNITY_DEF_DOMAIN"},
    {CFG_UNITY_SPLITDNS_NAME, "UNITY_SPLITDNS_NAME"},
    {CFG_UNITY_SPLIT_INCLUDE, "UNITY_SPLIT_INCLUDE"},
    {CFG_UNITY_NATT_PORT, "UNITY_NATT_PORT"},
    {CFG_UNITY_LOCAL_LAN, "UNITY_LOCAL_LAN"},
    {CFG_UNITY_PFS, "UNITY_PFS"},
    {CFG_UNITY_FW_TYPE, "UNITY_FW_TYPE"},
    {CFG_UNITY_BACKUP_SERVERS, "UNITY_BACKUP_SERVERS"},
    {CFG_UNITY_DDNS_HOSTNAME, "UNITY_DDNS_HOSTNAME"},
};

const char *cfg_attr_name(uint16_t type)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].type == type)
            return names[i].name;
    return NULL;
}
