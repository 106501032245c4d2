/* Pools of virtual addresses and their attributes: see addr_pool.h. */
#include "model/addr_pool.h"
#include <ctype.h>
#include <stdlib.h>

struct addr_pool *addr_pool_new(const char *name)
{
    struct addr_pool *p = calloc(1, sizeof *p);
    if (p && !(p->name = strdup(name))) {
        free(p);
        return NULL;
    }
    return p;
}

void addr_pool_free(struct addr_pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->attr_count; i++)
        free(p->attr[i].value);
    free(p->name);
    free(p);
}

/* --- addresses --- */

/* hi - lo + 1, no more than POOL_SIZE_MAX. */
static uint32_t span(const struct addr *lo, const struct addr *hi)
{
    uint64_t n = 0;
    for (size_t i = 0; i < addr_len(lo); i++) {
        n = (n << 8) + hi->ip[i] - lo->ip[i];
        if (n >= POOL_SIZE_MAX)
            return POOL_SIZE_MAX;
    }
    return (uint32_t)n + 1;
}

static bool parse_range(struct addr_pool *p, const char *text, const char *dash)
{
    char first[ADDR_STR_MAX];
    struct addr hi;
    size_t n = (size_t)(dash - text);
    if (n >= sizeof first)
        return false;
    memcpy(first, text, n);
    first[n] = 0;
    if (!addr_parse(&p->base, first) || !addr_parse(&hi, dash + 1) || p->base.family != hi.family ||
        addr_cmp(&p->base, &hi) > 0)
        return false;
    p->size = span(&p->base, &hi);
    return true;
}

/* charon's count: first and last address of a block serve as its own names, unless it is tiny. */
bool addr_pool_parse(struct addr_pool *p, const char *text)
{
    unsigned bits;
    struct addr lo, hi;
    const char *dash = strchr(text, '-');
    p->first = 0;
    if (dash)
        return parse_range(p, text, dash);
    if (!addr_parse_prefix(&p->base, &bits, text))
        return false;
    addr_prefix_range(&p->base, bits, &lo, &hi);
    p->base = lo;
    p->size = span(&lo, &hi);
    if (p->size > 2) {
        p->first = 1;
        p->size -= 2;
    }
    return true;
}

struct addr addr_pool_at(const struct addr_pool *p, uint32_t n)
{
    struct addr a = p->base;
    uint64_t carry = (uint64_t)n + p->first;
    for (size_t i = addr_len(&a); i-- > 0 && carry; carry >>= 8) {
        carry += a.ip[i];
        a.ip[i] = (uint8_t)carry;
    }
    return a;
}

bool addr_pool_has(const struct addr_pool *p, const struct addr *a, uint32_t *n)
{
    struct addr lo = addr_pool_at(p, 0), hi = addr_pool_at(p, p->size - 1);
    if (a->family != p->base.family || addr_cmp(a, &lo) < 0 || addr_cmp(a, &hi) > 0)
        return false;
    *n = span(&lo, a) - 1;
    return true;
}

/* --- attributes --- */

enum form { ADDRESS, MASK, NETWORK, SPLIT };

static const struct {
    const char *word;
    uint16_t v4, v6; /* 0: there is none */
    enum form form;
} words[] = {
    {"address", CFG_IP4_ADDRESS, CFG_IP6_ADDRESS, ADDRESS},
    {"dns", CFG_IP4_DNS, CFG_IP6_DNS, ADDRESS},
    {"nbns", CFG_IP4_NBNS, CFG_IP6_NBNS, ADDRESS},
    {"dhcp", CFG_IP4_DHCP, CFG_IP6_DHCP, ADDRESS},
    {"netmask", CFG_IP4_NETMASK, CFG_IP6_NETMASK, MASK},
    {"server", CFG_IP4_SERVER, CFG_IP6_SERVER, ADDRESS},
    {"subnet", CFG_IP4_SUBNET, CFG_IP6_SUBNET, NETWORK},
    {"split_include", CFG_UNITY_SPLIT_INCLUDE, 0, SPLIT},
    {"split_exclude", CFG_UNITY_LOCAL_LAN, 0, SPLIT},
};

/* Values of these are one behind the other in one attribute. */
static struct pool_attr *to_extend(struct addr_pool *p, uint16_t type)
{
    bool joined = type == CFG_UNITY_SPLIT_INCLUDE || type == CFG_UNITY_LOCAL_LAN;
    for (size_t i = 0; joined && i < p->attr_count; i++)
        if (p->attr[i].type == type)
            return &p->attr[i];
    if (p->attr_count == POOL_ATTRS_MAX)
        return NULL;
    p->attr[p->attr_count] = (struct pool_attr){.type = type};
    return &p->attr[p->attr_count];
}

static err_t add(struct addr_pool *p, uint16_t type, const void *value, size_t n)
{
    struct pool_attr *a = to_extend(p, type);
    if (!a || a->len + n > POOL_VALUE_MAX)
        return R_TOO_MANY;
    uint8_t *grown = realloc(a->value, a->len + n + 1);
    if (!grown)
        return E_NOMEM;
    memcpy(grown + a->len, value, n);
    a->value = grown;
    a->len = (uint16_t)(a->len + n);
    if (a == &p->attr[p->attr_count])
        p->attr_count++;
    return E_OK;
}

static void put_mask(uint8_t *to, size_t len, unsigned bits)
{
    for (size_t i = 0; i < len; i++) {
        unsigned here = bits > 8 * i ? bits - 8 * (unsigned)i : 0;
        to[i] = (uint8_t)(here >= 8 ? 0xff : 0xff00 >> here);
    }
}

/* RFC 7296 3.15.1: address and mask, or with IPv6 address and prefix length. Cisco's split networks
 * have protocol and ports behind, which nobody uses. */
static size_t network(enum form form, const struct addr *a, unsigned bits, uint8_t out[32])
{
    struct addr lo, hi;
    size_t n = addr_len(a);
    addr_prefix_range(a, bits, &lo, &hi);
    memset(out, 0, 32);
    memcpy(out, lo.ip, n);
    if (n == 16) {
        out[16] = (uint8_t)bits;
        return 17;
    }
    put_mask(out + 4, 4, bits);
    return form == SPLIT ? 14 : 8;
}

static err_t add_word(struct addr_pool *p, size_t row, const char *value)
{
    uint8_t raw[32];
    struct addr a;
    unsigned bits;
    bool net = words[row].form >= NETWORK;
    if (net ? !addr_parse_prefix(&a, &bits, value) : !addr_parse(&a, value))
        return R_CONFIG_VALUE;
    uint16_t type = a.family == 4 ? words[row].v4 : words[row].v6;
    if (!type)
        return R_CONFIG_VALUE;
    if (net)
        return add(p, type, raw, network(words[row].form, &a, bits, raw));
    if (words[row].form == MASK && a.family == 4 && !cfg_mask_bits(a.ip, &bits))
        return R_CONFIG_VALUE;
    return add(p, type, a.ip, addr_len(&a));
}

/* An attribute by its number: the text as it is. */
static err_t add_number(struct addr_pool *p, const char *word, const char *value)
{
    char *end;
    unsigned long type = isdigit((unsigned char)*word) ? strtoul(word, &end, 10) : 0;
    if (!type || *end)
        return R_NOT_FOUND;
    return type > 32767 ? (err_t)R_CONFIG_VALUE : add(p, (uint16_t)type, value, strlen(value));
}

err_t addr_pool_attr(struct addr_pool *p, const char *word, const char *value)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i].word, word))
            return add_word(p, i, value);
    return add_number(p, word, value);
}

bool cfg_mask_bits(const uint8_t mask[4], unsigned *bits)
{
    uint32_t m = get_u32(mask), n = 0;
    while (n < 32 && m & 0x80000000u >> n)
        n++;
    *bits = n;
    return n == 32 || (m << n) == 0;
}
