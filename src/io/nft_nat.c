/* NAT rules of others: see nft_nat.h. What is not understood is taken for the worst. */
#include "io/nft_nat.h"

#include <stdio.h>
#include <string.h>

enum { LINE = 65536 }; /* a set within a rule is one line */

static bool word(const char *line, const char *w)
{
    size_t n = strlen(w);
    for (const char *p = strstr(line, w); p; p = strstr(p + 1, w)) {
        bool begins = p == line || p[-1] == ' ' || p[-1] == '\t';
        if (begins && (p[n] == 0 || p[n] == ' '))
            return true;
    }
    return false;
}

/* A rule for what goes to the TUN device. */
static bool names_tun(const char *line, const char *tun)
{
    char name[32];
    const char *p = strstr(line, "oifname ");
    snprintf(name, sizeof name, "\"%s\"", tun);
    return p && strncmp(p + 8, "!=", 2) != 0 && strstr(p, name);
}

static bool range_parse(const char *text, struct addr *lo, struct addr *hi)
{
    char a[2 * ADDR_STR_MAX];
    struct addr prefix;
    unsigned bits;
    snprintf(a, sizeof a, "%s", text);
    char *dash = strchr(a, '-');
    if (dash) {
        *dash = 0;
        return addr_parse(lo, a) && addr_parse(hi, dash + 1) && lo->family == hi->family;
    }
    if (!addr_parse_prefix(&prefix, &bits, a))
        return false;
    addr_prefix_range(&prefix, bits, lo, hi);
    return true;
}

/* "[lo]:80", "[lo]-[hi]:80" */
static void strip_brackets(char *token)
{
    char *to = token, *end = strrchr(token, ']');
    for (const char *p = token; end && p < end; p++)
        if (*p != '[' && *p != ']')
            *to++ = *p;
    *to = 0;
}

/* The port behind an IPv4 address, brackets around an IPv6 one. */
static void strip(char *token)
{
    char *colon = strchr(token, ':');
    if (*token == '[') {
        strip_brackets(token);
    } else if (colon && !strchr(colon + 1, ':') && strchr(token, '.')) {
        *colon = 0;
    }
}

static void found(struct nft_nat_found *f, const struct addr *lo, const struct addr *hi)
{
    if (f->n == NFT_NAT_RANGES) {
        f->wide = true;
        return;
    }
    f->lo[f->n] = *lo;
    f->hi[f->n++] = *hi;
}

static void snat_read(struct nft_nat_found *f, char *line, const char *tun)
{
    char *save, *to = strstr(line, "snat ");
    struct addr lo, hi;
    bool some = false, for_tun = names_tun(line, tun);
    for (char *t = strtok_r(to, " \t,{}", &save); t; t = strtok_r(NULL, " \t,{}", &save)) {
        strip(t);
        if (!range_parse(t, &lo, &hi))
            continue;
        found(f, &lo, &hi);
        some = true;
    }
    f->wide |= !some && for_tun;
}

static void line_read(struct nft_nat_found *f, char *line, const char *tun)
{
    if (strstr(line, "type nat hook postrouting"))
        f->any = true;
    else if (word(line, "snat"))
        snat_read(f, line, tun);
    else if (word(line, "masquerade") && names_tun(line, tun))
        f->wide = true;
}

void nft_nat_read(struct nft_nat_found *f, const char *text, const char *own, const char *tun)
{
    char line[LINE];
    bool ours = false;
    memset(f, 0, sizeof *f); /* compared as bytes */
    for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
        size_t n = strcspn(p, "\n"), k = strlen(own);
        snprintf(line, sizeof line, "%.*s", (int)(n < LINE ? n : LINE - 1), p);
        if (!strncmp(line, "table ", 6))
            ours = !strncmp(line + 6, own, k) && line[6 + k] == ' ';
        if (!ours)
            line_read(f, line, tun);
        else
            f->own |= word(line, "jump");
    }
}

bool nft_nat_gives(const struct nft_nat_found *f, const struct addr *lo, const struct addr *hi)
{
    bool gives = f->wide;
    for (size_t i = 0; i < f->n && !gives; i++)
        gives = f->lo[i].family == lo->family && addr_cmp(&f->lo[i], hi) <= 0 &&
                addr_cmp(lo, &f->hi[i]) <= 0;
    return gives;
}
