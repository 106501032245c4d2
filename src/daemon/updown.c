/*
 * VICI's events of coming and going: ike-updown, child-updown, ike-rekey, child-rekey. An SA that
 * is gone when its event comes is told from what the event itself says.
 */
#include "daemon/core.h"
#include <stdio.h>

static void add_gone_end(struct vnode *in, const char *host, const char *port,
                         const struct endpoint *e)
{
    char a[ADDR_STR_MAX];
    vnode_value(in, host, addr_str(&e->addr, a));
    vnode_valuef(in, port, "%u", e->port);
}

static void add_conf_id(struct vnode *in, const char *name, const struct conn_auth *a)
{
    struct buf b = {0};
    static const struct id any;
    id_print(a ? &a->id : &any, &b);
    vnode_value(in, name, buf_str(&b));
    buf_free(&b);
}

/* Section of the IKE SA that an event is about. */
static struct vnode *ike_section(struct core *c, const struct event *ev, uint32_t id,
                                 const char *gone_state, struct vnode *root, const char *name)
{
    struct vnode *in = vnode_section(root, name);
    struct ike_sa_info sa;
    struct render r = core_render(c);
    if (ike_sa_info_get(r.engine, id, &sa)) {
        render_ike(&r, &sa, in);
        return in;
    }
    const struct conn *conn = ev->conn ? ike_conn_get(r.engine, ev->conn) : NULL;
    vnode_valuef(in, "uniqueid", "%u", id);
    vnode_value(in, "version", conn && conn->version == 1 ? "1" : "2");
    vnode_value(in, "state", gone_state);
    add_gone_end(in, "local-host", "local-port", &ev->local);
    add_conf_id(in, "local-id", conn ? &conn->auth_local : NULL);
    add_gone_end(in, "remote-host", "remote-port", &ev->remote);
    add_conf_id(in, "remote-id", conn ? &conn->auth_remote : NULL);
    vnode_valuef(in, "initiator-spi", "%016llx", (unsigned long long)ev->ike_spi_i);
    vnode_valuef(in, "responder-spi", "%016llx", (unsigned long long)ev->ike_spi_r);
    return in;
}

struct find {
    const struct render *r;
    struct vnode *into;
    uint32_t id;
    bool found;
};

static void find_child(void *ctx, const struct child_sa_info *c)
{
    struct find *f = ctx;
    if (c->id != f->id)
        return;
    render_child(f->r, c, f->into);
    f->found = true;
}

static void child_section(struct core *c, const struct event *ev, uint32_t id, const char *state,
                          struct vnode *in)
{
    struct render r = core_render(c);
    struct find f = {.r = &r, .into = in, .id = id};
    child_sa_each(r.engine, ev->ike_id, find_child, &f);
    if (f.found)
        return;
    vnode_value(in, "name", ev->child ? ev->child : "");
    vnode_valuef(in, "uniqueid", "%u", id);
    vnode_value(in, "reqid", "0");
    vnode_value(in, "state", state);
    vnode_value(in, "mode", "TUNNEL");
    vnode_value(in, "protocol", "ESP");
    if (ev->spi_in && id == ev->child_id) {
        vnode_valuef(in, "spi-in", "%08x", ev->spi_in);
        vnode_valuef(in, "spi-out", "%08x", ev->spi_out);
    }
}

static const char *name_of(const struct event *ev)
{
    return ev->conn ? ev->conn : "(unnamed)";
}

static void ike_updown(struct core *c, const struct event *ev, bool up)
{
    struct vnode *m = vnode_new();
    if (up)
        vnode_value(m, "up", "yes");
    ike_section(c, ev, ev->ike_id, "DELETING", m, name_of(ev));
    vici_raise(c->vici, "ike-updown", m);
    vnode_free(m);
}

static void child_updown(struct core *c, const struct event *ev, bool up)
{
    char name[160];
    struct vnode *m = vnode_new();
    if (up)
        vnode_value(m, "up", "yes");
    struct vnode *in = ike_section(c, ev, ev->ike_id, "DELETING", m, name_of(ev));
    snprintf(name, sizeof name, "%.128s-%u", ev->child ? ev->child : "", ev->child_id);
    struct vnode *children = vnode_section(in, "child-sas");
    child_section(c, ev, ev->child_id, up ? "INSTALLED" : "DELETED", vnode_section(children, name));
    vici_raise(c->vici, "child-updown", m);
    vnode_free(m);
}

/* number: the id of the SA that was replaced. */
static void ike_rekey(struct core *c, const struct event *ev)
{
    struct vnode *m = vnode_new();
    struct vnode *in = vnode_section(m, name_of(ev));
    ike_section(c, ev, (uint32_t)ev->number, "REKEYED", in, "old");
    ike_section(c, ev, ev->ike_id, "ESTABLISHED", in, "new");
    vici_raise(c->vici, "ike-rekey", m);
    vnode_free(m);
}

static void child_rekey(struct core *c, const struct event *ev)
{
    struct vnode *m = vnode_new();
    struct vnode *in = ike_section(c, ev, ev->ike_id, "ESTABLISHED", m, name_of(ev));
    struct vnode *both = vnode_section(vnode_section(in, "child-sas"), ev->child ? ev->child : "");
    child_section(c, ev, (uint32_t)ev->number, "REKEYED", vnode_section(both, "old"));
    child_section(c, ev, ev->child_id, "INSTALLED", vnode_section(both, "new"));
    vici_raise(c->vici, "child-rekey", m);
    vnode_free(m);
}

void updown_event(struct core *c, const struct event *ev)
{
    switch (ev->kind) {
    case EV_IKE_ESTABLISHED:
    case EV_IKE_DOWN:
        if (vici_wants(c->vici, "ike-updown"))
            ike_updown(c, ev, ev->kind == EV_IKE_ESTABLISHED);
        break;
    case EV_CHILD_ESTABLISHED:
    case EV_CHILD_DOWN:
        if (vici_wants(c->vici, "child-updown"))
            child_updown(c, ev, ev->kind == EV_CHILD_ESTABLISHED);
        break;
    case EV_IKE_REKEYED:
        if (vici_wants(c->vici, "ike-rekey"))
            ike_rekey(c, ev);
        break;
    case EV_CHILD_REKEYED:
        if (vici_wants(c->vici, "child-rekey"))
            child_rekey(c, ev);
        break;
    default:
        break;
    }
}
