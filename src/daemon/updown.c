/*
 * VICI's events of coming and going: ike-updown, child-updown, ike-rekey, child-rekey. An SA that
 * is gone when its event comes is told from what the event itself says.
 */
#include "daemon/core.h"
#include <stdio.h>

static void add_gone_end(struct vici_writer *w, const char *host, const char *port,
                         const struct endpoint *e)
{
    char a[ADDR_STR_MAX];
    vici_put_value(w, host, addr_str(&e->addr, a));
    vici_put_number(w, port, e->port);
}

static void add_conf_id(struct vici_writer *w, const char *name, const struct conn_auth *a)
{
    static const struct id any;
    id_print(a ? &a->id : &any, vici_put_open(w, name));
    vici_put_close(w);
}

/* Opens the section of the IKE SA that an event is about; the caller ends it. */
static void ike_section(struct core *c, const struct event *ev, uint32_t id, const char *gone_state,
                        struct vici_writer *w, const char *name)
{
    struct ike_sa_info sa;
    struct render r = core_render(c);
    vici_put_section(w, name);
    if (ike_sa_info_get(r.engine, id, &sa)) {
        render_ike(&r, &sa, w);
        return;
    }
    const struct conn *conn = ev->conn ? ike_conn_get(r.engine, ev->conn) : NULL;
    vici_put_number(w, "uniqueid", id);
    vici_put_value(w, "version", conn && conn->version == 1 ? "1" : "2");
    vici_put_value(w, "state", gone_state);
    add_gone_end(w, "local-host", "local-port", &ev->local);
    add_conf_id(w, "local-id", conn ? &conn->auth_local : NULL);
    add_gone_end(w, "remote-host", "remote-port", &ev->remote);
    add_conf_id(w, "remote-id", conn ? &conn->auth_remote : NULL);
    vici_put_hex(w, "initiator-spi", ev->ike_spi_i, 16);
    vici_put_hex(w, "responder-spi", ev->ike_spi_r, 16);
}

struct find {
    const struct render *r;
    struct vici_writer *w;
    uint32_t id;
    bool found;
};

static void find_child(void *ctx, const struct child_sa_info *c)
{
    struct find *f = ctx;
    if (c->id != f->id)
        return;
    render_child(f->r, c, f->w);
    f->found = true;
}

static void gone_child(const struct event *ev, uint32_t id, const char *state,
                       struct vici_writer *w)
{
    vici_put_value(w, "name", ev->child ? ev->child : "");
    vici_put_number(w, "uniqueid", id);
    vici_put_value(w, "reqid", "0");
    vici_put_value(w, "state", state);
    vici_put_value(w, "mode", "TUNNEL");
    vici_put_value(w, "protocol", "ESP");
    if (ev->spi_in && id == ev->child_id) {
        vici_put_hex(w, "spi-in", ev->spi_in, 8);
        vici_put_hex(w, "spi-out", ev->spi_out, 8);
    }
}

static void child_section(struct core *c, const struct event *ev, uint32_t id, const char *state,
                          struct vici_writer *w, const char *name)
{
    struct render r = core_render(c);
    struct find f = {.r = &r, .w = w, .id = id};
    vici_put_section(w, name);
    child_sa_each(r.engine, ev->ike_id, find_child, &f);
    if (!f.found)
        gone_child(ev, id, state, w);
    vici_put_section_end(w);
}

static const char *name_of(const struct event *ev)
{
    return ev->conn ? ev->conn : "(unnamed)";
}

static void ike_updown(struct core *c, const struct event *ev, bool up)
{
    struct vici_writer *w = vici_raise_begin(c->vici, "ike-updown");
    if (!w)
        return;
    if (up)
        vici_put_value(w, "up", "yes");
    ike_section(c, ev, ev->ike_id, "DELETING", w, name_of(ev));
    vici_put_section_end(w);
    vici_raise_end(c->vici);
}

static void child_updown(struct core *c, const struct event *ev, bool up)
{
    char name[160];
    struct vici_writer *w = vici_raise_begin(c->vici, "child-updown");
    if (!w)
        return;
    if (up)
        vici_put_value(w, "up", "yes");
    ike_section(c, ev, ev->ike_id, "DELETING", w, name_of(ev));
    snprintf(name, sizeof name, "%.128s-%u", ev->child ? ev->child : "", ev->child_id);
    vici_put_section(w, "child-sas");
    child_section(c, ev, ev->child_id, up ? "INSTALLED" : "DELETED", w, name);
    vici_put_section_end(w);
    vici_put_section_end(w);
    vici_raise_end(c->vici);
}

/* number: the id of the SA that was replaced. */
static void ike_rekey(struct core *c, const struct event *ev)
{
    struct vici_writer *w = vici_raise_begin(c->vici, "ike-rekey");
    if (!w)
        return;
    vici_put_section(w, name_of(ev));
    ike_section(c, ev, (uint32_t)ev->number, "REKEYED", w, "old");
    vici_put_section_end(w);
    ike_section(c, ev, ev->ike_id, "ESTABLISHED", w, "new");
    vici_put_section_end(w);
    vici_put_section_end(w);
    vici_raise_end(c->vici);
}

static void child_rekey(struct core *c, const struct event *ev)
{
    struct vici_writer *w = vici_raise_begin(c->vici, "child-rekey");
    if (!w)
        return;
    ike_section(c, ev, ev->ike_id, "ESTABLISHED", w, name_of(ev));
    vici_put_section(w, "child-sas");
    vici_put_section(w, ev->child ? ev->child : "");
    child_section(c, ev, (uint32_t)ev->number, "REKEYED", w, "old");
    child_section(c, ev, ev->child_id, "INSTALLED", w, "new");
    vici_put_section_end(w);
    vici_put_section_end(w);
    vici_put_section_end(w);
    vici_raise_end(c->vici);
}

void updown_event(struct core *c, const struct event *ev)
{
    switch (ev->kind) {
    case EV_IKE_ESTABLISHED:
    case EV_IKE_DOWN:
        ike_updown(c, ev, ev->kind == EV_IKE_ESTABLISHED);
        break;
    case EV_CHILD_ESTABLISHED:
    case EV_CHILD_DOWN:
        child_updown(c, ev, ev->kind == EV_CHILD_ESTABLISHED);
        break;
    case EV_IKE_REKEYED:
        ike_rekey(c, ev);
        break;
    case EV_CHILD_REKEYED:
        child_rekey(c, ev);
        break;
    default:
        break;
    }
}
