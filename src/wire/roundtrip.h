/*
 * For unit tests and fuzz targets, not part of the daemon: whatever a parser of this room accepts
 * must come back the same after writing and parsing it again.
 */
#pragma once

#include "base/cursor.h"

enum roundtrip { RT_REFUSED, RT_HOLDS, RT_BROKEN };

enum roundtrip roundtrip_body(uint8_t payload_type, struct bytes body);
enum roundtrip roundtrip_cfg(struct bytes body, bool v1); /* configuration of either version */
enum roundtrip roundtrip_chain(struct bytes chain, uint8_t first);    /* and every body in it */
enum roundtrip roundtrip_message(struct bytes msg);                   /* and its chain */
enum roundtrip roundtrip_chain_v1(struct bytes chain, uint8_t first); /* IKEv1, padding allowed */
