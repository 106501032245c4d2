/*
 * A connection's section, of a file or of VICI's load-conn, into struct conn: the rows of the
 * schema, then what depends on more than one key: defaults that follow from others and checks for
 * sense. Called by load.c and the daemon's VICI commands.
 */
#include "config/schema.h"
#include "model/policy.h"
#include <stdlib.h>

static const char *const conn_sections[] = {"local", "remote", "children"};

static bool has_prefix(const char *s, const char *prefix)
{
    return !strncmp(s, prefix, strlen(prefix));
}

static uint64_t max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* --- children --- */

/*
 * swanctl.conf(5): life is rekey + 10 %, rand is what lies between. With life alone, rekey
 * follows from it, so that a shorter life does not need a second setting.
 */
static void fill_limits(const struct vnode *sec, const char *const key[3], uint64_t *rekey,
                        uint64_t *life, uint64_t *rnd)
{
    if (!has_key(sec, key[0]) && has_key(sec, key[1]))
        *rekey = *life - *life / 11;
    if (!has_key(sec, key[1]))
        *life = *rekey + *rekey / 10;
    if (!has_key(sec, key[2]))
        *rnd = *life > *rekey ? *life - *rekey : 0;
}

void limits_check(struct cx *cx, const struct vnode *sec, const char *const key[3], uint64_t rekey,
                  uint64_t life, uint64_t rnd)
{
    if (life && rekey > life)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, key[0]), vnode_get(sec, key[0]),
                  "%s lies behind %s; the SA would end before it is replaced", key[0], key[1]);
    if (rekey && rnd >= rekey)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, key[2]), vnode_get(sec, key[2]),
                  "%s must be smaller than %s", key[2], key[0]);
}

static void child_limits(struct cx *cx, const struct vnode *sec, struct conn_child *c)
{
    static const char *const times[] = {"rekey_time", "life_time", "rand_time"};
    static const char *const bytes[] = {"rekey_bytes", "life_bytes", "rand_bytes"};
    static const char *const packets[] = {"rekey_packets", "life_packets", "rand_packets"};
    struct lifetime *l = &c->life;
    fill_limits(sec, times, &l->rekey_s, &l->life_s, &c->rand_s);
    fill_limits(sec, bytes, &l->rekey_bytes, &l->life_bytes, &c->rand_bytes);
    fill_limits(sec, packets, &l->rekey_packets, &l->life_packets, &c->rand_packets);
    limits_check(cx, sec, times, l->rekey_s, l->life_s, c->rand_s);
    limits_check(cx, sec, bytes, l->rekey_bytes, l->life_bytes, c->rand_bytes);
    limits_check(cx, sec, packets, l->rekey_packets, l->life_packets, c->rand_packets);
}

/* Address families of a list: bit 0 IPv4, bit 1 IPv6, both for dynamic. */
static unsigned families(const struct ts_conf_list *l)
{
    unsigned f = 0;
    for (size_t i = 0; i < l->count; i++)
        f |= l->ts[i].dynamic ? 3 : l->ts[i].ts.lo.family == 4 ? 1 : 2;
    return f;
}

static bool all_dynamic(const struct ts_conf_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (!l->ts[i].dynamic)
            return false;
    return true;
}

static bool is_network(const struct ts_conf_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (!l->ts[i].dynamic && !addr_eq(&l->ts[i].ts.lo, &l->ts[i].ts.hi))
            return true;
    return false;
}

/* RFC 4301 4.1 */
static void check_transport(struct cx *cx, const struct vnode *sec, const struct conn_child *c)
{
    static const char *const keys[] = {"local_ts", "remote_ts"};
    const struct ts_conf_list *lists[] = {&c->local_ts, &c->remote_ts};
    for (size_t i = 0; i < 2 && c->mode == MODE_TRANSPORT; i++)
        if (is_network(lists[i]))
            cx_report(cx, DIAG_ERROR, key_or_section(sec, keys[i]), vnode_get(sec, keys[i]),
                      "transport mode joins the two peers themselves: leave %s away (dynamic), or "
                      "use mode = tunnel for networks",
                      keys[i]);
}

void beet_check(struct cx *cx, const struct vnode *sec, const struct ts_list *local,
                const struct ts_list *remote)
{
    static const char *const keys[] = {"local_ts", "remote_ts"};
    const struct ts_list *lists[] = {local, remote};
    for (size_t i = 0; i < 2; i++)
        if (lists[i]->count && !ts_list_host(lists[i]))
            cx_report(cx, DIAG_ERROR, key_or_section(sec, keys[i]), vnode_get(sec, keys[i]),
                      "BEET joins one address with one address, which its packets do not carry: "
                      "write one address in %s, or use mode = tunnel",
                      keys[i]);
}

/* What dynamic will be shows when it is negotiated. */
static void check_beet(struct cx *cx, const struct vnode *sec, const struct conn_child *c)
{
    struct ts_list l, r;
    if (c->mode != MODE_BEET)
        return;
    ts_resolve_in(&c->local_ts, NULL, 0, &l);
    ts_resolve_in(&c->remote_ts, NULL, 0, &r);
    beet_check(cx, sec, &l, &r);
    if (c->ipcomp)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "ipcomp"), vnode_get(sec, "ipcomp"),
                  "BEET without IPComp: strongSwan agrees on both, but Linux has no state for "
                  "that, and nothing would pass; leave one of them out");
}

/* Is one of them all of a family? */
static bool everything(const struct ts_conf_list *l, uint8_t family)
{
    for (size_t i = 0; i < l->count; i++)
        if (!l->ts[i].dynamic && l->ts[i].ts.lo.family == family &&
            policy_narrow(&l->ts[i].ts) == 0)
            return true;
    return false;
}

/* Without an interface it is policies that decide, for all that the gateway sends and forwards. */
static void warn_everything(struct cx *cx, const struct vnode *sec, const struct conn_child *c)
{
    bool all = false;
    for (unsigned family = 4; family <= 6; family += 2)
        all |=
            everything(&c->local_ts, (uint8_t)family) && everything(&c->remote_ts, (uint8_t)family);
    if (all && c->policy == CHILD_PROTECT && c->mode == MODE_TUNNEL && !c->iface.name[0])
        cx_report(cx, DIAG_WARNING, key_or_section(sec, "remote_ts"), vnode_get(sec, "remote_ts"),
                  "with the same as local_ts it takes all traffic, also the gateway's own and that "
                  "between its networks, which is dropped in clear: name networks, except some "
                  "with children of mode = pass, or write interface = NAME");
}

static void check_ts(struct cx *cx, const struct vnode *sec, const struct conn_child *c)
{
    if (!(families(&c->local_ts) & families(&c->remote_ts)))
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "remote_ts"), vnode_get(sec, "remote_ts"),
                  "local_ts and remote_ts have no address family in common");
    check_transport(cx, sec, c);
    check_beet(cx, sec, c);
    warn_everything(cx, sec, c);
    if (c->policy == CHILD_PROTECT && c->mode == MODE_TUNNEL && all_dynamic(&c->local_ts) &&
        all_dynamic(&c->remote_ts) && !has_key(sec, "local_ts") && !has_key(sec, "remote_ts"))
        cx_report(cx, DIAG_WARNING, sec, NULL,
                  "neither local_ts nor remote_ts is given: only traffic between the two gateways "
                  "themselves is protected");
}

void default_ts(struct ts_conf_list *l, bool routed, bool v1)
{
    static const char *const words[] = {"dynamic", "0.0.0.0/0", "::/0"};
    const char *why;
    if (l->count)
        return;
    for (size_t i = routed; i < (routed && !v1 ? 3u : 1u + routed); i++)
        if (ts_conf_parse(&l->ts[l->count], words[i], &why) == 0)
            l->count++;
}

static void default_proposals(struct cx *cx, enum proto proto, struct proposals *p,
                              bool *is_default)
{
    struct proposal_error err;
    *is_default = true;
    if (proposal_parse(proto, "default", p, &err))
        cx->d->nomem = true;
}

void dscp_check(struct cx *cx, const struct vnode *sec, const struct tunnel_rules *r)
{
    if (has_key(sec, "dscp") && (r->dscp == DSCP_OUT || r->dscp == DSCP_BOTH))
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "dscp"), vnode_get(sec, "dscp"),
                  "has no effect: the inner packet's DSCP is copied; set copy_dscp = no");
}

/* RFC 4301 4.3: IKEv2 has no bundles; and what IKEv2 would begin must not end with less. */
static void check_bundle(struct cx *cx, const struct vnode *sec, const struct conn *conn,
                         struct conn_child *c)
{
    c->bundle = has_key(sec, "esp_proposals") && has_key(sec, "ah_proposals");
    if (c->bundle && conn->version != 1)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "ah_proposals"),
                  vnode_get(sec, "ah_proposals"),
                  "AH around ESP, which both keys together ask for, is negotiated by IKEv1 alone "
                  "(RFC 4301 4.3): write version = 1, or take one of the two out");
}

/* RFC 8221 4: the third way to have both encryption and integrity, and the least */
static void warn_no_integrity(struct cx *cx, const struct vnode *sec, const struct conn_child *c)
{
    for (size_t i = 0; i < c->esp.count; i++) {
        const struct proposal *p = &c->esp.p[i];
        const struct alg *encr = proposal_alg(p, T_ENCR);
        if (encr && !encr->aead && !proposal_get(p, T_INTEG))
            cx_report(
                cx, DIAG_WARNING, key_or_section(sec, "esp_proposals"), encr->name,
                "%s leaves integrity to the AH around it, which RFC 8221 4 recommends against: "
                "add sha256",
                encr->name);
    }
}

static void child_from_tree(struct cx *cx, const struct vnode *sec, struct conn *conn)
{
    if (conn->child_count == CONN_CHILDREN_MAX) {
        cx_report(cx, DIAG_ERROR, sec, NULL, "more than %d children", CONN_CHILDREN_MAX);
        return;
    }
    struct conn_child *c = conn_child_add(conn, sec->name);
    if (!c) {
        cx->d->nomem = true;
        return;
    }
    size_t before = cx->d->errors;
    schema_apply(cx, SC_CHILD, sec, c);
    for (const struct vnode *n = sec->child; n; n = n->next)
        if (n->kind == VN_SECTION && !schema_find(SC_CHILD, n->name))
            cx_report(cx, DIAG_ERROR, n, n->name, "a child has no sections");
    if (cx->d->errors != before)
        return; /* what follows would only repeat it */
    default_ts(&c->local_ts, c->iface.name[0], conn->version == 1);
    default_ts(&c->remote_ts, c->iface.name[0], conn->version == 1);
    if (!has_key(sec, "esp_proposals") && !has_key(sec, "ah_proposals"))
        default_proposals(cx, PROTO_ESP, &c->esp, &c->esp_default);
    check_bundle(cx, sec, conn, c);
    warn_no_integrity(cx, sec, c);
    child_limits(cx, sec, c);
    check_ts(cx, sec, c);
    dscp_check(cx, sec, &c->ip);
    check_iface(cx, sec, c, (families(&c->local_ts) & families(&c->remote_ts) & 2) != 0);
}

static void children_from_tree(struct cx *cx, const struct vnode *sec, struct conn *conn)
{
    for (const struct vnode *n = sec->child; n; n = n->next) {
        if (n->kind != VN_SECTION)
            cx_report(cx, DIAG_ERROR, n, n->name, "expected a child's section: NAME { ... }");
        else if (vnode_find(sec, n->name) != n) /* a file's are merged; VICI may repeat a name */
            cx_report(cx, DIAG_ERROR, n, n->name, "a child of this name exists already");
        else
            child_from_tree(cx, n, conn);
    }
}

/* --- authentication rounds --- */

static void auth_from_tree(struct cx *cx, enum scope scope, const struct vnode *sec,
                           struct conn_auth *auth)
{
    auth->kind = AUTH_PUBKEY; /* swanctl.conf's default */
    schema_apply(cx, scope, sec, auth);
    for (const struct vnode *n = sec->child; n; n = n->next)
        if (n->kind == VN_SECTION && !schema_find(scope, n->name) && !cert_section(cx, n, auth))
            cx_report(cx, DIAG_ERROR, n, n->name, "unknown section; see culvert.conf(5)");
    auth_id_of_cert(cx, sec, auth, scope == SC_LOCAL);
}

static void round_from_tree(struct cx *cx, const struct vnode *sec, struct conn *conn,
                            unsigned rounds[2])
{
    bool remote = has_prefix(sec->name, "remote"), xauth = conn_is_xauth(sec);
    struct conn_auth *place = conn_xauth_place(cx, sec, conn, remote);
    if (!place)
        return;
    if (!xauth && ++rounds[remote] > 1) {
        cx_report(cx, DIAG_ERROR, sec, sec->name,
                  "one round of authentication only, and with IKEv1 one with auth = xauth");
        return;
    }
    auth_from_tree(cx, remote ? SC_REMOTE : SC_LOCAL, sec, place);
}

/* --- the connection --- */

/* Policies without a tunnel (pass, drop) stand in a connection that never authenticates. */
static bool needs_auth(const struct conn *c)
{
    for (size_t i = 0; i < c->child_count; i++)
        if (c->child[i].policy == CHILD_PROTECT)
            return true;
    return c->child_count == 0;
}

static void conn_sections_from_tree(struct cx *cx, const struct vnode *sec, struct conn *conn)
{
    unsigned rounds[2] = {0};
    for (const struct vnode *n = sec->child; n; n = n->next) {
        if (n->kind != VN_SECTION || schema_find(SC_CONN, n->name))
            continue;
        if (!strcmp(n->name, "children"))
            children_from_tree(cx, n, conn);
        else if (has_prefix(n->name, "local") || has_prefix(n->name, "remote"))
            round_from_tree(cx, n, conn, rounds);
        else
            cx_unknown_section(cx, n, conn_sections, 3);
    }
    conn_xauth_alone(cx, conn, rounds);
    for (unsigned remote = 0; remote < 2; remote++)
        if (!rounds[remote] && needs_auth(conn))
            cx_report(cx, DIAG_ERROR, sec, NULL,
                      "a section %s { auth = psk } or { auth = pubkey } is missing",
                      remote ? "remote" : "local");
}

static void conn_times(struct cx *cx, const struct vnode *sec, struct conn *c)
{
    if (has_key(sec, "reauth_time") && c->reauth_s && !has_key(sec, "rekey_time"))
        c->rekey_s = 0;
    uint64_t longer = max64(c->rekey_s, c->reauth_s);
    if (!has_key(sec, "over_time"))
        c->over_s = longer / 10;
    uint64_t shorter =
        !c->reauth_s || (c->rekey_s && c->rekey_s < c->reauth_s) ? c->rekey_s : c->reauth_s;
    if (!has_key(sec, "rand_time"))
        c->rand_s = c->over_s < shorter ? c->over_s : shorter / 2;
    if (c->rand_s &&
        ((c->rekey_s && c->rand_s >= c->rekey_s) || (c->reauth_s && c->rand_s >= c->reauth_s)))
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "rand_time"), vnode_get(sec, "rand_time"),
                  "rand_time must be smaller than rekey_time and reauth_time");
}

/* A single address or a name: something to send to. */
static bool has_target(const struct conn *c)
{
    for (size_t i = 0; i < c->remote_count; i++) {
        const struct addr_match *m = &c->remote[i];
        if (m->host || (m->lo.family && addr_eq(&m->lo, &m->hi)))
            return true;
    }
    return false;
}

static void check_children(struct cx *cx, const struct vnode *sec, const struct conn *c)
{
    const struct vnode *children = vnode_find(sec, "children");
    if (c->child_count == 0)
        cx_report(cx, DIAG_WARNING, sec, NULL, "no children { }: the connection protects nothing");
    for (size_t i = 0; i < c->child_count && !has_target(c); i++) {
        const struct vnode *ch = vnode_find(children, c->child[i].name);
        if (c->child[i].policy == CHILD_PROTECT && c->child[i].start_action && ch)
            cx_report(cx, DIAG_ERROR, key_or_section(ch, "start_action"),
                      vnode_get(ch, "start_action"),
                      "nobody to negotiate with: remote_addrs needs a single address or a name");
    }
}

static void mixed_addrs(struct cx *cx, const struct vnode *sec, const struct conn *c)
{
    unsigned l = 0, r = 0;
    for (size_t i = 0; i < c->local_count; i++)
        l |= c->local[i].lo.family == 4 ? 1 : c->local[i].lo.family == 6 ? 2 : 3;
    for (size_t i = 0; i < c->remote_count; i++)
        r |= c->remote[i].lo.family == 4 ? 1 : c->remote[i].lo.family == 6 ? 2 : 3;
    if (l && r && !(l & r))
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "remote_addrs"),
                  vnode_get(sec, "remote_addrs"),
                  "local_addrs and remote_addrs have no address family in common");
}

static void conn_finish(struct cx *cx, const struct vnode *sec, struct conn *c)
{
    conn_times(cx, sec, c);
    if (!has_key(sec, "proposals"))
        default_proposals(cx, PROTO_IKE, &c->ike, &c->ike_default);
    mixed_addrs(cx, sec, c);
    check_children(cx, sec, c);
    conn_v1_check(cx, sec, c);
    conn_xauth_check(cx, sec, c);
    if (c->local_count == 0) /* %any: one row without family */
        c->local_count = 1;
    if (c->remote_count == 0)
        c->remote_count = 1;
}

err_t config_conn_from_tree(const struct vnode *sec, struct conn **out, struct diag *d)
{
    struct cx cx = {d};
    size_t before = d->errors;
    *out = NULL;
    if (sec->kind != VN_SECTION || !sec->name) {
        cx_report(&cx, DIAG_ERROR, sec, sec->name, "expected a connection's section: NAME { ... }");
        return R_CONFIG_VALUE;
    }
    struct conn *c = conn_new(sec->name);
    if (!c)
        return E_NOMEM;
    schema_apply(&cx, SC_CONN, sec, c);
    conn_sections_from_tree(&cx, sec, c);
    if (d->errors == before)
        conn_finish(&cx, sec, c);
    if (d->errors == before && !d->nomem) {
        *out = c;
        return E_OK;
    }
    conn_unref(c);
    return d->nomem ? E_NOMEM : R_CONFIG_VALUE;
}
