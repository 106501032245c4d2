/*
 * Rules and routes that lead protected packets into the TUN device (see netlink.h). All of them
 * are in a table of our own, so what the operator has in "main" is never touched.
 */
#include "io/fail.h"
#include "io/netlink_state.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

enum { RULE_COPIES_MAX = 64, FLUSH_TRIES = 4 };

/* One of them: see netlink.h. */
struct rule {
    uint8_t action;
    uint32_t priority, target; /* a table, or a priority to go to */
    uint32_t mark, mask;
    bool inverted;
    const char *iif;
};

enum { RULES = 4 };

static void rules_of(const struct netlink_rules *r, struct rule out[RULES])
{
    const uint32_t p = r->priority, bits = r->clear | r->clear_tun;
    out[0] = (struct rule){FR_ACT_NOP, p + 1, 0, 0, 0, false, NULL};
    out[1] = (struct rule){FR_ACT_GOTO, p, p + 1, r->clear, bits, false, NULL};
    out[2] = (struct rule){FR_ACT_GOTO, p, p + 1, r->clear_tun, bits, false, r->tun};
    out[3] = (struct rule){FR_ACT_TO_TBL, p, r->table, r->mark, UINT32_MAX, true, NULL};
}

static int rule_change(struct netlink *n, uint16_t type, uint8_t family, const struct rule *r)
{
    struct fib_rule_hdr *rule;
    uint16_t flags = type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0;
    struct nlmsghdr *h = rtnl_begin(&n->rt, type, flags, sizeof *rule, (void **)&rule);

    rule->family = rtnl_af(family);
    rule->action = r->action;
    rule->flags = r->inverted ? FIB_RULE_INVERT : 0;
    mnl_attr_put_u32(h, FRA_PRIORITY, r->priority);
    if (r->action == FR_ACT_GOTO)
        mnl_attr_put_u32(h, FRA_GOTO, r->target);
    if (r->action == FR_ACT_TO_TBL) {
        rule->table = r->target < 256 ? (uint8_t)r->target : RT_TABLE_UNSPEC;
        mnl_attr_put_u32(h, FRA_TABLE, r->target);
    }
    if (r->mask) {
        mnl_attr_put_u32(h, FRA_FWMARK, r->mark);
        mnl_attr_put_u32(h, FRA_FWMASK, r->mask);
    }
    if (r->iif)
        mnl_attr_put_strz(h, FRA_IIFNAME, r->iif);
    return rtnl_talk(&n->rt, h, NULL, NULL);
}

static bool family_missing(int e)
{
    return e == -EAFNOSUPPORT || e == -EOPNOTSUPP || e == -EPFNOSUPPORT;
}

/* Only a strict rp_filter needs it; where /proc is read-only the operator has to set it. */
static void accept_marks_in_rp_filter(void)
{
    int fd = open("/proc/sys/net/ipv4/conf/all/src_valid_mark", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!write(fd, "1", 1);
    close(fd);
}

static int family_add(struct netlink *n, uint8_t family, const struct rule rule[RULES])
{
    int e = 0;
    for (size_t i = 0; i < RULES && !e; i++)
        e = rule_change(n, RTM_NEWRULE, family, &rule[i]);
    return e;
}

err_t netlink_rules_add(struct netlink *n, const struct netlink_rules *r, struct io_error *err)
{
    struct rule rule[RULES];
    if (r->mark == 0)
        return E_USAGE;
    rules_of(r, rule);
    netlink_rules_del(n, r); /* their order counts */
    for (uint8_t family = 4; family <= 6; family += 2) {
        int e = family_add(n, family, rule);
        if (e == 0 || (family == 6 && family_missing(e)))
            continue;
        return io_fail(err, -e, io_hint_perm(-e, HINT_NET_ADMIN),
                       "cannot add IPv%u rule \"not fwmark 0x%x lookup %u\"", family, r->mark,
                       r->table);
    }
    accept_marks_in_rp_filter();
    return 0;
}

void netlink_rules_del(struct netlink *n, const struct netlink_rules *r)
{
    struct rule rule[RULES];
    rules_of(r, rule);
    for (uint8_t family = 4; family <= 6; family += 2)
        for (size_t k = RULES; k-- > 0;)
            for (int i = 0; i < RULE_COPIES_MAX; i++)
                if (rule_change(n, RTM_DELRULE, family, &rule[k]) < 0)
                    break;
}

static void put_route(struct nlmsghdr *h, struct rtmsg *rt, uint32_t table,
                      const struct netlink_route *r)
{
    struct addr prefix, hi; /* the kernel refuses host bits */
    addr_prefix_range(&r->prefix, r->bits, &prefix, &hi);
    rt->rtm_family = rtnl_af(prefix.family);
    rt->rtm_dst_len = (uint8_t)r->bits;
    rt->rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
    rt->rtm_protocol = NETLINK_PROTO;
    rt->rtm_type = r->black_hole ? RTN_BLACKHOLE : r->ifindex ? RTN_UNICAST : RTN_THROW;
    rt->rtm_scope = r->gone ? RT_SCOPE_NOWHERE : r->ifindex ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    mnl_attr_put_u32(h, RTA_TABLE, table);
    if (r->bits)
        rtnl_put_addr(h, RTA_DST, &prefix);
    if (r->ifindex)
        mnl_attr_put_u32(h, RTA_OIF, (uint32_t)r->ifindex);
    if (r->metric)
        mnl_attr_put_u32(h, RTA_PRIORITY, r->metric);
    if (r->src.family && !r->gone)
        rtnl_put_addr(h, RTA_PREFSRC, &r->src);
}

static const char *route_hint(int e, const struct netlink_route *r)
{
    if (e == -EPERM)
        return HINT_NET_ADMIN;
    if (e == -EINVAL && r->src.family)
        return "is the source address one of this host's?";
    if (e == -ENETDOWN || e == -ENODEV)
        return "the interface is down or gone";
    if (family_missing(e))
        return "IPv6 is switched off on this machine";
    return NULL;
}

struct changes {
    const struct netlink_route *r; /* of this batch */
    uint32_t table;
    struct io_error *err;
    err_t e; /* of the first that failed */
};

static void change_failed(void *ctx, size_t number, int e)
{
    struct changes *c = ctx;
    const struct netlink_route *r = &c->r[number];
    char prefix[ADDR_STR_MAX], name[IF_NAMESIZE] = "";
    /* ENODEV: with the TUN device its routes went too. */
    if (c->e || (r->gone && (e == -ESRCH || e == -ENOENT || e == -ENODEV)))
        return;
    if (r->ifindex)
        if_indextoname((unsigned)r->ifindex, name);
    c->e = io_fail(c->err, -e, route_hint(e, r), "cannot %s route %s/%u %s%s table %u",
                   r->gone ? "remove" : "add", addr_str(&r->prefix, prefix), r->bits,
                   r->ifindex      ? "dev "
                   : r->black_hole ? "blackhole"
                                   : "throw",
                   name, c->table);
}

static struct nlmsghdr *next_change(struct rtnl_batch *b, const struct netlink_route *r,
                                    struct rtmsg **rt)
{
    if (r->gone)
        return rtnl_next(b, RTM_DELROUTE, 0, sizeof **rt, (void **)rt);
    return rtnl_next(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof **rt, (void **)rt);
}

/* As many as fit one batch. */
static size_t change_some(struct netlink *n, struct changes *c, size_t count)
{
    struct rtnl_batch b = {.r = &n->rt};
    struct rtmsg *rt;
    struct nlmsghdr *h;
    size_t i = 0;
    for (; i < count && (h = next_change(&b, &c->r[i], &rt)); i++)
        put_route(h, rt, c->table, &c->r[i]);
    int e = rtnl_flush(&b, change_failed, c);
    if (e && !c->e)
        c->e = io_fail(c->err, -e, NULL, "cannot change routes of table %u", c->table);
    return i;
}

err_t netlink_routes_change(struct netlink *n, uint32_t table, const struct netlink_route *r,
                            size_t count, struct io_error *err)
{
    struct changes c = {.r = r, .table = table, .err = err};
    for (size_t done = 0; done < count; c.r = r + done)
        done += change_some(n, &c, count - done);
    return c.e;
}

struct flush {
    uint32_t table;
    struct buf rows; /* whole messages, ready to be sent back as deletions */
};

static int on_flush_row(const struct nlmsghdr *h, void *data)
{
    struct flush *f = data;
    const struct rtmsg *rt = mnl_nlmsg_get_payload(h);

    if (h->nlmsg_type != RTM_NEWROUTE || (rt->rtm_flags & RTM_F_CLONED))
        return MNL_CB_OK;
    const struct nlattr *a = rtnl_attr(h, sizeof *rt, RTA_TABLE);
    uint32_t table = a && mnl_attr_get_payload_len(a) == 4 ? mnl_attr_get_u32(a) : rt->rtm_table;
    if (table == f->table && (table != RT_TABLE_MAIN || rt->rtm_protocol == NETLINK_PROTO))
        buf_add(&f->rows, h, NLMSG_ALIGN(h->nlmsg_len));
    return MNL_CB_OK;
}

static void delete_rows(struct netlink *n, struct buf *rows)
{
    int left = (int)rows->n;
    struct nlmsghdr *h = (void *)rows->s;
    while (h && mnl_nlmsg_ok(h, left)) {
        struct nlmsghdr *next = mnl_nlmsg_next(h, &left);
        h->nlmsg_type = RTM_DELROUTE;
        h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        (void)!rtnl_talk(&n->rt, h, NULL, NULL);
        h = next;
    }
}

/* False: the table changed while it was read, so read again. */
static bool flush_family(struct netlink *n, uint32_t table, uint8_t family)
{
    struct flush f = {.table = table};
    struct rtmsg *rt;
    struct nlmsghdr *h = rtnl_begin(&n->rt, RTM_GETROUTE, NLM_F_DUMP, sizeof *rt, (void **)&rt);

    rt->rtm_family = rtnl_af(family);
    mnl_attr_put_u32(h, RTA_TABLE, table);
    int e = rtnl_talk(&n->rt, h, on_flush_row, &f);
    if (!f.rows.err)
        delete_rows(n, &f.rows);
    buf_free(&f.rows);
    return e != -EINTR;
}

void netlink_table_flush(struct netlink *n, uint32_t table)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        for (int i = 0; i < FLUSH_TRIES; i++) {
            if (flush_family(n, table, family))
                break;
        }
    }
}
