/* Files that a configuration names: reading within bounds, and where they are. Inside of config
 * only. */
#pragma once

#include "config/config.h"

/* Up to max bytes are appended; false with errno (EFBIG: larger). The caller wipes what is secret.
 * A stream may be a pipe as well; what is read on the daemon's only thread without being named on a
 * command line is a file. */
bool stream_read(const char *path, size_t max, struct buf *out);
bool file_read(const char *path, size_t max, struct buf *out);
void file_wipe(struct buf *b);
/* DIR/NAME beside the main file of the configuration that `n` is in, NAME itself when absolute.
 * NULL: no memory. The caller frees. */
char *file_beside(const struct vnode *n, const char *dir, const char *name);
/* Did the node come from a file? What VICI brings did not. */
bool is_from_file(const struct vnode *n);

/* Certificates and keys are small; revocation lists need not be. */
#define CONFIG_CERT_MAX (1u << 20)
#define CONFIG_CRL_MAX  (64u << 20)
