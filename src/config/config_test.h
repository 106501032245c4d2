/* What the room's tests share: reading text, flat dumps of trees and connections to compare. */
#pragma once

#include "config/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
// cmocka wants the four above first
#include <cmocka.h>

static inline struct bytes text_bytes(const char *s)
{
    return bytes_of(s, strlen(s));
}

/* "a.b=c|a.d=e|": values in order, empty sections as "a.x{}|". */
static inline void tree_dump(const struct vnode *n, const char *prefix, struct buf *out)
{
    for (const struct vnode *c = n->child; c; c = c->next) {
        struct buf path = {0};
        buf_printf(&path, "%s%s%s", prefix, *prefix ? "." : "", c->name);
        if (c->kind == VN_VALUE)
            buf_printf(out, "%s=%s|", buf_str(&path), c->value);
        else if (!c->child)
            buf_printf(out, "%s{}|", buf_str(&path));
        else
            tree_dump(c, buf_str(&path), out);
        buf_free(&path);
    }
}

static inline void dump_addrs(const struct addr_match *m, size_t n, struct buf *out)
{
    char lo[ADDR_STR_MAX], hi[ADDR_STR_MAX];
    for (size_t i = 0; i < n; i++)
        buf_printf(out, " %s", m[i].host ? m[i].host : addr_str(&m[i].lo, lo)),
            buf_printf(out, "-%s", addr_str(&m[i].hi, hi));
}

static inline void dump_ts(const struct ts_conf_list *l, struct buf *out)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct ts *t = &l->ts[i].ts;
        char lo[ADDR_STR_MAX], hi[ADDR_STR_MAX];
        buf_printf(out, " %s %s-%s %u %u-%u", l->ts[i].dynamic ? "dynamic" : "",
                   addr_str(&t->lo, lo), addr_str(&t->hi, hi), t->proto, t->port_lo, t->port_hi);
    }
}

static inline void dump_child(const struct conn_child *c, struct buf *out)
{
    buf_printf(out, "\nchild %s %d %d start %u dpd %d close %u replay %u prio %u esp %d ", c->name,
               (int)c->policy, (int)c->mode, c->start_action, (int)c->dpd_action, c->close_action,
               c->replay_window, c->priority, c->esp_default);
    proposals_print(&c->esp, out);
    dump_ts(&c->local_ts, out);
    buf_puts(out, " ===");
    dump_ts(&c->remote_ts, out);
    const unsigned long long v[] = {c->life.rekey_s,       c->life.life_s,       c->rand_s,
                                    c->life.rekey_bytes,   c->life.life_bytes,   c->rand_bytes,
                                    c->life.rekey_packets, c->life.life_packets, c->rand_packets};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        buf_printf(out, " %llu", v[i]);
    if (c->iface.name[0]) {
        char a[ADDR_STR_MAX];
        buf_printf(out, " if %s %u", c->iface.name, c->iface.mtu);
        for (size_t i = 0; i < c->iface.addr_count; i++)
            buf_printf(out, " %s/%u", addr_str(&c->iface.addr[i].addr, a), c->iface.addr[i].bits);
        buf_puts(out, c->iface.routes ? " routes" : "");
    }
    if (c->ip.dscp_value)
        buf_printf(out, " set %u", c->ip.dscp_value);
    buf_printf(out, " dscp %u ecn %u df %u frag %u mtu %u mss %u idle %llu", c->ip.dscp, c->ip.ecn,
               c->ip.df, c->ip.fragment, c->ip.mtu, c->ip.mss, (unsigned long long)c->inactivity_s);
}

/* What only connections of travellers have. */
static inline void dump_travel(const struct conn *c, struct buf *out)
{
    char a[ADDR_STR_MAX];
    const struct conn_auth *const x[] = {c->xauth_local, c->xauth_remote};
    for (size_t i = 0; i < c->vip_count; i++)
        buf_printf(out, " vip %s", addr_str(&c->vip[i], a));
    for (size_t i = 0; i < c->pool_count; i++)
        buf_printf(out, " pool %s", c->pool[i]);
    for (int i = 0; i < 2; i++)
        if (x[i])
            buf_printf(out, " xauth %s %s", i ? "remote" : "local",
                       x[i]->xauth_id ? x[i]->xauth_id : "-");
    if (!c->pull)
        buf_puts(out, " push");
}

/* Everything that was configured, as text. */
static inline void conn_dump(const struct conn *c, struct buf *out)
{
    buf_printf(out, "%s v%u ports %u %u local", c->name, c->version, c->local_port, c->remote_port);
    dump_addrs(c->local, c->local_count, out);
    buf_puts(out, " remote");
    dump_addrs(c->remote, c->remote_count, out);
    buf_printf(out, " ike %d ", c->ike_default);
    proposals_print(&c->ike, out);
    buf_printf(out, " encap %d mobike %d frag %d", c->encap, c->mobike, c->fragmentation);
    const unsigned long long v[] = {
        c->dpd_delay_s, c->dpd_timeout_s, c->rekey_s,     c->reauth_s,
        c->over_s,      c->rand_s,        c->keyingtries, (unsigned long long)c->unique};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        buf_printf(out, " %llu", v[i]);
    for (int i = 0; i < 2; i++) {
        const struct conn_auth *a = i ? &c->auth_remote : &c->auth_local;
        buf_printf(out, " auth %d %s ", (int)a->kind, a->id_text ? a->id_text : "-");
        id_print(&a->id, out);
    }
    dump_travel(c, out);
    for (size_t i = 0; i < c->child_count; i++)
        dump_child(&c->child[i], out);
}

/* The first report of the level must be the one expected; NULL and 0 are not compared. */
static inline void expect_report(const char *name, const struct diag *d, enum diag_level level,
                                 unsigned line, const char *word, const char *text)
{
    const struct diag_item *i = d->first;
    while (i && i->level != level)
        i = i->next;
    if (!i)
        fail_msg("%s: no report", name);
    if ((line && i->line != line) || (word && (!i->word || strcmp(i->word, word) != 0)) ||
        (text && !strstr(i->text, text)))
        fail_msg("%s: got line %u word `%s': %s", name, i->line, i->word ? i->word : "", i->text);
}
