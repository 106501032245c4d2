/*
 * The guard (see nft.h): its table is made, read and removed through libnftables; what tunnels that
 * come and go change in it goes over netlink (nft_elems.c).
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
    struct mnl_socket *elems;      /* NULL: none, so each change makes the table anew */
    bool loaded;                   /* the table is as we think */
    bool exempt;                   /* it keeps what is protected out of NAT */
    struct nft_nat_found nat;      /* rules of others when it was made */
    struct nft_pairs pairs;
    struct nft_pair *rest; /* rows that do not fit there */
    size_t rest_count, rest_cap;
    bool rest_changed;
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

static void elems_open(struct nft_guard *g)
{
    g->elems = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (g->elems && mnl_socket_bind(g->elems, 0, MNL_SOCKET_AUTOPID) < 0) {
        mnl_socket_close(g->elems);
        g->elems = NULL;
    }
}

static err_t guard_start(struct nft_guard *g, struct io_error *err)
{
    g->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!g->ctx) {
        io_fail(err, ENOMEM, NULL, "cannot start nftables");
        return E_NOMEM;
    }
    if (nft_ctx_buffer_output(g->ctx) != 0 || nft_ctx_buffer_error(g->ctx) != 0 ||
        nft_pairs_init(&g->pairs))
        return E_NOMEM;
    elems_open(g);
    /* Adds what is missing only: rows left by a crash guard on until new ones replace them. */
    return run(g,
               "add table " NFT_TABLE "\nadd counter " NFT_TABLE " in_dropped\n"
               "add counter " NFT_TABLE " out_dropped\n",
               "create the guard table", err);
}

struct nft_guard *nft_guard_open(const struct nft_guard_settings *s, struct io_error *err)
{
    if (!s->mark || !s->clear || !s->clear_tun) { /* "meta mark 0" would let everything pass */
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

/* --- rows --- */

static bool pair_eq(const struct nft_pair *a, const struct nft_pair *b)
{
    return addr_eq(&a->local_lo, &b->local_lo) && addr_eq(&a->local_hi, &b->local_hi) &&
           addr_eq(&a->remote_lo, &b->remote_lo) && addr_eq(&a->remote_hi, &b->remote_hi) &&
           a->proto == b->proto && a->does == b->does && a->order == b->order &&
           a->local_port_lo == b->local_port_lo && a->local_port_hi == b->local_port_hi &&
           a->remote_port_lo == b->remote_port_lo && a->remote_port_hi == b->remote_port_hi;
}

static err_t rest_add(struct nft_guard *g, const struct nft_pair *row)
{
    if (g->rest_count == g->rest_cap) {
        size_t cap = g->rest_cap ? g->rest_cap * 2 : 8;
        struct nft_pair *grown = realloc(g->rest, cap * sizeof *grown);
        if (!grown)
            return E_NOMEM;
        g->rest = grown;
        g->rest_cap = cap;
    }
    g->rest[g->rest_count++] = *row;
    g->rest_changed = true;
    return E_OK;
}

static void rest_del(struct nft_guard *g, const struct nft_pair *row)
{
    size_t i = 0;
    while (i < g->rest_count && !pair_eq(&g->rest[i], row))
        i++;
    if (i == g->rest_count)
        return;
    g->rest[i] = g->rest[--g->rest_count];
    g->rest_changed = true;
}

/* It names ports that the guard cannot tell apart, and to pass all of the protocol would be too
 * much; or types that no packet can have. */
static bool says_nothing(const struct nft_pair *r)
{
    uint16_t lo, hi;
    enum guard_kind kind = guard_kind_of(r);
    bool any = r->local_port_lo == 0 && r->local_port_hi == 65535 && r->remote_port_lo == 0 &&
               r->remote_port_hi == 65535;
    if (kind == GUARD_TYPES)
        return !guard_types_of(r, &lo, &hi);
    return r->does == NFT_PASS && !any && kind != GUARD_PORTS;
}

err_t nft_guard_add(struct nft_guard *g, const struct nft_pair *row)
{
    bool fits;
    if (!guard_row_valid(row))
        return E_USAGE;
    if (says_nothing(row))
        return E_OK;
    err_t e = nft_pairs_add(&g->pairs, row, &fits);
    return e || fits ? e : rest_add(g, row);
}

void nft_guard_del(struct nft_guard *g, const struct nft_pair *row)
{
    if (guard_row_valid(row) && !says_nothing(row) && !nft_pairs_del(&g->pairs, row))
        rest_del(g, row);
}

void nft_guard_clear(struct nft_guard *g)
{
    nft_pairs_clear(&g->pairs);
    g->rest_changed |= g->rest_count > 0;
    g->rest_count = 0;
}

/* --- NAT of others --- */

/* Leaves it as it was when the kernel does not say. */
static void nat_look(struct nft_guard *g, struct nft_nat_found *f)
{
    *f = g->nat;
    f->own = true;
    nft_ctx_output_set_flags(g->ctx, NFT_CTX_OUTPUT_TERSE);
    if (run(g, "list ruleset\n", "list rules", NULL) == 0)
        nft_nat_read(f, nft_ctx_get_output_buffer(g->ctx), NFT_TABLE, g->tun);
    nft_ctx_output_set_flags(g->ctx, 0);
}

static bool exempt_wanted(const struct nft_guard *g, const struct nft_nat_found *f)
{
    return g->set.nat == NFT_NAT_AUTO ? f->any : g->set.nat == NFT_NAT_YES;
}

bool nft_guard_look(struct nft_guard *g)
{
    struct nft_nat_found now;
    nat_look(g, &now);
    bool differs = g->loaded && (!now.own || memcmp(&now, &g->nat, sizeof now) != 0 ||
                                 exempt_wanted(g, &now) != g->exempt);
    if (differs)
        g->loaded = false;
    return differs;
}

/* --- into the kernel --- */

static int by_order(const void *pa, const void *pb)
{
    const struct nft_pair *a = pa, *b = pb;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    int c = (int)a->does - (int)b->does;
    return c ? c : (int)guard_row_same(a) - (int)guard_row_same(b);
}

static void layers_free(struct nft_layer *l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        guard_boxes_free(&l[i].boxes);
    free(l);
}

/* The rows that do not fit elsewhere, those of one order in a layer; sorts them. */
static err_t layers_make(struct nft_guard *g, struct nft_layer **out, size_t *n)
{
    struct nft_layer *l = *out = calloc(g->rest_count + 1, sizeof *l);
    err_t e = l ? E_OK : E_NOMEM;
    *n = 0;
    if (g->rest_count)
        qsort(g->rest, g->rest_count, sizeof *g->rest, by_order);
    for (size_t i = 0, k; i < g->rest_count && !e; i = k) {
        const struct nft_pair *r = &g->rest[i];
        for (k = i + 1; k < g->rest_count && by_order(r, &g->rest[k]) == 0;)
            k++;
        l[*n] = (struct nft_layer){.order = r->order, .does = r->does, .same = guard_row_same(r)};
        e = guard_boxes_make(&l[(*n)++].boxes, r, k - i);
    }
    return e;
}

/* Replaces the whole table. */
static err_t set_all(struct nft_guard *g, bool whole, struct io_error *err)
{
    struct nft_rules r = {.tun = g->tun,
                          .mark = g->set.mark,
                          .clear = g->set.clear,
                          .clear_tun = g->set.clear_tun,
                          .port = g->set.port,
                          .port_natt = g->set.port_natt,
                          .whole = whole,
                          .nat = &g->nat,
                          .pairs = &g->pairs,
                          .rest = g->rest,
                          .rests = g->rest_count};
    struct nft_layer *layer;
    struct buf text = {0};

    nat_look(g, &g->nat);
    g->nat.own = true; /* from now on */
    r.exempt = exempt_wanted(g, &g->nat);
    err_t e = layers_make(g, &layer, &r.layers);
    r.layer = layer;
    if (e) {
        io_fail(err, ENOMEM, NULL, "cannot lay out %zu guard rows", g->rest_count);
        goto out;
    }
    /* The new table's counters go on from the old ones: fewer than a handful of drops get lost. */
    (void)nft_guard_counters(g, &r.in_dropped, &r.out_dropped);
    nft_rules_print(&r, &text);
    e = text.err ? text.err : run(g, buf_str(&text), "load the guard table", err);
    g->exempt = r.exempt && !e;
out:
    buf_free(&text);
    layers_free(layer, r.layers);
    return e;
}

/* Then it may have to be told which networks are behind translations. */
static bool translates(const struct nft_guard *g)
{
    return g->nat.n || g->nat.wide;
}

/* True when elements alone differ and the kernel took them: somebody may have removed the table. */
static bool set_elements(struct nft_guard *g)
{
    struct nft_pairs_at at = {0};
    size_t room = g->pairs.changes < NFT_ELEMS_MAX ? g->pairs.changes : NFT_ELEMS_MAX, n;
    if (!g->loaded || !g->elems || g->rest_changed || g->pairs.reshaped || translates(g))
        return false;
    struct nft_elem_change *c = malloc((room + 1) * sizeof *c);
    bool ok = c != NULL;
    while (ok && (n = nft_pairs_changes(&g->pairs, &at, c, room)))
        ok = nft_elems_change(g->elems, NFT_TABLE_NAME, c, n) == E_OK;
    free(c);
    return ok;
}

err_t nft_guard_apply(struct nft_guard *g, struct io_error *err)
{
    if (g->loaded && !g->rest_changed && !g->pairs.reshaped && !g->pairs.changes)
        return E_OK;
    err_t e = set_elements(g) ? E_OK : set_all(g, true, err);
    if (e == E_SYS) /* the kernel may lack connection tracking: then fragments fail closed */
        e = set_all(g, false, err);
    g->loaded = !e;
    if (e)
        return e;
    nft_pairs_settle(&g->pairs);
    g->rest_changed = false;
    return E_OK;
}

uint32_t nft_guard_port(const struct nft_guard *g)
{
    return g->elems ? mnl_socket_get_portid(g->elems) : 0;
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
    nft_pairs_fini(&g->pairs);
    free(g->rest);
    if (g->elems)
        mnl_socket_close(g->elems);
    free(g);
}
