/*
 * What a tunnel does with fields of the IP headers, as the child configures it: RFC 4301 5.1.2.
 * All zero: the defaults of swanctl.conf. Crosses to the data plane in struct child_sa.
 */
#pragma once

#include <stdint.h>

enum copy_dscp { DSCP_OUT, DSCP_IN, DSCP_BOTH, DSCP_NO };
enum copy_ecn { ECN_COPY, ECN_NO }; /* RFC 6040, or the outer field stays Not-ECT and unread */
#define MSS_CLAMP_NO 0xffff         /* as `mss`: left alone */

enum copy_df { DF_COPY, DF_CLEAR, DF_SET };
/* IPv4 packets without DF that are too big: cut before they are encrypted, or the outer ones. */
enum fragment { FRAGMENT_BEFORE, FRAGMENT_AFTER };

struct tunnel_rules {
    uint8_t dscp, ecn, df; /* enum copy_... */
    uint8_t dscp_value;    /* outer, where it is not copied: RFC 2474 */
    uint8_t fragment;      /* enum fragment */
    uint16_t mtu;          /* largest inner packet; 0: found out */
    uint16_t mss;          /* largest MSS let through; 0: what the path MTU allows */
};
