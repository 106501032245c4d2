/* The bounded queue of notes to the control side. A note that finds no room is offered again by its
 * cause's next packet. */
#pragma once

#include "culvert/dataplane.h"

#define NOTES_MAX 1024

struct notes {
    struct dp_note *ring; /* NOTES_MAX */
    uint32_t head, count;
};

err_t notes_init(struct notes *q) must_use;
void notes_fini(struct notes *q);
bool notes_put(struct notes *q, const struct dp_note *n); /* false: full */
bool notes_get(struct notes *q, struct dp_note *n);
