/* Virtual addresses for peers, out of the connection's pools: see vip.h. */
#include "ike/vip.h"
#include <stdlib.h>

static const struct id *lease_id(const struct ike_sa *sa, struct id *scratch)
{
    if (vip_user(sa))
        return vip_user(sa);
    id_pair_get(sa->ids, NULL, scratch);
    return scratch;
}

static struct lease *held(const struct sa_vips *v, uint8_t family)
{
    for (size_t i = 0; v && i < v->their_count; i++)
        if (v->their[i]->pool->conf->base.family == family)
            return v->their[i];
    return NULL;
}

/* What the same peer has by the SA that this one renews: it shall not move. */
static struct addr former(struct ike *e, const struct ike_sa *sa, const struct addr *wanted)
{
    if (!addr_any(wanted))
        return *wanted;
    for (struct ike_sa *o = NULL; (o = sa_peer_next(e, sa, o));) {
        const struct lease *l = held(o->vips, wanted->family);
        if (l && addr_eq(&o->remote.addr, &sa->remote.addr))
            return lease_addr(l);
    }
    return *wanted;
}

/* The first pool of the connection that has one; asking again gives the same. */
static struct lease *assign(struct ike *e, struct ike_sa *sa, const struct addr *asked)
{
    struct id scratch;
    struct addr best = former(e, sa, asked), *wanted = &best;
    struct lease *l = held(sa->vips, wanted->family);
    const struct id *who = lease_id(sa, &scratch);
    if (l)
        return l;
    if (!sa->vips && !(sa->vips = calloc(1, sizeof *sa->vips)))
        ike_fail(e, E_NOMEM);
    if (!sa->vips || sa->vips->their_count == CONN_VIPS_MAX)
        return NULL;
    for (size_t i = 0; !l && i < sa->conn->pool_count; i++) {
        struct lease_pool *p = pool_find(e, sa->conn->pool[i]);
        if (p && p->conf->base.family == wanted->family)
            l = lease_get(e, p, who, wanted);
    }
    if (l)
        sa->vips->their[sa->vips->their_count++] = l;
    return l;
}

static const char *pools_str(struct ike *e, const struct ike_sa *sa)
{
    struct buf b = {0};
    if (!sa->conn->pool_count)
        buf_puts(&b, "no pools");
    for (size_t i = 0; i < sa->conn->pool_count; i++) {
        const char *name = sa->conn->pool[i];
        const struct lease_pool *p = pool_find(e, name);
        buf_printf(&b, "%spool %s ", i ? ", " : "", name);
        if (p)
            buf_printf(&b, "of %u addresses, %zu in use", p->conf->size, p->online);
        else
            buf_puts(&b, "is not loaded");
    }
    return ike_str_buf(e, &b);
}

static err_t no_address(struct ike *e, struct ike_sa *sa, const struct addr *wanted)
{
    struct id scratch;
    char s[ADDR_STR_MAX];
    struct refusal r = {
        .reason = R_POOL_EMPTY,
        .what = "pools",
        .ours = pools_str(e, sa),
        .theirs =
            ike_strf(e, "%s asks for %s", ike_str_id(e, lease_id(sa, &scratch)),
                     addr_any(wanted) ? wanted->family == 4 ? "an IPv4 address" : "an IPv6 address"
                                      : addr_str(wanted, s)),
        .hint = sa->conn->pool_count
                    ? ike_strf(e, "load or enlarge a pool of connections.%s.pools", sa->conn->name)
                    : ike_strf(e, "set connections.%s.pools", sa->conn->name),
        .clause = sa->ver->major == 1 ? "draft-dukes-ike-mode-cfg 3.3" : "RFC 7296 3.15.4",
    };
    ike_refused(e, sa, &r);
    return r.reason;
}

static void put_addr(struct ike *e, const struct lease *l, struct cfg_body *out)
{
    const struct addr a = lease_addr(l);
    uint8_t *p = ike_alloc(e, 17);
    if (!p)
        return;
    memcpy(p, a.ip, addr_len(&a));
    p[16] = 128;
    if (a.family == 4)
        cfg_add(out, CFG_IP4_ADDRESS, bytes_of(p, 4));
    else
        cfg_add(out, CFG_IP6_ADDRESS, bytes_of(p, 17));
}

static void say_given(struct ike *e, struct ike_sa *sa, const struct lease *l)
{
    char s[ADDR_STR_MAX];
    struct id scratch;
    const struct addr a = lease_addr(l);
    struct event *ev = ike_event(e, EV_VIP_GIVEN, sa, NULL);
    ev->theirs = ike_str_id(e, lease_id(sa, &scratch));
    ev->text = ike_strf(e, "%s of pool %s", addr_str(&a, s), l->pool->conf->name);
}

static err_t give_addr(struct ike *e, struct ike_sa *sa, const struct addr *wanted,
                       struct cfg_body *out)
{
    size_t before = sa->vips ? sa->vips->their_count : 0;
    struct lease *l = assign(e, sa, wanted);
    if (!l)
        return no_address(e, sa, wanted);
    put_addr(e, l, out);
    if (sa->vips->their_count != before)
        say_given(e, sa, l);
    return E_OK;
}

/* --- attributes --- */

/* Cisco's are told to who speaks of Unity or asks for them, the others to everybody. */
static bool is_wanted(const struct cfg_body *request, bool unity, uint16_t type)
{
    return type < CFG_UNITY_BANNER || unity || (request && cfg_find(request, type));
}

static void put_attrs(struct ike *e, const struct addr_pool *p, const struct cfg_body *request,
                      bool unity, struct cfg_body *out)
{
    for (size_t i = 0; i < p->attr_count; i++) {
        struct bytes value = bytes_of(p->attr[i].value, p->attr[i].len);
        if (is_wanted(request, unity, p->attr[i].type))
            cfg_add(out, p->attr[i].type, arena_copy(&e->out->arena, value));
    }
}

static void put_all_attrs(struct ike *e, const struct ike_sa *sa, const struct cfg_body *request,
                          bool unity, struct cfg_body *out)
{
    static const char version[] = "culvert " CULVERT_VERSION;
    for (size_t i = 0; i < sa->conn->pool_count; i++) {
        const struct lease_pool *p = pool_find(e, sa->conn->pool[i]);
        if (p)
            put_attrs(e, p->conf, request, unity, out);
    }
    if (request && cfg_find(request, CFG_APPLICATION_VERSION))
        cfg_add(out, CFG_APPLICATION_VERSION, bytes_of(version, sizeof version - 1));
}

/* --- all of it --- */

static err_t as_asked(struct ike *e, struct ike_sa *sa, const struct cfg_body *request,
                      struct cfg_body *out)
{
    err_t err = E_OK;
    bool seen[2] = {false, false}; /* one of each family */
    bool any = false;
    for (size_t i = 0; i < request->count && err >= 0; i++) {
        const struct cfg_attr *a = &request->attr[i];
        struct addr wanted;
        bool v6 = a->type == CFG_IP6_ADDRESS;
        if ((!v6 && a->type != CFG_IP4_ADDRESS) || seen[v6] || !cfg_addr(a, &wanted))
            continue;
        seen[v6] = true;
        err_t one = give_addr(e, sa, &wanted, out);
        any |= one == E_OK;
        err = one ? one : err;
    }
    return any && err > 0 ? E_OK : err; /* one family is better than none */
}

/* One address of each family that the pools have. */
static err_t unasked(struct ike *e, struct ike_sa *sa, struct cfg_body *out)
{
    err_t err = E_OK;
    bool any = false;
    for (uint8_t family = 4; family <= 6 && !err; family += 2) {
        const struct addr wanted = {.family = family};
        bool there = false;
        for (size_t i = 0; i < sa->conn->pool_count; i++) {
            const struct lease_pool *p = pool_find(e, sa->conn->pool[i]);
            there |= p && p->conf->base.family == family;
        }
        any |= there;
        if (there)
            err = give_addr(e, sa, &wanted, out);
    }
    return any ? err : no_address(e, sa, &(struct addr){.family = 4});
}

err_t vip_give(struct ike *e, struct ike_sa *sa, const struct cfg_body *request, bool unity,
               struct cfg_body *out)
{
    err_t err = request ? as_asked(e, sa, request, out) : unasked(e, sa, out);
    if (!err)
        put_all_attrs(e, sa, request, unity, out);
    return err;
}
