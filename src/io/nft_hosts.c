/* Single hosts in the guard: see nft_hosts.h. */
#include "io/nft_hosts.h"
#include "io/nft_rules.h"
#include <stdlib.h>

/* A host that is on our own side too is no way across: guard_boxes.h cuts such rows. */
static bool fits(const struct nft_pair *r)
{
    bool any_port = r->local_port_lo == 0 && r->local_port_hi == UINT16_MAX &&
                    r->remote_port_lo == 0 && r->remote_port_hi == UINT16_MAX;
    bool ours =
        addr_cmp(&r->remote_lo, &r->local_lo) >= 0 && addr_cmp(&r->remote_lo, &r->local_hi) <= 0;
    return !r->pass && r->proto == 0 && any_port && !ours &&
           r->remote_lo.family == r->local_lo.family && r->local_lo.family == r->local_hi.family &&
           addr_cmp(&r->local_lo, &r->local_hi) <= 0 && addr_eq(&r->remote_lo, &r->remote_hi);
}

static bool group_of(struct nft_hosts *h, const struct nft_pair *r, uint8_t *out)
{
    size_t i = 0;
    while (i < h->groups && !(addr_eq(&h->group[i].local_lo, &r->local_lo) &&
                              addr_eq(&h->group[i].local_hi, &r->local_hi)))
        i++;
    if (i == NFT_HOST_GROUPS)
        return false;
    if (i == h->groups)
        h->group[h->groups++] = (struct nft_host_group){r->local_lo, r->local_hi};
    *out = (uint8_t)i;
    return true;
}

static int host_cmp(const void *pa, const void *pb)
{
    const struct nft_host *a = pa, *b = pb;
    return a->group != b->group ? (a->group < b->group ? -1 : 1) : addr_cmp(&a->addr, &b->addr);
}

static void sort(struct nft_hosts *h)
{
    size_t kept = 0, i = 1;
    while (i < h->n && host_cmp(&h->host[i - 1], &h->host[i]) < 0)
        i++;
    if (i >= h->n)
        return; /* as most often: the SPD keeps its order */
    qsort(h->host, h->n, sizeof *h->host, host_cmp);
    for (i = 0; i < h->n; i++)
        if (kept == 0 || host_cmp(&h->host[kept - 1], &h->host[i]) != 0)
            h->host[kept++] = h->host[i];
    h->n = kept;
}

static err_t add(struct nft_hosts *h, const struct nft_host *host)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        struct nft_host *grown = realloc(h->host, cap * sizeof *grown);
        if (!grown)
            return E_NOMEM;
        h->host = grown;
        h->cap = cap;
    }
    h->host[h->n++] = *host;
    return E_OK;
}

err_t nft_hosts_take(struct nft_hosts *h, const struct nft_hosts *old, struct nft_pair *rows,
                     size_t n, size_t *left)
{
    *left = 0;
    memcpy(h->group, old->group, sizeof h->group);
    h->groups = old->groups;
    for (size_t i = 0; i < n; i++) {
        struct nft_host host = {.addr = rows[i].remote_lo};
        if (!fits(&rows[i]) || !group_of(h, &rows[i], &host.group)) {
            rows[(*left)++] = rows[i];
            continue;
        }
        if (add(h, &host))
            return E_NOMEM;
    }
    sort(h);
    return E_OK;
}

void nft_hosts_free(struct nft_hosts *h)
{
    free(h->host);
    *h = (struct nft_hosts){0};
}

/* Appends to a command of the same kind and set, or begins one. */
static void command(struct buf *out, const char *verb, const struct nft_host *h, int *open)
{
    char text[ADDR_STR_MAX];
    if (*open == h->group) {
        buf_printf(out, ", %s", addr_str(&h->addr, text));
        return;
    }
    buf_printf(out, "%s%s element " NFT_TABLE " hosts%u { %s", *open < 0 ? "" : " }\n", verb,
               h->group, addr_str(&h->addr, text));
    *open = h->group;
}

/* What is in `a` and not in `b`. */
static void only_in(const struct nft_hosts *a, const struct nft_hosts *b, const char *verb,
                    struct buf *out)
{
    int open = -1;
    for (size_t i = 0, k = 0; i < a->n; i++) {
        int c = 1;
        while (k < b->n && (c = host_cmp(&b->host[k], &a->host[i])) < 0)
            k++;
        if (k == b->n || c != 0)
            command(out, verb, &a->host[i], &open);
    }
    if (open >= 0)
        buf_puts(out, " }\n");
}

void nft_hosts_diff(const struct nft_hosts *old, const struct nft_hosts *now, struct buf *out)
{
    only_in(now, old, "add", out);
    only_in(old, now, "delete", out);
}

void nft_hosts_print_sets(const struct nft_hosts *h, struct buf *out)
{
    char text[ADDR_STR_MAX];
    for (size_t g = 0, i = 0; g < h->groups; g++) {
        const char *sep = " elements = { ";
        buf_printf(out, "set hosts%zu { type %s;", g,
                   h->group[g].local_lo.family == 4 ? "ipv4_addr" : "ipv6_addr");
        for (; i < h->n && h->host[i].group == g; i++) {
            buf_printf(out, "%s%s", sep, addr_str(&h->host[i].addr, text));
            sep = ", ";
        }
        buf_puts(out, *sep == ',' ? " } }\n" : " }\n");
    }
}

void nft_hosts_print_rules(const struct nft_hosts *h, const char *remote, const char *local,
                           const char *drop, struct buf *out)
{
    char lo[ADDR_STR_MAX], hi[ADDR_STR_MAX];
    for (size_t g = 0; g < h->groups; g++) {
        const char *ip = h->group[g].local_lo.family == 4 ? "ip" : "ip6";
        addr_str(&h->group[g].local_lo, lo);
        addr_str(&h->group[g].local_hi, hi);
        buf_printf(out, "%s %s @hosts%zu %s %s %s%s%s %s\n", ip, remote, g, ip, local, lo,
                   strcmp(lo, hi) ? "-" : "", strcmp(lo, hi) ? hi : "", drop);
    }
}
