/* VICI: load-sa, unload-sa and list-manual-sas, culvert's own: SAs by hand. */
#include "daemon/core.h"

static void answer(struct core *c, struct vnode *reply, const char *warning)
{
    reply_ok(reply);
    if (!*warning)
        return;
    vnode_value(reply, "warning", warning);
    core_say(c, EV_CONFIG_WARNING, NULL, warning);
}

HANDLER(control_load_sa)
{
    struct core *c = ctx;
    struct diag d = {0};
    struct io_error err;
    struct manual_sa *sa = NULL;
    const struct vnode *sec = rq->msg->child;
    if (!sec || sec->kind != VN_SECTION || sec->next) {
        reply_no(rq->reply, "expected one section named like the SA");
        return;
    }
    err_t e = config_manual_from_tree(sec, &sa, &d);
    say_warnings(c, &d);
    if (e)
        reply_diag(rq->reply, &d, "");
    else if (manual_load(c->manual, sa, false, &err))
        reply_no(rq->reply, "%s", err.text);
    else
        answer(c, rq->reply, err.text);
    diag_free(&d);
    core_settle(c);
}

HANDLER(control_unload_sa)
{
    struct core *c = ctx;
    const char *name = vnode_get(rq->msg, "name");
    if (!name)
        reply_no(rq->reply, "missing SA name");
    else if (manual_unload(c->manual, name))
        reply_no(rq->reply, "SA '%s' not found", name);
    else
        reply_ok(rq->reply);
    core_settle(c);
}

struct list_ctx {
    struct core *c;
    struct vici_client *client;
};

/* Keys are not shown. */
static void list_one(void *ctx, const struct manual_sa *m, uint32_t id, uint64_t installed_ms)
{
    struct list_ctx *l = ctx;
    struct vici_writer *w = vici_event_begin(l->client, "list-manual-sa");
    struct render r = core_render(l->c);
    struct child_sa sa;
    struct child_stats st;
    if (!w)
        return;
    manual_sa_child(m, &sa);
    const struct conn_child named = {.name = m->name};
    const struct child_sa_info info = {
        .id = id,
        .child = &named,
        .state = installed_ms ? "INSTALLED" : "EXPIRED",
        .proto = sa.proto,
        .mode = sa.mode,
        .encap = sa.udp_encap,
        .spi_in = sa.spi_in,
        .spi_out = sa.spi_out,
        .cpi_in = sa.cpi_in,
        .cpi_out = sa.cpi_out,
        .ah = sa.ah.integ ? &sa.ah : NULL,
        .encr = sa.encr,
        .integ = sa.integ,
        .esn = sa.esn,
        .installed_ms = installed_ms,
        .rekey_ms = installed_ms && sa.life.rekey_s ? installed_ms + sa.life.rekey_s * 1000 : 0,
        .life_ms = installed_ms && sa.life.life_s ? installed_ms + sa.life.life_s * 1000 : 0,
        .local_ts = &sa.local_ts,
        .remote_ts = &sa.remote_ts};
    char a[ADDR_STR_MAX];
    vici_put_section(w, m->name);
    vici_put_value(w, "local-host", addr_str(&sa.local.addr, a));
    vici_put_value(w, "remote-host", addr_str(&sa.remote.addr, a));
    if (sa.udp_encap)
        vici_put_number(w, "remote-port", sa.remote.port);
    render_child(&r, &info, w);
    if (installed_ms && r.stats(r.ctx, id, &st)) {
        vici_put_number(w, "seq-in", st.seq_in);
        vici_put_number(w, "seq-out", st.seq_out);
    }
    vici_put_section_end(w);
    vici_event_end(l->client);
}

HANDLER(control_list_manual)
{
    struct core *c = ctx;
    manual_each(c->manual, list_one, &(struct list_ctx){c, rq->client});
}
