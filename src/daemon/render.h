/* Snapshots as VICI messages, with charon's keys, order and spellings. */
#pragma once

#include <culvert/ike.h>
#include <culvert/vici.h>
#include "daemon/policies.h"

typedef bool render_stats_fn(void *ctx, uint32_t child_id, struct child_stats *out);

struct render {
    const struct ike *engine;
    render_stats_fn *stats;
    void *ctx;
    uint64_t now_ms;
    const char *tun; /* of the children without an interface of their own */
};

/* The members of an IKE SA, into a section named like its connection. */
void render_ike(const struct render *r, const struct ike_sa_info *sa, struct vici_writer *w);
void render_child(const struct render *r, const struct child_sa_info *c, struct vici_writer *w);
/* A whole list-sa message; child_id 0: all children, as filtered by name (NULL: all). False when a
 * filter is given and no child fits: the message is not wanted. */
bool render_sa(const struct render *r, const struct ike_sa_info *sa, const char *child,
               uint32_t child_id, struct vici_writer *w);
void render_conn(const struct conn *c, struct vici_writer *w);
/* iface: the name of its interface; NULL: not known. */
void render_policy(const struct policy_row *row, const char *iface, struct vici_writer *w);
