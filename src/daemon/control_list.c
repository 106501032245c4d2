/*
 * VICI: list-sas. The SAs are noted by number when the command comes and told from their state when
 * their turn comes; those that went meanwhile are left out. Thousands of them go out as the client
 * reads, so neither the daemon nor its memory waits for it.
 */
#include "daemon/core.h"
#include <stdlib.h>

struct listing {
    struct core *c;
    char *child; /* NULL: all */
    uint32_t child_id;
    size_t at, count;
    uint32_t id[];
};

static void list_one(const struct listing *l, const struct render *r, const struct ike_sa_info *sa,
                     struct vici_client *client)
{
    struct vici_writer *w = vici_event_begin(client, "list-sa");
    if (!w)
        return;
    if (render_sa(r, sa, l->child, l->child_id, w))
        vici_event_end(client);
    else
        vici_event_cancel(client);
}

static bool more(void *ctx, struct vici_client *client)
{
    struct listing *l = ctx;
    struct ike_sa_info sa;
    struct render r = core_render(l->c);
    for (; l->at < l->count && !vici_client_full(client); l->at++)
        if (ike_sa_info_get(r.engine, l->id[l->at], &sa))
            list_one(l, &r, &sa, client);
    return l->at < l->count;
}

static void done(void *ctx)
{
    struct listing *l = ctx;
    free(l->child);
    free(l);
}

static uint32_t number(const struct vnode *m, const char *name)
{
    const char *v = vnode_get(m, name);
    return v ? (uint32_t)strtoul(v, NULL, 10) : 0;
}

static bool is_of(const struct ike *e, uint32_t id, const char *conn)
{
    struct ike_sa_info sa;
    return ike_sa_info_get(e, id, &sa) && (!conn || (sa.conn && !strcmp(conn, sa.conn->name)));
}

/* By number there is one at most, by connection only its own are looked at. */
static struct listing *select_sas(const struct ike *e, const struct vnode *m)
{
    const char *conn = vnode_get(m, "ike");
    uint32_t ike_id = number(m, "ike-id"), child_id = number(m, "child-id");
    uint32_t one = ike_id ? ike_id : ike_sa_of_child(e, child_id);
    bool by_id = ike_id || child_id;
    size_t most = by_id ? 1 : ike_sa_ids(e, conn, NULL, 0);
    struct listing *l = calloc(1, sizeof *l + most * sizeof l->id[0]);
    if (!l)
        return NULL;
    if (!by_id) {
        l->count = ike_sa_ids(e, conn, l->id, most);
    } else if (is_of(e, one, conn)) {
        l->id[l->count++] = one;
    }
    l->child_id = child_id;
    return l;
}

HANDLER(control_list_sas)
{
    struct core *c = ctx;
    const char *child = vnode_get(rq->msg, "child");
    struct listing *l = select_sas(runner_engine(c->runner), rq->msg);
    if (l && child)
        l->child = strdup(child);
    if (!l || (child && !l->child)) {
        reply_no(rq->reply, "out of memory");
        free(l);
        return;
    }
    l->c = c;
    vici_listing_begin(rq, &(struct vici_listing){l, more, done});
}
