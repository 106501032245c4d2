/*
 * The MSS option of TCP's SYN (RFC 9293 3.7.1), lowered to what the tunnel carries, so that no
 * segment of the connection is too big, whether ICMP comes through or not. Called for SYNs of both
 * directions, by look.c.
 */
#pragma once

#include "dataplane/ip.h"

/* Is it TCP with SYN? `ip` is what ip_parse said. */
static inline bool mss_is_syn(const uint8_t *p, const struct ip_info *ip)
{
    return flow_proto(&ip->flow) == 6 && !ip->later_frag && ip->l4 + 20 <= ip->len &&
           (p[ip->l4 + 13] & 0x02);
}

/* Lowers the option to `most` and repairs the checksum (RFC 1624). False: nothing to do; options
 * that lie about themselves are left to the receiver. */
bool mss_clamp(uint8_t *tcp, uint32_t len, uint16_t most);
