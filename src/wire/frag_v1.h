/*
 * The fragment payload of IKEv1: payload type 132, announced by the vendor id FRAGMENTATION; no RFC
 * has it, Cisco, Microsoft ([MS-IKEE] 2.2.4), strongSwan and Libreswan speak it. It is the only
 * payload of its message; the parts together are a whole message, header included.
 */
#pragma once

#include "base/cursor.h"

#define FRAG_V1_HDR_LEN 8 /* with the payload's header */

struct frag_v1 {
    uint16_t id;
    uint8_t number; /* from 1 */
    bool last;
    struct bytes data;
};

/* body: all behind the IKE header. */
err_t frag_v1_parse(struct bytes body, struct frag_v1 *out) must_use;
void frag_v1_write(struct wr *w, const struct frag_v1 *f);
