/* Keys, certificates and authorities of the daemon: see creds.h. */
#include "daemon/creds.h"
#include <stdlib.h>

struct creds {
    struct pki_build *build;
    struct pki *store;
    struct config_authority **authority;
    size_t count;
    creds_fn *changed;
    void *ctx;
};

struct creds *creds_new(creds_fn *changed, void *ctx)
{
    struct creds *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct creds){.build = pki_build_new(), .changed = changed, .ctx = ctx};
    if (!c->build) {
        free(c);
        return NULL;
    }
    return c;
}

static void authorities_free(struct creds *c)
{
    for (size_t i = 0; i < c->count; i++)
        config_authority_free(c->authority[i]);
    free(c->authority);
}

void creds_free(struct creds *c)
{
    if (!c)
        return;
    authorities_free(c);
    pki_unref(c->store);
    pki_build_free(c->build);
    free(c);
}

struct pki_build *creds_build(struct creds *c)
{
    return c->build;
}

const struct pki *creds_store(const struct creds *c)
{
    return c->store;
}

err_t creds_publish(struct creds *c)
{
    struct pki *store;
    err_t e = pki_build_store(c->build, &store);
    if (e)
        return e;
    pki_unref(c->store);
    c->store = store;
    c->changed(c->ctx, store);
    return E_OK;
}

/* --- connections --- */

static bool names_certs(const struct conn *c)
{
    return c && (c->auth_local.pki || c->auth_remote.pki);
}

static void forget_list(struct conn_cert *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i].p);
        list[i].p = NULL;
        list[i].n = 0;
    }
}

/* The store has the bytes now. */
static void forget_bytes(struct conn *c)
{
    struct conn_pki *both[] = {c->auth_local.pki, c->auth_remote.pki};
    for (size_t i = 0; i < 2; i++) {
        if (!both[i])
            continue;
        forget_list(both[i]->certs, both[i]->cert_count);
        forget_list(both[i]->cacerts, both[i]->cacert_count);
    }
}

err_t creds_conn_load(struct creds *c, struct conn *conn)
{
    if (!names_certs(conn))
        return E_OK;
    err_t e = creds_hold_conn(c->build, conn);
    if (e)
        return e;
    forget_bytes(conn);
    e = creds_publish(c);
    if (e)
        creds_drop_conn(c->build, conn);
    return e;
}

void creds_conn_unload(struct creds *c, const struct conn *conn)
{
    if (!names_certs(conn))
        return;
    creds_drop_conn(c->build, conn);
    err_t e = creds_publish(c);
    (void)e; /* without memory the certificates stay a little longer */
}

err_t creds_replace(struct creds *c, struct config *cf)
{
    authorities_free(c);
    pki_build_free(c->build);
    c->authority = cf->authority;
    c->count = cf->authority_count;
    c->build = cf->pki;
    cf->authority = NULL;
    cf->authority_count = 0;
    cf->pki = NULL;
    for (size_t i = 0; i < cf->conn_count; i++)
        forget_bytes(cf->conn[i]);
    return creds_publish(c);
}

/* --- authorities --- */

static size_t place_of(const struct creds *c, const char *name)
{
    size_t i = 0;
    while (i < c->count && strcmp(c->authority[i]->name, name) != 0)
        i++;
    return i;
}

err_t creds_authority_load(struct creds *c, struct config_authority *a)
{
    size_t at = place_of(c, a->name);
    struct config_authority **list = realloc(c->authority, (c->count + 1) * sizeof *list);
    err_t e = list ? config_authority_hold(c->build, a) : E_NOMEM;
    c->authority = list ? list : c->authority;
    if (e) {
        config_authority_free(a);
        return e;
    }
    if (at < c->count) {
        config_authority_drop(c->build, list[at]);
        config_authority_free(list[at]);
    } else {
        c->count++;
    }
    list[at] = a;
    return creds_publish(c);
}

bool creds_authority_unload(struct creds *c, const char *name)
{
    size_t at = place_of(c, name);
    if (at == c->count)
        return false;
    config_authority_drop(c->build, c->authority[at]);
    config_authority_free(c->authority[at]);
    memmove(&c->authority[at], &c->authority[at + 1], (c->count - at - 1) * sizeof *c->authority);
    c->count--;
    err_t e = creds_publish(c);
    (void)e; /* without memory it is trusted a little longer */
    return true;
}

size_t creds_authorities(const struct creds *c, struct config_authority *const **list)
{
    *list = c->authority;
    return c->count;
}
