/* Virtual addresses of an SA and its selectors: see vip.h. vip_give.c has the other side. */
#include "ike/vip.h"
#include <stdlib.h>

static struct sa_vips *vips_get(struct ike *e, struct ike_sa *sa)
{
    if (!sa->vips && !(sa->vips = calloc(1, sizeof *sa->vips)))
        ike_fail(e, E_NOMEM);
    return sa->vips;
}

static void ours_act(struct ike *e, enum ike_act_kind kind, const struct addr *a)
{
    ike_act_add(e, kind)->local.addr = *a;
}

void vip_fini(struct ike *e, struct ike_sa *sa)
{
    struct sa_vips *v = sa->vips;
    sa->vips = NULL;
    if (!v)
        return;
    for (size_t i = 0; i < v->our_count; i++)
        ours_act(e, ACT_VIP_DEL, &v->our[i]);
    for (size_t i = 0; i < v->their_count; i++)
        lease_put(v->their[i]);
    free(v->include);
    free(v->user);
    free(v);
}

bool vip_user_set(struct ike *e, struct ike_sa *sa, const struct id *user)
{
    struct sa_vips *v = vips_get(e, sa);
    struct id *copy = v ? malloc(sizeof *copy) : NULL;
    if (!copy) {
        ike_fail(e, E_NOMEM);
        return false;
    }
    *copy = *user;
    free(v->user);
    v->user = copy;
    return true;
}

const struct id *vip_user(const struct ike_sa *sa)
{
    return sa->vips ? sa->vips->user : NULL;
}

/* --- selectors --- */

static struct ts host_ts(const struct addr *a)
{
    return (struct ts){.port_hi = 65535, .lo = *a, .hi = *a};
}

void vip_local_ts(const struct ike_sa *sa, const struct conn_child *cc, struct ts_list *out)
{
    struct ts dyn[CONN_VIPS_MAX] = {host_ts(&sa->local.addr)};
    size_t n = sa->vips ? sa->vips->our_count : 0;
    for (size_t i = 0; i < n; i++)
        dyn[i] = host_ts(&sa->vips->our[i]);
    ts_resolve_in(&cc->local_ts, dyn, n ? n : 1, out);
}

void vip_remote_ts(const struct ike_sa *sa, const struct conn_child *cc, struct ts_list *out)
{
    struct ts dyn[CONN_VIPS_MAX] = {host_ts(&sa->remote.addr)};
    bool pools = sa->conn && sa->conn->pool_count; /* then an address of these and no other */
    size_t n = sa->vips ? sa->vips->their_count : 0;
    for (size_t i = 0; i < n; i++) {
        const struct addr a = lease_addr(sa->vips->their[i]);
        dyn[i] = host_ts(&a);
    }
    ts_resolve_in(&cc->remote_ts, dyn, n || pools ? n : 1, out);
}

bool vip_include_ts(const struct ike_sa *sa, const struct ts_list *remote, struct ts_list *out)
{
    return sa->vips && sa->vips->include && sa->vips->include->count &&
           !ts_narrow(remote, sa->vips->include, out);
}

void vip_offer_ts(const struct ike_sa *sa, const struct conn_child *cc, struct ts_list *out)
{
    const struct conn *c = sa->conn;
    struct ts dyn[CONN_VIPS_MAX];
    if (!c->vip_count || (sa->vips && sa->vips->our_count)) {
        vip_local_ts(sa, cc, out);
        return;
    }
    for (size_t i = 0; i < c->vip_count; i++) {
        dyn[i] = (struct ts){.port_hi = 65535};
        addr_prefix_range(&c->vip[i], 0, &dyn[i].lo, &dyn[i].hi);
    }
    ts_resolve_in(&cc->local_ts, dyn, c->vip_count, out);
}

/* --- asking --- */

/* The address that we had before is asked for again: a renewed SA shall not move us. */
static struct addr asked_for(const struct ike_sa *sa, size_t i)
{
    const struct addr *conf = &sa->conn->vip[i];
    const struct conn_entry *ce = sa->entry;
    if (!addr_any(conf) || !ce)
        return *conf;
    list_each (it, (struct list *)&ce->sas) {
        const struct ike_sa *o = container_of(it, struct ike_sa, of_conn);
        if (o != sa && o->vips && i < o->vips->our_count && o->initiator == sa->initiator &&
            o->vips->our[i].family == conf->family)
            return o->vips->our[i];
    }
    return *conf;
}

static struct bytes addr_value(struct ike *e, const struct addr *a)
{
    uint8_t *p = addr_any(a) ? NULL : ike_alloc(e, 17);
    if (!p)
        return bytes_of(NULL, 0);
    memcpy(p, a->ip, addr_len(a));
    p[16] = 128; /* RFC 7296 3.15.1: the prefix length of an IPv6 address */
    return bytes_of(p, a->family == 4 ? 4 : 17);
}

void vip_ask(struct ike *e, const struct ike_sa *sa, bool v1, struct cfg_body *out)
{
    static const uint16_t more4[] = {CFG_IP4_NETMASK, CFG_IP4_DNS, CFG_IP4_NBNS, CFG_IP4_SUBNET};
    static const uint16_t more6[] = {CFG_IP6_DNS, CFG_IP6_SUBNET};
    static const uint16_t unity[] = {CFG_UNITY_BANNER, CFG_UNITY_SAVE_PASSWD, CFG_UNITY_DEF_DOMAIN,
                                     CFG_UNITY_SPLIT_INCLUDE, CFG_UNITY_LOCAL_LAN};
    const struct bytes none = bytes_of(NULL, 0);
    bool v4 = false, v6 = false;
    for (size_t i = 0; i < sa->conn->vip_count; i++) {
        struct addr a = asked_for(sa, i);
        v4 |= a.family == 4;
        v6 |= a.family == 6;
        cfg_add(out, a.family == 4 ? CFG_IP4_ADDRESS : CFG_IP6_ADDRESS, addr_value(e, &a));
    }
    for (size_t i = 0; v4 && i < sizeof more4 / sizeof *more4; i++)
        cfg_add(out, more4[i], none);
    for (size_t i = 0; v6 && i < sizeof more6 / sizeof *more6; i++)
        cfg_add(out, more6[i], none);
    for (size_t i = 0; v1 && i < sizeof unity / sizeof *unity; i++)
        cfg_add(out, unity[i], none);
}

/* --- taking --- */

static void take_addr(struct ike *e, struct sa_vips *v, const struct cfg_attr *a)
{
    struct addr got;
    if (!cfg_addr(a, &got) || addr_any(&got) || v->our_count == CONN_VIPS_MAX)
        return;
    for (size_t i = 0; i < v->our_count; i++)
        if (addr_eq(&v->our[i], &got))
            return;
    v->our[v->our_count++] = got;
    ours_act(e, ACT_VIP_ADD, &got);
}

static void take_dns(struct sa_vips *v, const struct cfg_attr *a)
{
    struct addr got;
    if (cfg_addr(a, &got) && !addr_any(&got) && v->dns_count < VIP_DNS_MAX)
        v->dns[v->dns_count++] = got;
}

static void take_include(struct ike *e, struct sa_vips *v, const struct cfg_attr *a)
{
    if (!v->include && !(v->include = calloc(1, sizeof *v->include)))
        ike_fail(e, E_NOMEM);
    else
        cfg_networks(a, v->include);
}

static void take_one(struct ike *e, struct sa_vips *v, const struct cfg_attr *a)
{
    switch (a->type) {
    case CFG_IP4_ADDRESS:
    case CFG_IP6_ADDRESS:
        take_addr(e, v, a);
        break;
    case CFG_IP4_DNS:
    case CFG_IP6_DNS:
        take_dns(v, a);
        break;
    case CFG_UNITY_SPLIT_INCLUDE:
        take_include(e, v, a);
        break;
    default:
        break;
    }
}

/* A peer's text on its way to logs and screens. */
static void say_text(struct buf *b, struct bytes v)
{
    buf_puts(b, " \"");
    for (size_t i = 0; i < v.n && i < 200; i++)
        buf_printf(b, "%c", v.p[i] >= ' ' && v.p[i] < 127 && v.p[i] != '"' ? v.p[i] : '.');
    buf_puts(b, "\"");
}

static void say_addr(struct buf *b, const struct cfg_attr *a)
{
    char s[ADDR_STR_MAX];
    struct addr got;
    if (cfg_addr(a, &got))
        buf_printf(b, " %s", addr_str(&got, s));
}

static void say_networks(struct buf *b, const struct cfg_attr *a)
{
    struct ts_list *l = calloc(1, sizeof *l);
    if (!l)
        return;
    cfg_networks(a, l);
    buf_puts(b, " ");
    ts_list_print(l, b);
    free(l);
}

/* Name and value of each attribute that was given, for events. */
static void say_attr(struct buf *b, const struct cfg_attr *a)
{
    const char *name = cfg_attr_name(a->type);
    uint16_t number;
    if (name)
        buf_printf(b, "%s%s", b->n ? ", " : "", name);
    else
        buf_printf(b, "%sattribute %u", b->n ? ", " : "", a->type);
    if (a->type == CFG_UNITY_SPLIT_INCLUDE || a->type == CFG_UNITY_LOCAL_LAN ||
        a->type == CFG_IP4_SUBNET || a->type == CFG_IP6_SUBNET)
        say_networks(b, a);
    else if (a->type <= CFG_IP6_DHCP && a->type != CFG_APPLICATION_VERSION &&
             a->type != CFG_ADDRESS_EXPIRY)
        say_addr(b, a);
    else if (a->type == CFG_UNITY_SAVE_PASSWD && cfg_u16(a, &number))
        buf_puts(b, number ? " yes" : " no");
    else
        say_text(b, a->value);
}

static err_t no_address(struct ike *e, struct ike_sa *sa)
{
    struct refusal r = {
        .reason = R_NO_VIP,
        .what = "vips",
        .ours = "an address was asked for",
        .theirs = "none was given",
        .hint = "the peer's log says why: its pool may be missing or have no address left",
        .clause = sa->ver->major == 1 ? "draft-dukes-ike-mode-cfg 3.3" : "RFC 7296 3.15.4",
    };
    ike_peer_refused(e, sa, &r);
    return r.reason;
}

err_t vip_take(struct ike *e, struct ike_sa *sa, const struct cfg_body *b)
{
    struct buf said = {0};
    struct sa_vips *v = vips_get(e, sa);
    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i < b->count; i++) {
        take_one(e, v, &b->attr[i]);
        say_attr(&said, &b->attr[i]);
    }
    if (!v->our_count) {
        buf_free(&said);
        return no_address(e, sa);
    }
    char s[ADDR_STR_MAX];
    struct event *ev = ike_event(e, EV_VIP_TAKEN, sa, NULL);
    ev->ours = ike_str(e, addr_str(&v->our[0], s));
    ev->text = ike_str_buf(e, &said);
    return E_OK;
}
