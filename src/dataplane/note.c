/* Notes: see note.h. */
#include "dataplane/note.h"
#include <stdlib.h>

err_t notes_init(struct notes *q)
{
    *q = (struct notes){.ring = calloc(NOTES_MAX, sizeof *q->ring)};
    return q->ring ? E_OK : E_NOMEM;
}

void notes_fini(struct notes *q)
{
    free(q->ring);
    q->ring = NULL;
}

bool notes_put(struct notes *q, const struct dp_note *n)
{
    if (q->count == NOTES_MAX)
        return false;
    q->ring[(q->head + q->count++) % NOTES_MAX] = *n;
    return true;
}

bool notes_get(struct notes *q, struct dp_note *n)
{
    if (!q->count)
        return false;
    *n = q->ring[q->head];
    q->head = (q->head + 1) % NOTES_MAX;
    q->count--;
    return true;
}
