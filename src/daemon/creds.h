/*
 * What the daemon has of keys, certificates and authorities: a builder that lives as long as it,
 * and the store made of it last, which the engine and its jobs read. load.c and control_creds.c
 * change it; core hands each new store to the engine.
 */
#pragma once

#include "config/config.h"

struct creds;

typedef void creds_fn(void *ctx,
                      struct pki *store); /* a new store; who keeps it takes a reference */
struct creds *creds_new(creds_fn *changed, void *ctx) must_use;
void creds_free(struct creds *c);

struct pki_build *creds_build(struct creds *c);
const struct pki *creds_store(const struct creds *c); /* NULL: nothing yet */
/* After changes of the builder. E_NOMEM: the old store stays. */
err_t creds_publish(struct creds *c) must_use;

/* Connections hold the certificates that they name; after that they know them by fingerprint only.
 */
err_t creds_conn_load(struct creds *c, struct conn *conn) must_use;
void creds_conn_unload(struct creds *c, const struct conn *conn); /* NULL is fine */
/* The whole of a file takes the place of everything; takes pki and authorities out of `cf`. */
err_t creds_replace(struct creds *c, struct config *cf) must_use;

/* Takes it over; one of the same name makes way. */
err_t creds_authority_load(struct creds *c, struct config_authority *a) must_use;
bool creds_authority_unload(struct creds *c, const char *name);
size_t creds_authorities(const struct creds *c, struct config_authority *const **list);
