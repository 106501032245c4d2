/* Keys and certificates of a whole configuration: see creds.c, authorities.c. Inside of config
 * only. */
#pragma once

#include "config/schema.h"
#include "pki/build.h"

/* Fills c->pki from the folders beside the file that `tree` was read from, and what c names. */
void creds_load(struct cx *cx, const struct vnode *tree, struct config *c);
/* The text of a secret as a file spells it; false: reported. */
bool secret_of_text(struct cx *cx, const struct vnode *n, struct secret *out);
