/* A lane's buffers: cells for single packets, room for one super-packet, trains from the network.
 */
#pragma once

#include "daemon/lane.h"

bool lane_buffers_make(struct lane *l) must_use;
void lane_buffers_free(struct lane *l);
uint8_t *lane_spare(struct lane *l); /* 64 KB with head- and tailroom, for the slow side */
