/* The algorithms of connections and the crypto room: see suites.c. */
#pragma once

#include "daemon/core.h"

/* E_NOTSUP: err->text names the algorithm that nobody implements here. */
err_t suites_check(const struct conn *conn, struct io_error *err) must_use;
/* Tests ipsec-mb's implementations of what the connection may use; a suite only once. */
void suites_prepare(const struct conn *conn);
/* Logs where ipsec-mb failed, if there is something new. */
void suites_tell(struct core *c);
