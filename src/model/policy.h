/* A row of the SPD: RFC 4301 4.4.1. */
#pragma once

#include "model/ts.h"

enum policy_action { POL_PROTECT, POL_BYPASS, POL_DROP };

struct policy {
    uint32_t id;       /* unique, chosen by the daemon; ACQUIRE names it */
    uint32_t priority; /* lower first; equal: more specific, then lower id */
    uint16_t iface;    /* for packets of this interface alone; 0: the shared one */
    enum policy_action action;
    const char *conn, *child;
    struct ts_list local, remote; /* local is the source of outbound packets */
};
