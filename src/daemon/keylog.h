/*
 * Keys of the running CHILD SAs, kept for export only when the operator started the daemon with
 * --allow-key-export: to decrypt a capture, mission row 145. All functions take NULL for "not
 * allowed".
 */
#pragma once

#include <culvert/vici.h>
#include "model/child_sa.h"

struct keylog;

struct keylog *keylog_new(void) must_use;
void keylog_free(struct keylog *k);
void keylog_add(struct keylog *k, const struct child_sa *sa);
void keylog_del(struct keylog *k, uint32_t child_id);
void keylog_render(const struct keylog *k, struct vnode *in); /* a section per SPI */
