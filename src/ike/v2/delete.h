/* The receiving half of deletion, called by informational.c. */
#pragma once

#include "ike/v2/v2.h"
#include "wire/del.h"

void v2_delete_done(struct ike *e, struct v2_sa *v);
/* Removes what the peer deletes; spis gets those to be named in the answer. */
size_t v2_delete_children(struct ike *e, struct v2_sa *v, const struct del *d, uint32_t *spis,
                          size_t max);
void v2_delete_ike(struct ike *e, struct v2_sa *v, err_t reason);
