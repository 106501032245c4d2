/*
 * Rows of the SPD through the lives of connections and SAs, each time beside what the kernel then
 * has: routes, rules, the guard. In a network namespace of its own. RFC 4301 4.4.1; that a tunnel
 * that fell is not a way out in clear is culvert's own promise (policies.h).
 */
#include "config/config.h"
#include "daemon/policies.h"
#include "dataplane/testkit.h"
#include "io/netlab.h"
#include "io/tun.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MARK = 220, TABLE = 220 };

struct fixture {
    struct tun tun;
    struct netlink *nl;
    struct dp *dp;
    struct policies *p;
    uint32_t serves[8]; /* policies of SAs, by id */
};

static err_t view_each(void *ctx, err_t (*fn)(void *arg, struct dp *dp), void *arg)
{
    struct fixture *f = ctx;
    return fn(arg, f->dp);
}

static void view_hold_drop(void *ctx, uint32_t policy_id)
{
    struct fixture *f = ctx;
    dp_hold_drop(f->dp, policy_id);
}

static struct policies *open_policies(struct fixture *f)
{
    struct io_error err = {""};
    const struct policies_settings s = {
        {"culvert0", MARK, 0x10000000, 0x20000000, 500, 4500}, f->tun.ifindex, TABLE, TABLE};
    const struct policies_view view = {f, view_each, view_hold_drop};
    struct policies *p = policies_open(&s, &view, f->nl, &err);
    if (!p)
        fail_msg("%s", err.text);
    return p;
}

static int make(void **state)
{
    static struct fixture f;
    struct io_error err = {""};
    *state = &f;
    lab_ns();
    if (tun_open(&f.tun, "culvert0", 1400, &err) || !(f.nl = netlink_open(&err)))
        fail_msg("%s", err.text);
    f.dp = kit_dp();
    f.p = open_policies(&f);
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    policies_close(f->p);
    dp_free(f->dp);
    netlink_close(f->nl);
    tun_close(&f->tun);
    return 0;
}

#define CONN(children)                                                                             \
    "gw { remote_addrs = 192.0.2.2\n local_addrs = 192.0.2.1\n local { auth = psk }\n"             \
    "remote { auth = psk }\n children { " children " } }"
#define NET(action) "net { local_ts = 10.1.0.0/16\n remote_ts = 10.2.0.0/16\n" action " }"

static struct conn *conn_of(const char *text)
{
    struct vnode *root = NULL;
    struct diag d = {0};
    struct conn *c = NULL;
    assert_int_equal(config_read_text("test", bytes_of(text, strlen(text)), &root, &d), E_OK);
    assert_int_equal(config_conn_from_tree(root->child, &c, &d), E_OK);
    diag_free(&d);
    vnode_free(root);
    return c;
}

static err_t load(struct fixture *f, const char *text)
{
    struct io_error err = {""};
    struct conn *c = conn_of(text);
    err_t e = policies_conn_load(f->p, c, &err);
    conn_unref(c);
    return e;
}

static struct child_sa sa_of(uint32_t id, const char *local, const char *remote)
{
    struct child_sa sa = {.id = id, .conn = "gw", .child = "net"};
    sa.local_ts = (struct ts_list){1, {kit_ts(local)}};
    sa.remote_ts = (struct ts_list){1, {kit_ts(remote)}};
    return sa;
}

static uint32_t sa_up(struct fixture *f, const char *conf, uint32_t id, const char *local,
                      const char *remote)
{
    struct conn *c = conf ? conn_of(conf) : NULL;
    const struct child_sa sa = sa_of(id, local, remote);
    uint32_t policy = policies_sa_add(f->p, &sa, c ? &c->child[0] : NULL);
    conn_unref(c);
    return f->serves[id] = policy;
}

static void sa_down(struct fixture *f, uint32_t id)
{
    policies_sa_del(f->p, f->serves[id]);
}

/* "net protect 10.2.0.0/16 sas 1 configured trap" */
static void print_row(void *ctx, const struct policy_row *r)
{
    static const char *const actions[] = {"protect", "bypass", "drop"};
    struct buf *out = ctx;
    buf_printf(out, "%s %s ", r->child, actions[r->action]);
    ts_list_print(r->remote, out);
    buf_printf(out, " sas %zu%s%s\n", r->sas, r->installed ? " configured" : "",
               r->acquire ? " trap" : "");
}

static void rows_are(struct fixture *f, const char *want)
{
    struct buf got = {0};
    buf_puts(&got, "");
    policies_each(f->p, print_row, &got);
    assert_string_equal(buf_str(&got), want);
    buf_free(&got);
}

static void apply(struct fixture *f)
{
    struct io_error err = {""};
    if (policies_apply(f->p, &err))
        fail_msg("%s", err.text);
    assert_false(policies_dirty(f->p));
}

static void routes_are(struct fixture *f, int n)
{
    apply(f);
    assert_int_equal(lab_number("ip route show table %d 2>/dev/null | wc -l", TABLE), n);
}

#define ROW(what) "net protect 10.2.0.0/16 " what "\n"

static void test_configured(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, CONN(NET("start_action = trap"))), E_OK);
    rows_are(f, ROW("sas 0 configured trap"));
    routes_are(f, 1);
    assert_true(policies_id_of(f->p, "gw", "net") != 0);
    assert_int_equal(policies_id_of(f->p, "gw", "other"), 0);
    uint32_t id = policies_id_of(f->p, "gw", "net");
    assert_int_equal(sa_up(f, NULL, 1, "10.1.0.0/16", "10.2.0.0/16"), id);
    assert_int_equal(sa_up(f, NULL, 2, "10.1.0.0/16", "10.2.3.0/24"), id); /* narrowed: covered */
    rows_are(f, ROW("sas 2 configured trap"));
    sa_down(f, 1);
    policies_sa_del(f->p, 0); /* quiet before it went */
    sa_down(f, 2);
    rows_are(f, ROW("sas 0 configured trap"));
    policies_release(f->p, "gw", NULL); /* what is configured stays */
    rows_are(f, ROW("sas 0 configured trap"));
    policies_conn_unload(f->p, "gw");
    rows_are(f, "");
    routes_are(f, 0);
}

/* start_action = none: no row until an SA brings one, which then stays and drops. */
static void test_kept_and_released(void **state)
{
    struct fixture *f = *state;
    const char *conf = CONN(NET(""));
    assert_int_equal(load(f, conf), E_OK);
    rows_are(f, "");
    uint32_t id = sa_up(f, conf, 1, "10.1.0.0/16", "10.2.0.0/16");
    assert_true(id != 0);
    rows_are(f, ROW("sas 1"));
    routes_are(f, 1);
    sa_down(f, 1);
    rows_are(f, ROW("sas 0")); /* kept: fail closed */
    routes_are(f, 1);
    assert_int_equal(sa_up(f, conf, 2, "10.1.0.0/16", "10.2.0.0/16"), id); /* found again */
    policies_release(f->p, "gw", "net");
    rows_are(f, ROW("sas 1")); /* goes with its last SA */
    sa_down(f, 2);
    rows_are(f, "");
    sa_up(f, conf, 3, "10.1.0.0/16", "10.2.0.0/16");
    sa_down(f, 3);
    policies_release(f->p, "other", NULL);
    policies_release(f->p, "gw", "other");
    rows_are(f, ROW("sas 0"));
    policies_release(f->p, NULL, "net");
    rows_are(f, "");
    routes_are(f, 0);
}

/* A peer that is its own selector comes from anywhere: nothing is left to guard when it went. */
static void test_dynamic_peer_is_not_kept(void **state)
{
    struct fixture *f = *state;
    const char *conf = CONN("net { local_ts = 10.1.0.0/16 }");
    sa_up(f, conf, 1, "10.1.0.0/16", "192.0.2.2");
    rows_are(f, "net protect 192.0.2.2/32 sas 1\n");
    sa_down(f, 1);
    rows_are(f, "");
}

static void test_sa_outside_of_the_row(void **state)
{
    struct fixture *f = *state;
    const char *conf = CONN(NET("start_action = trap"));
    assert_int_equal(load(f, conf), E_OK);
    assert_true(sa_up(f, conf, 1, "10.1.0.0/16", "10.3.0.0/16") !=
                policies_id_of(f->p, "gw", "net"));
    rows_are(f, ROW("sas 0 configured trap") "net protect 10.3.0.0/16 sas 1\n");
    routes_are(f, 2);
}

static void test_unload_under_an_sa(void **state)
{
    struct fixture *f = *state;
    const char *conf = CONN(NET("start_action = trap"));
    assert_int_equal(load(f, conf), E_OK);
    sa_up(f, conf, 1, "10.1.0.0/16", "10.2.0.0/16");
    policies_conn_unload(f->p, "gw");
    rows_are(f, ROW("sas 1"));
    assert_int_equal(policies_id_of(f->p, "gw", "net"), 0);
    assert_int_equal(load(f, conf), E_OK); /* loaded again while the SA is still up */
    rows_are(f, ROW("sas 1") ROW("sas 0 configured trap"));
    sa_down(f, 1);
    rows_are(f, ROW("sas 0 configured trap"));
}

static void test_reload_replaces(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(load(f, CONN(NET("start_action = trap"))), E_OK);
    assert_int_equal(load(f, CONN("new { local_ts = 10.1.0.0/16\n remote_ts = 10.7.0.0/16\n"
                                  "mode = drop\n start_action = trap }")),
                     E_OK);
    rows_are(f, "new drop 10.7.0.0/16 sas 0 configured\n");
    routes_are(f, 0); /* the guard drops it */
    assert_int_equal(lab_number("nft list table inet culvert | grep -c '10.7.0.0 . 10.1.0.0'"), 1);
}

static void test_install(void **state)
{
    struct fixture *f = *state;
    struct io_error err = {""};
    struct conn *c = conn_of(CONN(NET("")));
    assert_int_equal(policies_install(f->p, c, &c->child[0], &err), E_OK);
    assert_int_equal(policies_install(f->p, c, &c->child[0], &err), E_OK); /* once */
    rows_are(f, ROW("sas 0 configured trap"));
    assert_int_equal(policies_uninstall(f->p, "other", "net"), R_NOT_FOUND);
    assert_int_equal(policies_uninstall(f->p, NULL, "net"), E_OK);
    assert_int_equal(policies_uninstall(f->p, NULL, "net"), R_NOT_FOUND);
    rows_are(f, "");
    conn_unref(c);
}

/* A trap for a peer of unknown address cannot be: said with the key to set. start can wait. */
static void test_unresolvable(void **state)
{
    struct fixture *f = *state;
    struct io_error err = {""};
    struct conn *c = conn_of("gw { remote_addrs = peer.example\n local { auth = psk }\n"
                             "remote { auth = psk }\n children { net {\n"
                             "local_ts = 10.1.0.0/16\n start_action = trap } } }");
    assert_int_equal(policies_conn_load(f->p, c, &err), R_CONFIG_VALUE);
    assert_non_null(strstr(err.text, "gw.children.net"));
    assert_non_null(strstr(err.text, "remote_ts"));
    c->child[0].start_action = START_START;
    assert_int_equal(policies_conn_load(f->p, c, &err), E_OK);
    rows_are(f, "");
    conn_unref(c);
}

/* What an ended daemon leaves: nothing, and what a killed one left is taken over. */
static void test_kernel_is_cleaned(void **state)
{
    struct fixture *f = *state;
    lab_run("ip route add 10.99.0.0/16 dev culvert0 table %d", TABLE); /* of a killed one */
    assert_int_equal(load(f, CONN(NET("start_action = trap"))), E_OK);
    policies_close(f->p);
    f->p = NULL;
    assert_int_equal(lab_number("ip rule | grep -c 'lookup %d' || true", TABLE), 0);
    assert_int_equal(lab_number("nft list tables | grep -c culvert || true"), 0);
    assert_int_equal(lab_number("ip route show table %d 2>/dev/null | wc -l", TABLE), 0);
    lab_run("ip route add 10.99.0.0/16 dev culvert0 table %d", TABLE);
    f->p = open_policies(f);
    rows_are(f, "");
    routes_are(f, 0);
    assert_int_equal(lab_number("ip rule | grep -c 'not from all fwmark 0xdc lookup %d'", TABLE),
                     1);
    assert_int_equal(lab_number("nft list tables | grep -c 'inet culvert'"), 1);
}

/* --- thousands of tunnels --- */

enum { TUNNELS = 4000 };

/* Two of three have a network each, the others share one by fours; every fifth is a single host. */
static uint32_t storm_net(uint32_t i)
{
    uint32_t net = i % 3 ? i : i / 12;
    return 0x64000000u + (net << 8) + (i % 3 ? 0 : 1u << 24);
}

static uint32_t storm_sa(struct fixture *f, uint32_t i)
{
    struct child_sa sa = sa_of(i, "10.1.0.0/16", "100.0.0.0/24");
    put_u32(sa.remote_ts.ts[0].lo.ip, storm_net(i));
    put_u32(sa.remote_ts.ts[0].hi.ip, storm_net(i) + (i % 5 ? 255 : 0));
    uint32_t policy = policies_sa_add(f->p, &sa, NULL);
    assert_int_not_equal(policy, 0);
    return policy;
}

static void print_remote(FILE *out, uint32_t i)
{
    char a[ADDR_STR_MAX];
    uint8_t ip[4];
    put_u32(ip, storm_net(i));
    struct addr net = addr_v4(ip);
    fprintf(out, i % 5 ? "%s/24\n" : "%s\n", addr_str(&net, a));
}

static void expect(const uint32_t up[TUNNELS + 1], const char *file)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    for (uint32_t i = 1; i <= TUNNELS; i++)
        if (up[i])
            print_remote(out, i);
    fclose(out);
    lab_run("sort -u %s -o %s", file, file);
}

/* The kernel's table, and the guard's elements by the length of the prefix that their rule masks.
 */
static void compare_with_kernel(const char *want, const char *got)
{
    lab_run("ip route show table %d | awk '{print $1}' | sort -u >%s && cmp %s %s", TABLE, got,
            want, got);
    lab_run("nft -j list table inet culvert | python3 -c '\n"
            "import json, sys\n"
            "items = json.load(sys.stdin)[\"nftables\"]\n"
            "for s in (i[\"set\"] for i in items if \"set\" in i):\n"
            "    if s[\"name\"][0] != \"p\": continue\n"
            "    for e in s.get(\"elem\", []):\n"
            "        print(e[\"concat\"][0])\n"
            "' | sort -u >%s && sed 's,/24,,' %s | sort -u | cmp - %s",
            got, want, got);
}

/* up: the policies that they serve. */
static void flip(struct fixture *f, uint32_t up[TUNNELS + 1], uint32_t i)
{
    if (up[i])
        policies_sa_del(f->p, up[i]);
    up[i] = up[i] ? 0 : storm_sa(f, i);
}

/* They come and go by the hundred between two turns; in the end kernel and data plane have what the
 * tunnels that are left need, and nothing else. */
static void test_storm(void **state)
{
    struct fixture *f = *state;
    static uint32_t up[TUNNELS + 1];
    struct io_error err = {""};
    char want[] = "/tmp/policies_want_XXXXXX", got[] = "/tmp/policies_got_XXXXXX";
    uint64_t rnd = 17;
    assert_true(close(mkstemp(want)) == 0 && close(mkstemp(got)) == 0);
    memset(up, 0, sizeof up);
    for (int turn = 0; turn < 100; turn++) {
        for (int k = 0; k < 150; k++)
            flip(f, up, 1 + (uint32_t)(kit_rand(&rnd) % TUNNELS));
        if (turn == 50)
            lab_run("nft flush ruleset"); /* somebody else's doing: the next change mends it */
        if (turn == 60)
            lab_run("ip addr add 10.1.0.77/32 dev lo"); /* sources change: all is told anew */
        if (policies_apply(f->p, &err))
            fail_msg("%s", err.text);
        assert_false(policies_dirty(f->p));
    }
    expect(up, want);
    compare_with_kernel(want, got);
    assert_int_equal(lab_number("ip route show table %d | grep -vc 'src 10.1.0.77'; true", TABLE),
                     0);
    const struct ts local = kit_ts("10.1.0.5/32");
    for (uint32_t i = 1; i <= TUNNELS; i++) {
        struct ts remote = local;
        put_u32(remote.lo.ip, storm_net(i));
        remote.hi = remote.lo;
        if (up[i] || i % 3) /* what is shared is there for another */
            assert_int_equal(dp_policy_lookup(f->dp, &local, &remote) != 0, up[i] != 0);
    }
    for (uint32_t i = 1; i <= TUNNELS; i++)
        if (up[i])
            flip(f, up, i);
    assert_int_equal(policies_apply(f->p, &err), E_OK);
    expect(up, want);
    compare_with_kernel(want, got);
    unlink(want);
    unlink(got);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_configured),
                                       T(test_kept_and_released),
                                       T(test_dynamic_peer_is_not_kept),
                                       T(test_sa_outside_of_the_row),
                                       T(test_unload_under_an_sa),
                                       T(test_reload_replaces),
                                       T(test_install),
                                       T(test_unresolvable),
                                       T(test_kernel_is_cleaned),
                                       T(test_storm)};
    if (!lab_allowed())
        return LAB_SKIP;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
