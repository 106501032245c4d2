/* What only the times of a CHILD SA need of child.c. */
#pragma once

struct ike;
struct child;

/* Out of the data plane at once, while its Delete is still to be exchanged. */
void child_uninstall(struct ike *e, struct child *c);
