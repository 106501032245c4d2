/*
 * A message that comes in parts, of either version: bounded in number and bytes. Parts of a
 * different message begin anew; so does one that contradicts what is there. RFC 7383 2.6 and the
 * fragments of IKEv1.
 */
#pragma once

#include "ike/engine.h"

#define IKE_PARTS_MAX   64
#define IKE_PARTS_BYTES 65535 /* of a whole message */

struct ike_part {
    uint32_t msg_id;
    uint8_t exchange;
    uint16_t id;            /* IKEv1: tells messages apart */
    uint16_t number, total; /* from 1; total 0: not known yet */
    struct bytes data;
};

struct ike_parts; /* one message; NULL: none under way */

enum parts_state { PARTS_BAD, PARTS_AGAIN, PARTS_WAIT, PARTS_DONE };

/* Takes a part in. PARTS_DONE: all are there, parts_join gives them. */
enum parts_state parts_add(struct ike *e, struct ike_parts **p, const struct ike_part *part);
/* All in order, in the arena; forgets the parts. .p NULL: no memory. */
struct bytes parts_join(struct ike *e, struct arena *a, struct ike_parts **p);
/* The largest total of the message under way; 0: none, or another message is. */
uint16_t parts_total(const struct ike_parts *p, const struct ike_part *part);
void parts_free(struct ike_parts **p);

/* The place for the first message of a peer without SA; a few of them, of which the oldest goes.
 * NULL: no memory. */
struct ike_parts **parts_of_stranger(struct ike *e, const struct ike_pkt *p);
void parts_strangers_free(struct ike *e);
