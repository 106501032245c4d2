/* Packets that came before their SA: see early.h. */
#include "dataplane/early.h"
#include <stdlib.h>

err_t early_init(struct early *e)
{
    e->mem = malloc((size_t)EARLY_MAX * EARLY_SIZE);
    return e->mem ? E_OK : E_NOMEM;
}

void early_fini(struct early *e)
{
    free(e->mem);
    e->mem = NULL;
}

static uint8_t *memory(struct early *e, const struct early_slot *s)
{
    return e->mem + (size_t)(s - e->slot) * EARLY_SIZE;
}

static void forget(struct early *e, struct early_slot *s)
{
    e->count--;
    e->ready -= s->ready;
    *s = (struct early_slot){0};
}

bool early_put(struct early *e, uint32_t spi, const struct dp_pkt *p, uint64_t now_ms)
{
    if (p->ip_len > DP_HEADROOM || p->len + p->ip_len > EARLY_SIZE || e->count == EARLY_MAX)
        return false;
    for (struct early_slot *s = e->slot; s < e->slot + EARLY_MAX; s++) {
        if (s->spi)
            continue;
        *s = (struct early_slot){.spi = spi, .at_ms = now_ms, .pkt = *p};
        memcpy(memory(e, s), p->data - p->ip_len, p->len + p->ip_len);
        e->count++;
        return true;
    }
    return false;
}

void early_release(struct early *e, uint32_t spi)
{
    for (struct early_slot *s = e->slot; e->count && s < e->slot + EARLY_MAX; s++) {
        if (s->spi != spi || s->ready)
            continue;
        s->ready = true;
        e->ready++;
    }
}

bool early_take(struct early *e, struct dp_pkt *p, size_t cap)
{
    struct early_slot *first = NULL;
    for (struct early_slot *s = e->slot; e->ready && s < e->slot + EARLY_MAX; s++)
        if (s->ready && (!first || s->at_ms < first->at_ms))
            first = s;
    if (!first || first->pkt.len > cap)
        return false;
    uint8_t *data = p->data;
    *p = first->pkt;
    p->data = data;
    memcpy(data - p->ip_len, memory(e, first), p->len + p->ip_len);
    forget(e, first);
    return true;
}

uint32_t early_expire(struct early *e, uint64_t now_ms)
{
    uint32_t gone = 0;
    for (struct early_slot *s = e->slot; e->count && s < e->slot + EARLY_MAX; s++) {
        if (!s->spi || now_ms - s->at_ms < EARLY_MS)
            continue;
        forget(e, s);
        gone++;
    }
    return gone;
}
