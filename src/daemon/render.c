/* VICI's view of SAs, connections and policies, straight into its encoding: see render.h. */
#include "daemon/render.h"
#include "wire/vendor.h"
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
static void name_service(const struct ts *t, struct buf *out, size_t at)
{
    const char *text = buf_str(out) + at;
    const char *bracket = strchr(text, '['), *slash = bracket ? strchr(bracket, '/') : NULL;
    const char *service = slash ? service_of(t) : NULL;
    if (!service)
        return;
    buf_cut(out, (size_t)(slash + 1 - out->s));
    buf_printf(out, "%.40s]", service);
}

static void add_ts(struct vici_writer *w, const char *name, const struct ts_list *l)
{
    vici_put_list(w, name);
    for (size_t i = 0; i < l->count; i++) {
        struct buf *out = vici_put_item_open(w);
        size_t at = out->n;
        ts_print(&l->ts[i], out);
        name_service(&l->ts[i], out, at);
        vici_put_close(w);
    }
    vici_put_list_end(w);
}

static void add_id(struct vici_writer *w, const char *name, const struct id *id)
{
    id_print(id, vici_put_open(w, name));
    vici_put_close(w);
}

static void add_end(struct vici_writer *w, const char *host, const char *port, const char *id_key,
                    const struct endpoint *e, const struct id *id)
{
    char a[ADDR_STR_MAX];
    vici_put_value(w, host, addr_str(&e->addr, a));
    vici_put_number(w, port, e->port);
    add_id(w, id_key, id);
}

/* Algorithms of variable key length only show their size. */
static void add_encr(struct vici_writer *w, const struct alg *a)
{
    vici_put_value(w, "encr-alg", a->iana);
    if (a->key_bits)
        vici_put_number(w, "encr-keysize", a->key_bits);
}

static void add_yes(struct vici_writer *w, const char *name, bool yes)
{
    if (yes)
        vici_put_value(w, name, "yes");
}

static uint64_t secs_until(uint64_t at_ms, uint64_t now_ms)
{
    return at_ms > now_ms ? (at_ms - now_ms) / 1000 : 0;
}

static void add_ike_algs(struct vici_writer *w, const struct proposal *p)
{
    const struct alg *encr = proposal_alg(p, T_ENCR), *integ = proposal_alg(p, T_INTEG);
    const struct alg *prf = proposal_alg(p, T_PRF), *ke = proposal_alg(p, T_KE);
    if (encr)
        add_encr(w, encr);
    if (integ)
        vici_put_value(w, "integ-alg", integ->iana);
    if (prf)
        vici_put_value(w, "prf-alg", prf->iana);
    if (ke)
        vici_put_value(w, "dh-group", ke->iana);
}

/* Left out when there are none, as charon does. */
static void add_addrs(struct vici_writer *w, const char *name, const struct addr *a, size_t n)
{
    char s[ADDR_STR_MAX];
    if (!n)
        return;
    vici_put_list(w, name);
    for (size_t i = 0; i < n; i++)
        vici_put_item(w, addr_str(&a[i], s));
    vici_put_list_end(w);
}

static void add_vendor(void *w, const char *name)
{
    vici_put_item(w, name);
}

void render_ike(const struct render *r, const struct ike_sa_info *sa, struct vici_writer *w)
{
    vici_put_number(w, "uniqueid", sa->id);
    vici_put_number(w, "version", sa->version);
    vici_put_value(w, "state", sa->state);
    if (sa->v1_state)
        vici_put_value(w, "v1-state", sa->v1_state);
    if (sa->v1_mode)
        vici_put_value(w, "v1-mode", sa->v1_mode);
    add_end(w, "local-host", "local-port", "local-id", &sa->local, sa->local_id);
    add_end(w, "remote-host", "remote-port", "remote-id", &sa->remote, sa->remote_id);
    if (sa->remote_user)
        add_id(w, "remote-xauth-id", sa->remote_user);
    if (sa->auth_local)
        vici_put_value(w, "auth-local", sa->auth_local);
    if (sa->auth_remote)
        vici_put_value(w, "auth-remote", sa->auth_remote);
    add_yes(w, "initiator", sa->initiator);
    vici_put_hex(w, "initiator-spi", sa->spi_i, 16);
    vici_put_hex(w, "responder-spi", sa->spi_r, 16);
    add_yes(w, "nat-local", sa->nat_local);
    add_yes(w, "nat-remote", sa->nat_remote);
    add_yes(w, "nat-fake", sa->nat_fake);
    add_yes(w, "nat-any", sa->nat_any);
    if (sa->proposal)
        add_ike_algs(w, sa->proposal);
    if (sa->established_ms) {
        vici_put_number(w, "established", ((r->now_ms - sa->established_ms) / 1000));
        if (sa->rekey_ms)
            vici_put_number(w, "rekey-time", secs_until(sa->rekey_ms, r->now_ms));
        if (sa->reauth_ms)
            vici_put_number(w, "reauth-time", secs_until(sa->reauth_ms, r->now_ms));
    }
    add_addrs(w, "local-vips", sa->local_vip, sa->local_vips);
    add_addrs(w, "remote-vips", sa->remote_vip, sa->remote_vips);
    add_addrs(w, "dns", sa->dns, sa->dns_count);
    if (sa->vendors) {
        vici_put_list(w, "vendor-ids");
        vendors_print(sa->vendors, add_vendor, w);
        vici_put_list_end(w);
    }
    if (sa->tasks && *sa->tasks) {
        vici_put_list(w, "tasks-active");
        char copy[256];
        snprintf(copy, sizeof copy, "%s", sa->tasks);
        char *save = NULL;
        for (char *t = strtok_r(copy, " ", &save); t; t = strtok_r(NULL, " ", &save))
            vici_put_item(w, t);
        vici_put_list_end(w);
    }
}

/* Packets dropped on the SA, by reason; and what IPComp did. */
static void add_drops(struct vici_writer *w, const struct child_stats *st)
{
    bool any = false;
    for (int i = 0; i < CHILD_DROPS; i++) {
        if (!st->drops[i])
            continue;
        if (!any)
            vici_put_section(w, "drops");
        any = true;
        vici_put_number(w, err_name(R_DP_SHORT + i), st->drops[i]);
    }
    if (any)
        vici_put_section_end(w);
    if (st->compressed || st->not_compressed || st->decompressed) {
        vici_put_number(w, "packets-compressed", st->compressed);
        vici_put_number(w, "packets-not-compressed", st->not_compressed);
        vici_put_number(w, "packets-decompressed", st->decompressed);
    }
}

static void add_use(const struct render *r, struct vici_writer *w, const struct child_use *u,
                    const char *bytes, const char *packets, const char *use)
{
    vici_put_number(w, bytes, u->bytes);
    vici_put_number(w, packets, u->packets);
    if (u->last_ms)
        vici_put_number(w, use, (r->now_ms > u->last_ms ? (r->now_ms - u->last_ms) / 1000 : 0));
}

/* What came out of order: how many numbers behind, "64:3" for 64 to 127, and what was dropped. */
static void add_lateness(struct vici_writer *w, const struct child_stats *st)
{
    char text[32];
    uint64_t any = st->duplicate;
    for (unsigned i = 0; i < CHILD_LATE_STEPS; i++)
        any |= st->lateness[i];
    if (!any)
        return;
    vici_put_number(w, "late-in", st->late);
    vici_put_number(w, "duplicate-in", st->duplicate);
    vici_put_list(w, "lateness");
    for (unsigned i = 0; i < CHILD_LATE_STEPS; i++) {
        snprintf(text, sizeof text, "%u:%u", 1u << i, st->lateness[i]);
        if (st->lateness[i])
            vici_put_item(w, text);
    }
    vici_put_list_end(w);
    vici_put_number(w, "replay-window-advice", st->window_advice);
}

/* culvert's own members: where its plain packets pass, and what the data plane holds it to. */
static void add_rules(const struct render *r, struct vici_writer *w, const struct child_sa_info *c,
                      const struct child_stats *st)
{
    const char *own = c->child->iface.name;
    vici_put_value(w, "interface", *own ? own : r->tun);
    vici_put_number(w, "replay-window", st->window);
    if (st->limit_bytes)
        vici_put_number(w, "limit-bytes", st->limit_bytes);
}

/* culvert's own members: of a bundle, `protocol` and the names without ah are those of ESP. */
static void add_ah(struct vici_writer *w, const struct child_ah *ah)
{
    vici_put_hex(w, "ah-spi-in", ah->spi_in, 8);
    vici_put_hex(w, "ah-spi-out", ah->spi_out, 8);
    vici_put_value(w, "ah-integ-alg", ah->integ->iana);
    if (ah->esn)
        vici_put_value(w, "ah-esn", "1");
}

void render_child(const struct render *r, const struct child_sa_info *c, struct vici_writer *w)
{
    struct child_stats st = {0};
    vici_put_value(w, "name", c->child->name);
    vici_put_number(w, "uniqueid", c->id);
    vici_put_number(w, "reqid", c->reqid);
    vici_put_value(w, "state", c->state);
    vici_put_value(w, "mode",
                   c->mode == MODE_TUNNEL      ? "TUNNEL"
                   : c->mode == MODE_TRANSPORT ? "TRANSPORT"
                                               : "BEET");
    vici_put_value(w, "protocol", c->proto == PROTO_AH ? "AH" : "ESP");
    add_yes(w, "encap", c->encap);
    vici_put_hex(w, "spi-in", c->spi_in, 8);
    vici_put_hex(w, "spi-out", c->spi_out, 8);
    if (c->cpi_in) {
        vici_put_hex(w, "cpi-in", c->cpi_in, 4);
        vici_put_hex(w, "cpi-out", c->cpi_out, 4);
    }
    if (c->ah)
        add_ah(w, c->ah);
    if (c->encr)
        add_encr(w, c->encr);
    if (c->integ)
        vici_put_value(w, "integ-alg", c->integ->iana);
    if (c->ke)
        vici_put_value(w, "dh-group", c->ke->iana);
    if (c->esn)
        vici_put_value(w, "esn", "1");
    if (r->stats(r->ctx, c->id, &st)) /* else unknown to the data plane yet: zeros */
        add_rules(r, w, c, &st);
    else if (c->last)
        st.in = c->last[0], st.out = c->last[1];
    add_use(r, w, &st.in, "bytes-in", "packets-in", "use-in");
    add_use(r, w, &st.out, "bytes-out", "packets-out", "use-out");
    add_lateness(w, &st);
    add_drops(w, &st);
    if (st.path_mtu) {
        vici_put_number(w, "path-mtu", st.path_mtu);
        vici_put_number(w, "plain-mtu", st.plain_mtu);
    }
    if (c->rekey_ms)
        vici_put_number(w, "rekey-time", secs_until(c->rekey_ms, r->now_ms));
    if (c->life_ms)
        vici_put_number(w, "life-time", secs_until(c->life_ms, r->now_ms));
    vici_put_number(w, "install-time",
                    (c->installed_ms && r->now_ms > c->installed_ms
                         ? (r->now_ms - c->installed_ms) / 1000
                         : 0));
    if (c->local_ts)
        add_ts(w, "local-ts", c->local_ts);
    if (c->remote_ts)
        add_ts(w, "remote-ts", c->remote_ts);
}

struct child_ctx {
    const struct render *r;
    struct vici_writer *w;
    const char *name;
    uint32_t id;
    size_t shown;
};

/* "net-7" */
static void put_child_section(struct vici_writer *w, const char *name, uint32_t id)
{
    char text[128 + 1 + 20 + 1];
    size_t n = strnlen(name, 128);
    memcpy(text, name, n);
    text[n++] = '-';
    n += number_text(id, text + n);
    text[n] = 0;
    vici_put_section(w, text);
}

static void each_child(void *ctx, const struct child_sa_info *c)
{
    struct child_ctx *x = ctx;
    if ((x->name && strcmp(x->name, c->child->name) != 0) || (x->id && x->id != c->id))
        return;
    put_child_section(x->w, c->child->name, c->id);
    render_child(x->r, c, x->w);
    vici_put_section_end(x->w);
    x->shown++;
}

bool render_sa(const struct render *r, const struct ike_sa_info *sa, const char *child,
               uint32_t child_id, struct vici_writer *w)
{
    struct child_ctx x = {.r = r, .w = w, .name = child, .id = child_id};
    vici_put_section(w, sa->conn ? sa->conn->name : "(unnamed)");
    render_ike(r, sa, w);
    vici_put_section(w, "child-sas");
    child_sa_each(r->engine, sa->id, each_child, &x);
    vici_put_section_end(w);
    vici_put_section_end(w);
    return x.shown || !(child || child_id);
}

/* --- connections --- */

static void add_matches(struct vici_writer *w, const char *name, const struct addr_match *m,
                        size_t n)
{
    vici_put_list(w, name);
    char a[ADDR_STR_MAX], b[ADDR_STR_MAX];
    for (size_t i = 0; i < n; i++) {
        char text[2 * ADDR_STR_MAX + 2];
        if (m[i].host)
            snprintf(text, sizeof text, "%.64s", m[i].host);
        else if (!m[i].lo.family || addr_eq(&m[i].lo, &m[i].hi))
            snprintf(text, sizeof text, "%s", addr_str(&m[i].lo, a));
        else
            snprintf(text, sizeof text, "%s-%s", addr_str(&m[i].lo, a), addr_str(&m[i].hi, b));
        vici_put_item(w, text);
    }
    if (n == 0)
        vici_put_item(w, "%any");
    vici_put_list_end(w);
}

static void add_certs(struct vici_writer *w, const char *name, const struct conn_cert *list,
                      size_t n)
{
    vici_put_list(w, name);
    for (size_t i = 0; i < n; i++)
        vici_put_item(w, list[i].name);
    vici_put_list_end(w);
}

static void add_auth(struct vici_writer *w, const char *name, const struct conn_auth *a)
{
    static const struct conn_pki none;
    const struct conn_pki *p = a->pki ? a->pki : &none;
    static const char *const classes[] = {"pre-shared key", "public key", "EAP", "XAuth"};
    static const char *const lists[] = {"groups", "cert_policy"};
    vici_put_section(w, name);
    if (a->id.type != ID_ANY)
        add_id(w, "id", &a->id);
    vici_put_value(w, "class", classes[a->kind]);
    if (a->xauth_id)
        vici_put_value(w, "xauth_id", a->xauth_id);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        vici_put_list(w, lists[i]);
        vici_put_list_end(w);
    }
    add_certs(w, "certs", p->certs, p->cert_count);
    add_certs(w, "cacerts", p->cacerts, p->cacert_count);
    vici_put_section_end(w);
}

/* Hybrid authentication has XAUTH in the first place. */
static const struct conn_auth *first_of(const struct conn_auth *first,
                                        const struct conn_auth *xauth)
{
    return xauth ? xauth : first;
}

/* Of what is filled in later only ports and protocol are known. */
static void print_dynamic(struct ts t, struct buf *out)
{
    buf_puts(out, "dynamic");
    size_t at = out->n;
    t.lo = t.hi = addr_v4((const uint8_t[4]){0});
    ts_print(&t, out);
    const char *bracket = strchr(buf_str(out) + at, '[');
    size_t n = bracket ? strlen(bracket) : 0;
    if (n)
        memmove(out->s + at, bracket, n);
    buf_cut(out, at + n);
    name_service(&t, out, at);
}

static void add_ts_conf(struct vici_writer *w, const char *name, const struct ts_conf_list *l)
{
    vici_put_list(w, name);
    for (size_t i = 0; i < l->count; i++) {
        struct buf *out = vici_put_item_open(w);
        size_t at = out->n;
        if (l->ts[i].dynamic) {
            print_dynamic(l->ts[i].ts, out);
        } else {
            ts_print(&l->ts[i].ts, out);
            name_service(&l->ts[i].ts, out, at);
        }
        vici_put_close(w);
    }
    vici_put_list_end(w);
}

static const char *mode_name(const struct conn_child *ch)
{
    return ch->policy == CHILD_PASS     ? "PASS"
           : ch->policy == CHILD_DROP   ? "DROP"
           : ch->mode == MODE_TRANSPORT ? "TRANSPORT"
                                        : "TUNNEL";
}

/* As they are written in the file. */
static void add_proposals(struct vici_writer *w, const char *name, const struct proposals *p,
                          bool is_default)
{
    struct buf *out = vici_put_open(w, name);
    if (is_default)
        buf_puts(out, "default");
    else
        proposals_print(p, out);
    vici_put_close(w);
}

static void add_child_conf(struct vici_writer *w, const struct conn_child *ch)
{
    static const char *const dpd[] = {"none", "trap", "start"};
    static const char *const actions[] = {"none", "trap", "start", "trap|start"};
    vici_put_section(w, ch->name);
    vici_put_value(w, "mode", mode_name(ch));
    vici_put_number(w, "rekey_time", ch->life.rekey_s);
    vici_put_number(w, "rekey_bytes", ch->life.rekey_bytes);
    vici_put_number(w, "rekey_packets", ch->life.rekey_packets);
    vici_put_value(w, "dpd_action", dpd[ch->dpd_action]);
    vici_put_value(w, "close_action",
                   ch->close_action & START_START  ? "start"
                   : ch->close_action & START_TRAP ? "trap"
                                                   : "none");
    add_ts_conf(w, "local-ts", &ch->local_ts);
    add_ts_conf(w, "remote-ts", &ch->remote_ts);
    if (ch->priority)
        vici_put_number(w, "priority", ch->priority);
    if (ch->policy == CHILD_PROTECT) {
        add_proposals(w, "esp_proposals", &ch->esp, ch->esp_default);
        vici_put_number(w, "replay_window", ch->replay_window);
    }
    vici_put_value(w, "start_action", actions[ch->start_action & 3]);
    if (ch->iface.name[0])
        vici_put_value(w, "interface", ch->iface.name);
    vici_put_section_end(w);
}

void render_conn(const struct conn *c, struct vici_writer *w)
{
    static const char *const versions[] = {"IKEv1/2", "IKEv1", "IKEv2"};
    static const char *const unique[] = {"UNIQUE_NO", "UNIQUE_NEVER", "UNIQUE_KEEP",
                                         "UNIQUE_REPLACE"};
    vici_put_section(w, c->name);
    add_matches(w, "local_addrs", c->local, c->local_count);
    add_matches(w, "remote_addrs", c->remote, c->remote_count);
    vici_put_value(w, "version", versions[c->version <= 2 ? c->version : 0]);
    vici_put_number(w, "reauth_time", c->reauth_s);
    vici_put_number(w, "rekey_time", c->rekey_s);
    vici_put_value(w, "unique", unique[c->unique]);
    if (c->dpd_delay_s)
        vici_put_number(w, "dpd_delay", c->dpd_delay_s);
    if (c->ike.count)
        add_proposals(w, "proposals", &c->ike, c->ike_default);
    bool local2 = c->xauth_local && c->auth_local.kind != AUTH_XAUTH;
    bool remote2 = c->xauth_remote && c->auth_remote.kind != AUTH_XAUTH;
    add_auth(w, "local-1", local2 ? &c->auth_local : first_of(&c->auth_local, c->xauth_local));
    if (local2)
        add_auth(w, "local-2", c->xauth_local);
    add_auth(w, "remote-1", remote2 ? &c->auth_remote : first_of(&c->auth_remote, c->xauth_remote));
    if (remote2)
        add_auth(w, "remote-2", c->xauth_remote);
    vici_put_section(w, "children");
    for (size_t i = 0; i < c->child_count; i++)
        add_child_conf(w, &c->child[i]);
    vici_put_section_end(w);
    vici_put_section_end(w);
}

/* Of its rules the one that is asked first. */
static uint64_t first_rank(const struct policy_row *row)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < row->local->count; i++)
        for (size_t k = 0; k < row->remote->count; k++) {
            uint64_t rank =
                policy_rank(row->priority, row->action, &row->local->ts[i], &row->remote->ts[k]);
            first = rank < first ? rank : first;
        }
    return first;
}

void render_policy(const struct policy_row *row, const char *iface, struct vici_writer *w)
{
    uint64_t rank = first_rank(row);
    char name[300];
    snprintf(name, sizeof name, "%.128s/%.128s", row->conn, row->child);
    vici_put_section(w, name);
    vici_put_value(w, "child", row->child);
    vici_put_value(w, "ike", row->conn);
    vici_put_value(w, "mode",
                   row->action == POL_BYPASS ? "PASS"
                   : row->action == POL_DROP ? "DROP"
                                             : "TUNNEL");
    add_ts(w, "local-ts", row->local);
    add_ts(w, "remote-ts", row->remote);
    vici_put_number(w, "sas", row->sas);
    vici_put_value(w, "trap", row->acquire ? "yes" : "no");
    vici_put_value(w, "configured", row->installed ? "yes" : "no");
    if (iface)
        vici_put_value(w, "interface", iface);
    vici_put_number(w, "priority", rank >> POLICY_RANK_PRIORITY);
    vici_put_number(w, "rank", rank);
    vici_put_section_end(w);
}
