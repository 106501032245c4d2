/* Fragments that wait for their first: see frag_wait.h. */
#include "dataplane/frag_wait.h"
#include <stdlib.h>

err_t frag_wait_init(struct frag_wait *w)
{
    w->mem = malloc((size_t)FRAG_WAIT_MAX * FRAG_WAIT_SIZE);
    return w->mem ? E_OK : E_NOMEM;
}

void frag_wait_fini(struct frag_wait *w)
{
    free(w->mem);
    w->mem = NULL;
}

static uint8_t *memory(const struct frag_wait *w, const struct frag_wait_slot *s)
{
    return w->mem + (size_t)(s - w->slot) * FRAG_WAIT_SIZE;
}

static void forget(struct frag_wait *w, struct frag_wait_slot *s)
{
    w->count--;
    w->ready -= s->ready;
    *s = (struct frag_wait_slot){0};
}

bool frag_wait_put(struct frag_wait *w, const struct frag_wait_slot *s, const uint8_t *p,
                   uint64_t now_ms)
{
    struct frag_wait_slot *to = w->slot;
    if (w->count == FRAG_WAIT_MAX || s->len > FRAG_WAIT_SIZE)
        return false;
    while (to->used)
        to++;
    *to = *s;
    to->used = true;
    to->ready = false;
    to->at_ms = now_ms;
    to->turn = ++w->turn;
    memcpy(memory(w, to), p, s->len);
    w->count++;
    return true;
}

void frag_wait_release(struct frag_wait *w, const struct flow *key, uint32_t scope, bool in)
{
    for (struct frag_wait_slot *s = w->slot; w->count && s < w->slot + FRAG_WAIT_MAX; s++) {
        if (!s->used || s->ready || s->scope != scope || (s->child_id != 0) != in ||
            !flow_eq(&s->key, key))
            continue;
        s->ready = true;
        w->ready++;
    }
}

bool frag_wait_take(struct frag_wait *w, struct frag_wait_slot *s, uint8_t *buf)
{
    struct frag_wait_slot *first = NULL;
    for (struct frag_wait_slot *i = w->slot; w->ready && i < w->slot + FRAG_WAIT_MAX; i++)
        if (i->ready && (!first || i->turn < first->turn))
            first = i;
    if (!first)
        return false;
    *s = *first;
    memcpy(buf, memory(w, first), first->len);
    forget(w, first);
    return true;
}

uint32_t frag_wait_expire(struct frag_wait *w, uint64_t now_ms)
{
    uint32_t gone = 0;
    for (struct frag_wait_slot *s = w->slot; w->count && s < w->slot + FRAG_WAIT_MAX; s++) {
        if (!s->used || now_ms - s->at_ms < FRAG_WAIT_MS)
            continue;
        forget(w, s);
        gone++;
    }
    return gone;
}
