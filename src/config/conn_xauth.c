/*
 * What a connection of travellers has: IKEv1's round of XAUTH beside the first one, virtual
 * addresses to ask for and pools to give them from. Called by conn_load.c and through the schema.
 */
#include "config/schema.h"
#include <stdlib.h>

static void *field(void *obj, size_t off)
{
    return (char *)obj + off;
}

/* --- XAUTH --- */

bool conn_is_xauth(const struct vnode *sec)
{
    const char *auth = vnode_get(sec, "auth");
    return auth && !strncmp(auth, "xauth", 5);
}

struct conn_auth *conn_xauth_place(struct cx *cx, const struct vnode *sec, struct conn *c,
                                   bool remote)
{
    struct conn_auth **second = remote ? &c->xauth_remote : &c->xauth_local;
    if (!conn_is_xauth(sec))
        return remote ? &c->auth_remote : &c->auth_local;
    if (*second) {
        cx_report(cx, DIAG_ERROR, sec, sec->name, "more than one round of XAUTH");
        return NULL;
    }
    *second = calloc(1, sizeof **second);
    if (!*second)
        cx->d->nomem = true;
    return *second;
}

/* draft-zegman-ike-hybrid-auth: who logs in proves nothing in phase 1; the identity is XAUTH's. */
void conn_xauth_alone(struct cx *cx, struct conn *c, unsigned rounds[2])
{
    struct conn_auth *const first[] = {&c->auth_local, &c->auth_remote};
    const struct conn_auth *const second[] = {c->xauth_local, c->xauth_remote};
    for (unsigned i = 0; i < 2; i++) {
        if (rounds[i] || !second[i])
            continue;
        first[i]->kind = AUTH_XAUTH;
        first[i]->id = second[i]->id;
        if (second[i]->id_text && !(first[i]->id_text = strdup(second[i]->id_text)))
            cx->d->nomem = true;
        rounds[i] = 1;
    }
}

void conn_xauth_check(struct cx *cx, const struct vnode *sec, const struct conn *c)
{
    bool xauth = c->xauth_local || c->xauth_remote;
    if (xauth && c->version != 1)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "version"), vnode_get(sec, "version"),
                  "XAUTH is IKEv1's: write version = 1");
    if (c->xauth_local && c->xauth_remote)
        cx_report(cx, DIAG_ERROR, sec, NULL, "only one side can ask for XAUTH");
    if ((c->auth_local.kind == AUTH_XAUTH && c->auth_remote.kind != AUTH_PUBKEY) ||
        (c->auth_remote.kind == AUTH_XAUTH && c->auth_local.kind != AUTH_PUBKEY))
        cx_report(cx, DIAG_ERROR, sec, NULL,
                  "XAUTH needs a first round: add a section with auth = psk on the same side");
    if (c->vip_count && c->pool_count)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "vips"), NULL,
                  "vips and pools: either we ask for an address or we give one");
}

/* --- values --- */

void set_string(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    char **at = field(obj, r->off);
    free(*at);
    *at = strdup(n->value);
    if (!*at)
        cx->d->nomem = true;
}

void set_vips(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct addr *list = field(obj, r->off);
    size_t *count = field(obj, r->aux);
    struct items it = items_of(n);
    for (const char *w; (w = items_next(&it));) {
        if (*count == CONN_VIPS_MAX) {
            cx_report(cx, DIAG_ERROR, n, w, "more than %d virtual addresses", CONN_VIPS_MAX);
            return;
        }
        if (it.too_long || !addr_parse(&list[*count], w))
            cx_report(cx, DIAG_ERROR, n, w, "expected 0.0.0.0, :: or a certain address");
        else
            ++*count;
    }
}

void set_names(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    char **list = field(obj, r->off);
    size_t *count = field(obj, r->aux);
    struct items it = items_of(n);
    for (const char *w; (w = items_next(&it));) {
        if (it.too_long || *count == CONN_POOLS_MAX) {
            cx_report(cx, DIAG_ERROR, n, w, it.too_long ? "too long for a name" : "too many pools");
            return;
        }
        list[*count] = strdup(w);
        if (list[*count])
            ++*count;
        else
            cx->d->nomem = true;
    }
}
