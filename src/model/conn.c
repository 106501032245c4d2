/* Connections and shared secrets as configured; the defaults are swanctl.conf's. */
#include "model/conn.h"
#include <stdlib.h>

struct conn *conn_new(const char *name)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->name = strdup(name);
    if (!c->name) {
        free(c);
        return NULL;
    }
    c->refs = 1;
    c->local_port = c->remote_port = 500;
    c->mobike = c->send_certreq = c->pull = true;
    c->fragmentation = FRAG_YES;
    c->rekey_s = 4 * 3600;
    c->over_s = c->rekey_s / 10;
    c->rand_s = c->over_s;
    c->keyingtries = 1;
    return c;
}

struct conn *conn_ref(struct conn *c)
{
    c->refs++;
    return c;
}

bool conn_cert_add(struct conn_cert **list, size_t *count, const char *name, struct bytes der,
                   const uint8_t fp[32])
{
    struct conn_cert *grown = realloc(*list, (*count + 1) * sizeof *grown);
    if (!grown)
        return false;
    *list = grown;
    struct conn_cert *c = &grown[*count];
    *c = (struct conn_cert){.name = strdup(name), .p = malloc(der.n + 1), .n = der.n};
    if (!c->name || !c->p) {
        free(c->name);
        free(c->p);
        return false;
    }
    memcpy(c->p, der.p, der.n);
    memcpy(c->fp, fp, sizeof c->fp);
    ++*count;
    return true;
}

static void certs_free(struct conn_cert *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].name);
        free(list[i].p);
    }
    free(list);
}

static void auth_fini(struct conn_auth *a)
{
    free(a->id_text);
    free(a->xauth_id);
    if (!a->pki)
        return;
    certs_free(a->pki->certs, a->pki->cert_count);
    certs_free(a->pki->cacerts, a->pki->cacert_count);
    free(a->pki);
}

static void auth_free(struct conn_auth *a)
{
    if (a)
        auth_fini(a);
    free(a);
}

void conn_unref(struct conn *c)
{
    if (!c || --c->refs)
        return;
    for (size_t i = 0; i < CONN_ADDRS_MAX; i++) {
        free(c->local[i].host);
        free(c->remote[i].host);
    }
    for (size_t i = 0; i < c->child_count; i++)
        free(c->child[i].name);
    free(c->child);
    for (size_t i = 0; i < c->pool_count; i++)
        free(c->pool[i]);
    auth_fini(&c->auth_local);
    auth_fini(&c->auth_remote);
    auth_free(c->xauth_local);
    auth_free(c->xauth_remote);
    free(c->name);
    free(c);
}

struct conn_child *conn_child_add(struct conn *c, const char *name)
{
    if (c->child_count >= CONN_CHILDREN_MAX)
        return NULL;
    struct conn_child *grown = realloc(c->child, (c->child_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    c->child = grown;
    struct conn_child *ch = &c->child[c->child_count];
    *ch = (struct conn_child){.name = strdup(name), .replay_window = 32};
    if (!ch->name)
        return NULL;
    c->child_count++;
    ch->life.rekey_s = 3600;
    ch->life.life_s = 3960;
    ch->rand_s = 360;
    return ch;
}

const struct conn_child *conn_child_find(const struct conn *c, const char *name)
{
    for (size_t i = 0; i < c->child_count; i++)
        if (!strcmp(c->child[i].name, name))
            return &c->child[i];
    return NULL;
}

bool addr_match_has(const struct addr_match *m, const struct addr *a)
{
    if (m->host)
        return false;
    if (m->lo.family == 0)
        return true;
    return m->lo.family == a->family && addr_cmp(&m->lo, a) <= 0 && addr_cmp(&m->hi, a) >= 0;
}

struct shared *shared_new(const char *name)
{
    struct shared *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->name = strdup(name);
    if (!s->name) {
        free(s);
        return NULL;
    }
    return s;
}

void shared_free(struct shared *s)
{
    if (!s)
        return;
    secret_free(&s->secret);
    free(s->name);
    free(s);
}
