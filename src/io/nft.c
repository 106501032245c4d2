/*
 * Loading, reading and removing the guard (see nft.h) through libnftables. Called by the daemon
 * when connections are loaded and when it ends.
 */
#include "io/fail.h"
#include "io/nft_rules.h"

#include <ctype.h>
#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct nft_guard {
    struct nft_ctx *ctx;
    char tun[IF_NAMESIZE];
    struct nft_guard_settings set; /* its tun is the one above */
    bool loaded;                   /* the table holds `hosts` and `rest` */
    struct nft_hosts hosts;
    struct nft_pair *rest;
    size_t rest_count;
};

/*
 * libnftables ends the process when the kernel lacks this socket, and writes to stderr when it may
 * not use it, so look first. A mark is what an unprivileged process may not set either.
 */
static err_t probe(struct io_error *err)
{
    uint32_t mark = 0;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0)
        return io_fail(err, errno, "no nf_tables in this kernel (try: modprobe nf_tables)",
                       "cannot open netfilter socket");
    int e = setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0 ? errno : 0;
    close(fd);
    if (e)
        return io_fail(err, e, io_hint_perm(e, HINT_NET_ADMIN), "cannot use nftables");
    return 0;
}

static err_t run_failed(const char *said, const char *what, struct io_error *err)
{
    const char *hint = "";
    if (!err)
        return E_SYS;
    if (strncmp(said, "Error: ", 7) == 0)
        said += 7;
    if (strstr(said, "Operation not permitted"))
        hint = ": " HINT_NET_ADMIN;
    else if (strstr(said, "not supported") || strstr(said, "No such file"))
        hint = ": does the kernel have nf_tables with fib and counters?";
    snprintf(err->text, sizeof err->text, "cannot %s: nftables: %.*s%s", what,
             (int)strcspn(said, "\n"), said, hint);
    return E_SYS;
}

static err_t run(struct nft_guard *g, const char *text, const char *what, struct io_error *err)
{
    if (nft_run_cmd_from_buffer(g->ctx, text) == 0)
        return 0;
    return run_failed(nft_ctx_get_error_buffer(g->ctx), what, err);
}

/* The name goes into a quoted string of a rule. */
static bool name_fits(const char *name)
{
    size_t n = strlen(name);
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            return false;
    }
    return n > 0 && n < IF_NAMESIZE;
}

static err_t guard_start(struct nft_guard *g, struct io_error *err)
{
    g->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!g->ctx) {
        io_fail(err, ENOMEM, NULL, "cannot start nftables");
        return E_NOMEM;
    }
    if (nft_ctx_buffer_output(g->ctx) != 0 || nft_ctx_buffer_error(g->ctx) != 0)
        return E_NOMEM;
    /* Adds what is missing only: rows left by a crash guard on until new ones replace them. */
    return run(g,
               "add table " NFT_TABLE "\nadd counter " NFT_TABLE " in_dropped\n"
               "add counter " NFT_TABLE " out_dropped\n",
               "create the guard table", err);
}

struct nft_guard *nft_guard_open(const struct nft_guard_settings *s, struct io_error *err)
{
    if (s->mark == 0) { /* "meta mark 0" would let everything pass */
        io_fail(err, EINVAL, NULL, "cannot guard without a mark");
        return NULL;
    }
    if (!name_fits(s->tun)) {
        io_fail(err, EINVAL, "letters, digits, '.', '_' and '-' only", "cannot guard interface %s",
                s->tun);
        return NULL;
    }
    struct nft_guard *g = probe(err) == 0 ? calloc(1, sizeof *g) : NULL;
    if (!g)
        return NULL;
    snprintf(g->tun, sizeof g->tun, "%s", s->tun);
    g->set = *s;
    g->set.tun = g->tun;
    if (guard_start(g, err) != 0) {
        nft_guard_close(g, false);
        return NULL;
    }
    return g;
}

/* Replaces the whole table. */
static err_t set_all(struct nft_guard *g, const struct nft_hosts *hosts,
                     const struct nft_pair *rows, size_t n, struct io_error *err)
{
    struct nft_rules r = {g->tun, g->set.mark, g->set.port, g->set.port_natt, 0, 0, hosts};
    struct guard_boxes pass = {0}, drop = {0};
    struct buf text = {0};

    err_t e = guard_boxes_make(&pass, rows, n, true);
    if (!e)
        e = guard_boxes_make(&drop, rows, n, false);
    if (e) {
        io_fail(err, e == E_NOMEM ? ENOMEM : EINVAL, NULL, "cannot lay out %zu guard rows", n);
        goto out;
    }
    /* The new table's counters go on from the old ones: fewer than a handful of drops get lost. */
    (void)nft_guard_counters(g, &r.in_dropped, &r.out_dropped);
    nft_rules_print(&r, &pass, &drop, &text);
    e = text.err ? text.err : run(g, buf_str(&text), "load the guard table", err);
out:
    buf_free(&text);
    guard_boxes_free(&pass);
    guard_boxes_free(&drop);
    return e;
}

static bool pair_eq(const struct nft_pair *a, const struct nft_pair *b)
{
    return addr_eq(&a->local_lo, &b->local_lo) && addr_eq(&a->local_hi, &b->local_hi) &&
           addr_eq(&a->remote_lo, &b->remote_lo) && addr_eq(&a->remote_hi, &b->remote_hi) &&
           a->proto == b->proto && a->pass == b->pass && a->local_port_lo == b->local_port_lo &&
           a->local_port_hi == b->local_port_hi && a->remote_port_lo == b->remote_port_lo &&
           a->remote_port_hi == b->remote_port_hi;
}

/* True when hosts alone differ and the kernel took the difference: somebody may have flushed it. */
static bool set_difference(struct nft_guard *g, const struct nft_hosts *hosts,
                           const struct nft_pair *rows, size_t n)
{
    struct buf text = {0};
    if (!g->loaded || n != g->rest_count || hosts->groups != g->hosts.groups)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!pair_eq(&rows[i], &g->rest[i]))
            return false;
    nft_hosts_diff(&g->hosts, hosts, &text);
    bool ok = !text.err && (text.n == 0 || run(g, buf_str(&text), "change the guard", NULL) == 0);
    buf_free(&text);
    return ok;
}

/* Takes rows and hosts over. */
static void remember(struct nft_guard *g, struct nft_hosts *hosts, struct nft_pair *rows, size_t n)
{
    nft_hosts_free(&g->hosts);
    free(g->rest);
    g->hosts = *hosts;
    g->rest = rows;
    g->rest_count = n;
    g->loaded = true;
}

err_t nft_guard_set(struct nft_guard *g, const struct nft_pair *rows, size_t n,
                    struct io_error *err)
{
    struct nft_hosts hosts = {0};
    struct nft_pair *rest = malloc((n + 1) * sizeof *rest);
    size_t left = 0;
    if (!rest) {
        io_fail(err, ENOMEM, NULL, "cannot lay out %zu guard rows", n);
        return E_NOMEM;
    }
    if (n)
        memcpy(rest, rows, n * sizeof *rest);
    err_t e = nft_hosts_take(&hosts, &g->hosts, rest, n, &left);
    if (e)
        io_fail(err, ENOMEM, NULL, "cannot lay out %zu guard rows", n);
    else if (!set_difference(g, &hosts, rest, left))
        e = set_all(g, &hosts, rest, left, err);
    if (e) {
        nft_hosts_free(&hosts);
        free(rest);
        return e;
    }
    struct nft_pair *fitted = realloc(rest, (left + 1) * sizeof *rest);
    remember(g, &hosts, fitted ? fitted : rest, left);
    return E_OK;
}

static bool find_counter(const char *text, const char *name, uint64_t *out)
{
    char key[64];
    snprintf(key, sizeof key, "counter %s {", name);
    const char *p = strstr(text, key);
    p = p ? strstr(p, "packets ") : NULL;
    if (!p)
        return false;
    *out = strtoull(p + strlen("packets "), NULL, 10);
    return true;
}

bool nft_guard_counters(struct nft_guard *g, uint64_t *in_dropped, uint64_t *out_dropped)
{
    if (run(g, "list counters table " NFT_TABLE "\n", "read counters", NULL) != 0)
        return false;
    const char *text = nft_ctx_get_output_buffer(g->ctx);
    return find_counter(text, "in_dropped", in_dropped) &&
           find_counter(text, "out_dropped", out_dropped);
}

void nft_guard_close(struct nft_guard *g, bool remove_table)
{
    if (!g)
        return;
    if (g->ctx && remove_table)
        (void)!run(g, "add table " NFT_TABLE "\ndelete table " NFT_TABLE "\n", "remove", NULL);
    if (g->ctx)
        nft_ctx_free(g->ctx);
    nft_hosts_free(&g->hosts);
    free(g->rest);
    free(g);
}
