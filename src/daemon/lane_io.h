/*
 * What both ways through a lane share: its buffers, and sending to the network and to the host.
 * lane_out.c is the way out, lane_in.c the way in.
 */
#pragma once

#include "daemon/lane.h"

#define IN_MESSAGES 64 /* messages a burst without GRO; with it, a few trains keep data in L2 */
#define IN_TRAINS   4
#define IN_DATA     65536
#define IN_FRONT    256 /* a raw socket's IP header goes in front of it */
/* not powers of two, so that buffers spread over the cache sets */
#define IN_STRIDE (DP_HEADROOM + IN_DATA + DP_TAILROOM + 832)

bool lane_buffers_make(struct lane *l) must_use;
void lane_buffers_free(struct lane *l);
size_t lane_cell_stride(const struct lane *l);
uint8_t *lane_in_buffer(struct lane *l, size_t i);
uint8_t *lane_spare(struct lane *l); /* 64 KB with head- and tailroom, for the slow side */

/*
 * Encapsulated packets among the first n of l->ptr go to the messages that wait to be sent, in
 * order; no more than LANE_WAIT may be there before. lane_flush sends them. more: a train that is
 * not full may wait for what comes next in this turn. Packets' data must stay until then.
 */
void lane_to_net(struct lane *l, size_t n);
void lane_flush(struct lane *l, bool more);
/* Decrypted packets among the first n of l->ptr go to their LAN interface or to the TUN device. */
void lane_to_host(struct lane *l, size_t n, uint64_t now_ms);
/* What the data plane itself has to send by now. */
void lane_own(struct lane *l, uint64_t now_ms);
bool lane_lan(struct lane *l, uint64_t now_ms); /* as lane_outbound, from the LAN interfaces */
void lane_tun_gone(struct lane *l);
void lane_iface_gone(struct lane *l, struct lane_iface *i);
/* What is not done with a verdict for the network or the host, of the first n; and notes. */
void lane_after(struct lane *l, size_t n, bool inbound);
/* A batch through the data plane and on its way. */
void lane_in_batch(struct lane *l, size_t n, uint64_t now_ms);
void lane_out_batch(struct lane *l, size_t n, uint64_t now_ms); /* lane_flush is to follow */
/* Hears of what was too big for the outgoing link: lane_link.c. */
struct sock_ear lane_ear(struct lane *l);
