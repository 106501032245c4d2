/*
 * Body of IKEv1's ID payload: RFC 2407 4.6.2. In phase 1 an identity as in IKEv2, with protocol and
 * port; in quick mode one traffic selector (address, subnet or range, protocol, port).
 */
#pragma once

#include "model/id.h"
#include "model/ts.h"

enum { /* types of RFC 2407 4.6.2.1 that IKEv2's identities do not have */
       ID1_IPV4_SUBNET = 4,
       ID1_IPV6_SUBNET = 6,
       ID1_IPV4_RANGE = 7,
       ID1_IPV6_RANGE = 8,
};

/* Phase 1: protocol and port must be 0 and 0, or UDP and anything (RFC 2407 4.6.2 says 500, peers
 * behind NAT say 4500 or 0): else R_SYNTAX. */
err_t id_v1_parse(struct bytes body, struct id *out) must_use;
void id_v1_write(struct wr *w, const struct id *id); /* protocol 0, port 0 */

/* Quick mode. A subnet mask must be ones then zeros, a range ordered: else R_SYNTAX. */
err_t ts_v1_parse(struct bytes body, struct ts *out) must_use;
/* E_USAGE in w when it cannot be said: a range of ports, two families. */
void ts_v1_write(struct wr *w, const struct ts *t);
bool ts_v1_expressible(const struct ts *t);
