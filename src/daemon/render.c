/* VICI's view of SAs, connections and policies: see render.h. */
#include "daemon/render.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

/* The name that the machine's /etc/services has for the one port of a selector; NULL: none. */
static const char *service_of(const struct ts *t)
{
    const struct protoent *p = t->proto ? getprotobynumber(t->proto) : NULL;
    if (t->port_lo != t->port_hi || t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6 ||
        (t->proto && !p))
        return NULL;
    const struct servent *s = getservbyport(htons(t->port_lo), p ? p->p_name : NULL);
    return s ? s->s_name : NULL;
}

/* As charon: "10.2.0.0/16[tcp/http]", where the model says tcp/80. */
static void item_ts(struct vnode *list, const struct ts *t, const char *text)
{
    char named[200];
    const char *bracket = strchr(text, '['), *slash = bracket ? strchr(bracket, '/') : NULL;
    const char *service = slash ? service_of(t) : NULL;
    if (service) {
        snprintf(named, sizeof named, "%.*s%.40s]", (int)(slash + 1 - text), text, service);
        text = named;
    }
    vnode_item(list, text);
}

static void add_ts(struct vnode *in, const char *name, const struct ts_list *l)
{
    struct vnode *list = vnode_list(in, name);
    for (size_t i = 0; i < l->count; i++) {
        struct buf b = {0};
        ts_print(&l->ts[i], &b);
        item_ts(list, &l->ts[i], buf_str(&b));
        buf_free(&b);
    }
}

static void add_id(struct vnode *in, const char *name, const struct id *id)
{
    struct buf b = {0};
    id_print(id, &b);
    vnode_value(in, name, buf_str(&b));
    buf_free(&b);
}

static void add_end(struct vnode *in, const char *host, const char *port, const char *id_key,
                    const struct endpoint *e, const struct id *id)
{
    char a[ADDR_STR_MAX];
    vnode_value(in, host, addr_str(&e->addr, a));
    vnode_valuef(in, port, "%u", e->port);
    add_id(in, id_key, id);
}

/* Algorithms of variable key length only show their size. */
static void add_encr(struct vnode *in, const struct alg *a)
{
    vnode_value(in, "encr-alg", a->iana);
    if (a->key_bits)
        vnode_valuef(in, "encr-keysize", "%u", a->key_bits);
}

static void add_yes(struct vnode *in, const char *name, bool yes)
{
    if (yes)
        vnode_value(in, name, "yes");
}

static uint64_t secs_until(uint64_t at_ms, uint64_t now_ms)
{
    return at_ms > now_ms ? (at_ms - now_ms) / 1000 : 0;
}

static void add_ike_algs(struct vnode *in, const struct proposal *p)
{
    const struct alg *encr = proposal_alg(p, T_ENCR), *integ = proposal_alg(p, T_INTEG);
    const struct alg *prf = proposal_alg(p, T_PRF), *ke = proposal_alg(p, T_KE);
    if (encr)
        add_encr(in, encr);
    if (integ)
        vnode_value(in, "integ-alg", integ->iana);
    if (prf)
        vnode_value(in, "prf-alg", prf->iana);
    if (ke)
        vnode_value(in, "dh-group", ke->iana);
}

void render_ike(const struct render *r, const struct ike_sa_info *sa, struct vnode *in)
{
    vnode_valuef(in, "uniqueid", "%u", sa->id);
    vnode_valuef(in, "version", "%u", sa->version);
    vnode_value(in, "state", sa->state);
    if (sa->v1_state)
        vnode_value(in, "v1-state", sa->v1_state);
    if (sa->v1_mode)
        vnode_value(in, "v1-mode", sa->v1_mode);
    add_end(in, "local-host", "local-port", "local-id", &sa->local, sa->local_id);
    add_end(in, "remote-host", "remote-port", "remote-id", &sa->remote, sa->remote_id);
    add_yes(in, "initiator", sa->initiator);
    vnode_valuef(in, "initiator-spi", "%016llx", (unsigned long long)sa->spi_i);
    vnode_valuef(in, "responder-spi", "%016llx", (unsigned long long)sa->spi_r);
    add_yes(in, "nat-local", sa->nat_local);
    add_yes(in, "nat-remote", sa->nat_remote);
    add_yes(in, "nat-fake", sa->nat_fake);
    add_yes(in, "nat-any", sa->nat_any);
    if (sa->proposal)
        add_ike_algs(in, sa->proposal);
    if (sa->established_ms) {
        vnode_valuef(in, "established", "%llu",
                     (unsigned long long)((r->now_ms - sa->established_ms) / 1000));
        if (sa->rekey_ms)
            vnode_valuef(in, "rekey-time", "%llu",
                         (unsigned long long)secs_until(sa->rekey_ms, r->now_ms));
        if (sa->reauth_ms)
            vnode_valuef(in, "reauth-time", "%llu",
                         (unsigned long long)secs_until(sa->reauth_ms, r->now_ms));
    }
    if (sa->tasks && *sa->tasks) {
        struct vnode *list = vnode_list(in, "tasks-active");
        char copy[256];
        snprintf(copy, sizeof copy, "%s", sa->tasks);
        char *save = NULL;
        for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
            vnode_item(list, w);
    }
}

static void add_use(const struct render *r, struct vnode *in, const struct child_use *u,
                    const char *bytes, const char *packets, const char *use)
{
    vnode_valuef(in, bytes, "%llu", (unsigned long long)u->bytes);
    vnode_valuef(in, packets, "%llu", (unsigned long long)u->packets);
    if (u->last_ms)
        vnode_valuef(
            in, use, "%llu",
            (unsigned long long)(r->now_ms > u->last_ms ? (r->now_ms - u->last_ms) / 1000 : 0));
}

void render_child(const struct render *r, const struct child_sa_info *c, struct vnode *in)
{
    struct child_stats st = {0};
    vnode_value(in, "name", c->child->name);
    vnode_valuef(in, "uniqueid", "%u", c->id);
    vnode_valuef(in, "reqid", "%u", c->reqid);
    vnode_value(in, "state", c->state);
    vnode_value(in, "mode", c->mode == MODE_TUNNEL ? "TUNNEL" : "TRANSPORT");
    vnode_value(in, "protocol", c->proto == PROTO_AH ? "AH" : "ESP");
    add_yes(in, "encap", c->encap);
    vnode_valuef(in, "spi-in", "%08x", c->spi_in);
    vnode_valuef(in, "spi-out", "%08x", c->spi_out);
    if (c->encr)
        add_encr(in, c->encr);
    if (c->integ)
        vnode_value(in, "integ-alg", c->integ->iana);
    if (c->ke)
        vnode_value(in, "dh-group", c->ke->iana);
    if (c->esn)
        vnode_value(in, "esn", "1");
    (void)r->stats(r->ctx, c->id, &st); /* unknown to the data plane yet: zeros */
    add_use(r, in, &st.in, "bytes-in", "packets-in", "use-in");
    add_use(r, in, &st.out, "bytes-out", "packets-out", "use-out");
    if (c->rekey_ms)
        vnode_valuef(in, "rekey-time", "%llu",
                     (unsigned long long)secs_until(c->rekey_ms, r->now_ms));
    if (c->life_ms)
        vnode_valuef(in, "life-time", "%llu",
                     (unsigned long long)secs_until(c->life_ms, r->now_ms));
    vnode_valuef(in, "install-time", "%llu",
                 (unsigned long long)(c->installed_ms && r->now_ms > c->installed_ms
                                          ? (r->now_ms - c->installed_ms) / 1000
                                          : 0));
    if (c->local_ts)
        add_ts(in, "local-ts", c->local_ts);
    if (c->remote_ts)
        add_ts(in, "remote-ts", c->remote_ts);
}

struct child_ctx {
    const struct render *r;
    struct vnode *children;
    const char *name;
    uint32_t id;
    size_t shown;
};

static void each_child(void *ctx, const struct child_sa_info *c)
{
    struct child_ctx *x = ctx;
    char name[160];
    if ((x->name && strcmp(x->name, c->child->name) != 0) || (x->id && x->id != c->id))
        return;
    snprintf(name, sizeof name, "%.128s-%u", c->child->name, c->id);
    render_child(x->r, c, vnode_section(x->children, name));
    x->shown++;
}

struct vnode *render_sa(const struct render *r, const struct ike_sa_info *sa, const char *child,
                        uint32_t child_id)
{
    struct vnode *root = vnode_new();
    struct vnode *in = vnode_section(root, sa->conn ? sa->conn->name : "(unnamed)");
    render_ike(r, sa, in);
    struct child_ctx x = {
        .r = r, .children = vnode_section(in, "child-sas"), .name = child, .id = child_id};
    child_sa_each(r->engine, sa->id, each_child, &x);
    if ((child || child_id) && x.shown == 0) {
        vnode_free(root);
        return NULL;
    }
    return root;
}

/* --- connections --- */

static void add_matches(struct vnode *in, const char *name, const struct addr_match *m, size_t n)
{
    struct vnode *list = vnode_list(in, name);
    char a[ADDR_STR_MAX], b[ADDR_STR_MAX];
    for (size_t i = 0; i < n; i++) {
        char text[2 * ADDR_STR_MAX + 2];
        if (m[i].host)
            snprintf(text, sizeof text, "%.64s", m[i].host);
        else if (!m[i].lo.family || addr_eq(&m[i].lo, &m[i].hi))
            snprintf(text, sizeof text, "%s", addr_str(&m[i].lo, a));
        else
            snprintf(text, sizeof text, "%s-%s", addr_str(&m[i].lo, a), addr_str(&m[i].hi, b));
        vnode_item(list, text);
    }
    if (n == 0)
        vnode_item(list, "%any");
}

static void add_auth(struct vnode *in, const char *name, const struct conn_auth *a)
{
    static const char *const classes[] = {"pre-shared key", "public key", "EAP", "XAuth"};
    static const char *const lists[] = {"groups", "cert_policy", "certs", "cacerts"};
    struct vnode *s = vnode_section(in, name);
    if (a->id.type != ID_ANY)
        add_id(s, "id", &a->id);
    vnode_value(s, "class", classes[a->kind]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        vnode_list(s, lists[i]);
}

static void add_ts_conf(struct vnode *in, const char *name, const struct ts_conf_list *l)
{
    struct vnode *list = vnode_list(in, name);
    for (size_t i = 0; i < l->count; i++) {
        struct buf b = {0};
        struct ts t = l->ts[i].ts;
        if (l->ts[i].dynamic) { /* the bracket alone is printed by the selector's printer */
            t.lo = t.hi = addr_v4((const uint8_t[4]){0});
            ts_print(&t, &b);
            const char *bracket = strchr(buf_str(&b), '[');
            char text[64];
            snprintf(text, sizeof text, "dynamic%.48s", bracket ? bracket : "");
            item_ts(list, &t, text);
        } else {
            ts_print(&t, &b);
            item_ts(list, &t, buf_str(&b));
        }
        buf_free(&b);
    }
}

static const char *mode_name(const struct conn_child *ch)
{
    return ch->policy == CHILD_PASS     ? "PASS"
           : ch->policy == CHILD_DROP   ? "DROP"
           : ch->mode == MODE_TRANSPORT ? "TRANSPORT"
                                        : "TUNNEL";
}

static void add_child_conf(struct vnode *in, const struct conn_child *ch)
{
    static const char *const dpd[] = {"none", "trap", "start"};
    struct vnode *s = vnode_section(in, ch->name);
    vnode_value(s, "mode", mode_name(ch));
    vnode_valuef(s, "rekey_time", "%llu", (unsigned long long)ch->life.rekey_s);
    vnode_valuef(s, "rekey_bytes", "%llu", (unsigned long long)ch->life.rekey_bytes);
    vnode_valuef(s, "rekey_packets", "%llu", (unsigned long long)ch->life.rekey_packets);
    vnode_value(s, "dpd_action", dpd[ch->dpd_action]);
    vnode_value(s, "close_action",
                ch->close_action & START_START  ? "start"
                : ch->close_action & START_TRAP ? "trap"
                                                : "none");
    add_ts_conf(s, "local-ts", &ch->local_ts);
    add_ts_conf(s, "remote-ts", &ch->remote_ts);
    if (ch->priority)
        vnode_valuef(s, "priority", "%u", ch->priority);
}

struct vnode *render_conn(const struct conn *c)
{
    static const char *const versions[] = {"IKEv1/2", "IKEv1", "IKEv2"};
    static const char *const unique[] = {"UNIQUE_NO", "UNIQUE_NEVER", "UNIQUE_KEEP",
                                         "UNIQUE_REPLACE"};
    struct vnode *root = vnode_new();
    struct vnode *s = vnode_section(root, c->name);
    add_matches(s, "local_addrs", c->local, c->local_count);
    add_matches(s, "remote_addrs", c->remote, c->remote_count);
    vnode_value(s, "version", versions[c->version <= 2 ? c->version : 0]);
    vnode_valuef(s, "reauth_time", "%llu", (unsigned long long)c->reauth_s);
    vnode_valuef(s, "rekey_time", "%llu", (unsigned long long)c->rekey_s);
    vnode_value(s, "unique", unique[c->unique]);
    if (c->dpd_delay_s)
        vnode_valuef(s, "dpd_delay", "%llu", (unsigned long long)c->dpd_delay_s);
    add_auth(s, "local-1", &c->auth_local);
    add_auth(s, "remote-1", &c->auth_remote);
    struct vnode *children = vnode_section(s, "children");
    for (size_t i = 0; i < c->child_count; i++)
        add_child_conf(children, &c->child[i]);
    return root;
}

struct vnode *render_policy(const struct policy_row *row)
{
    char name[300];
    struct vnode *root = vnode_new();
    snprintf(name, sizeof name, "%.128s/%.128s", row->conn, row->child);
    struct vnode *s = vnode_section(root, name);
    vnode_value(s, "child", row->child);
    vnode_value(s, "ike", row->conn);
    vnode_value(s, "mode",
                row->action == POL_BYPASS ? "PASS"
                : row->action == POL_DROP ? "DROP"
                                          : "TUNNEL");
    add_ts(s, "local-ts", row->local);
    add_ts(s, "remote-ts", row->remote);
    vnode_valuef(s, "sas", "%zu", row->sas);
    vnode_value(s, "trap", row->acquire ? "yes" : "no");
    return root;
}
