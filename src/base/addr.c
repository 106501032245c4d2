/* Addresses: see addr.h. Text forms after RFC 5952 (by libc). */
#include "base/addr.h"
#include "base/buf.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

struct addr addr_v4(const uint8_t ip[4])
{
    struct addr a = {.family = 4};
    memcpy(a.ip, ip, 4);
    return a;
}

struct addr addr_v6(const uint8_t ip[16])
{
    struct addr a = {.family = 6};
    memcpy(a.ip, ip, 16);
    return a;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->ip, b->ip, sizeof a->ip);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return addr_cmp(a, b) == 0;
}

bool addr_any(const struct addr *a)
{
    static const uint8_t zero[16];
    return a->family == 0 || memcmp(a->ip, zero, sizeof zero) == 0;
}

bool addr_parse(struct addr *a, const char *text)
{
    *a = (struct addr){0};
    if (inet_pton(AF_INET, text, a->ip) == 1)
        a->family = 4;
    else if (inet_pton(AF_INET6, text, a->ip) == 1)
        a->family = 6;
    return a->family != 0;
}

bool addr_parse_prefix(struct addr *a, unsigned *bits, const char *text)
{
    char host[ADDR_STR_MAX];
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    if (n >= sizeof host)
        return false;
    memcpy(host, text, n);
    host[n] = 0;
    if (!addr_parse(a, host))
        return false;
    unsigned max = a->family == 4 ? 32 : 128;
    *bits = max;
    if (!slash)
        return true;
    char *end;
    if (slash[1] < '0' || slash[1] > '9')
        return false;
    unsigned long v = strtoul(slash + 1, &end, 10);
    if (*end || v > max)
        return false;
    *bits = (unsigned)v;
    return true;
}

void addr_prefix_range(const struct addr *a, unsigned bits, struct addr *lo, struct addr *hi)
{
    *lo = *hi = *a;
    for (size_t i = 0; i < addr_len(a); i++) {
        unsigned done = (unsigned)i * 8;
        unsigned keep = bits <= done ? 0 : bits - done >= 8 ? 8 : bits - done;
        uint8_t mask = (uint8_t)(0xff00u >> keep);
        lo->ip[i] = (uint8_t)(a->ip[i] & mask);
        hi->ip[i] = (uint8_t)(a->ip[i] | (uint8_t)~mask);
    }
}

/* Adds one to an address; false when it wraps. */
static bool addr_next(struct addr *a)
{
    for (size_t i = addr_len(a); i-- > 0;)
        if (++a->ip[i])
            return true;
    return false;
}

bool addr_range_cut(struct addr *at, const struct addr *hi, struct addr *prefix, unsigned *bits)
{
    struct addr first, last;
    *prefix = *at;
    for (*bits = 0;; ++*bits) { /* the largest prefix that starts here and ends within */
        addr_prefix_range(at, *bits, &first, &last);
        if (addr_eq(&first, at) && addr_cmp(&last, hi) <= 0)
            break;
    }
    *at = last;
    return addr_cmp(&last, hi) < 0 && addr_next(at);
}

/* inet_ntop goes through printf. */
static void v4_str(const uint8_t ip[4], char *out)
{
    for (size_t i = 0; i < 4; i++) {
        out += number_text(ip[i], out);
        *out++ = i < 3 ? '.' : 0;
    }
}

const char *addr_str(const struct addr *a, char out[ADDR_STR_MAX])
{
    _Static_assert(ADDR_STR_MAX >= 15 + 20, "number_text may write 20 bytes");
    if (a->family == 4)
        v4_str(a->ip, out);
    else if (a->family == 6)
        inet_ntop(AF_INET6, a->ip, out, ADDR_STR_MAX);
    else
        snprintf(out, ADDR_STR_MAX, "%%any");
    return out;
}

const char *endpoint_str(const struct endpoint *e, char out[ENDPOINT_STR_MAX])
{
    char a[ADDR_STR_MAX];
    snprintf(out, ENDPOINT_STR_MAX, "%s[%u]", addr_str(&e->addr, a), e->port);
    return out;
}

bool endpoint_eq(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && addr_eq(&a->addr, &b->addr);
}
