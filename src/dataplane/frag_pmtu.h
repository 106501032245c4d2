/*
 * Packets too big for the tunnel (RFC 4301 8.2). One that must not be fragmented (IPv4 with DF,
 * RFC 1191; IPv6, RFC 4443 3.2) becomes the ICMP error for its sender. Others are cut before they
 * are encrypted (frag_out.h), or protected whole, and then the kernel fragments the outer packet
 * (RFC 4303 3.3.4) and the peer's kernel puts it together again.
 */
#pragma once

#include "dataplane/ip.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200 5: never told a smaller one; fragmented outside instead */

/* Does this packet have to be refused? Else *df says whether the outer packet may be fragmented. */
bool pmtu_refuse(const struct ip_info *ip, bool *df);
/*
 * Turns the packet in place into an ICMP error of at most 576 (IPv4) or 1280 bytes (IPv6); needs 48
 * bytes of headroom. It seems to come from the destination: any other address of ours would be
 * refused by the kernel as a martian on the TUN. False: no error may be sent for this packet
 * (RFC 1122 3.2.2).
 */
bool pmtu_answer(uint8_t **data, uint32_t *len, const struct ip_info *ip, uint16_t mtu);
