/* Inbound SA table: see sad.h. Freed slots wait in a queue, the longest free is used first. */
#include "dataplane/sad.h"
#include "base/hash.h"
#include <stdlib.h>

/* flags in next_free */
#define QUEUED 0x80000000u /* the slot is in the queue */
#define TAKEN  0x40000000u /* the SPI is an SA's */
#define INDEX  0x3fffffffu

err_t sad_init(struct sad *t, uint32_t size, const uint64_t seed[2])
{
    uint32_t n = 16;
    while (n < size && n < 1u << 24)
        n *= 2;
    *t = (struct sad){.mask = n - 1, .seed = {seed[0], seed[1]}};
    t->slot = calloc(n, sizeof *t->slot);
    return t->slot ? E_OK : E_NOMEM;
}

void sad_tag(struct sad *t, unsigned bits, uint32_t tag)
{
    t->tag_mask = bits ? ~0u << (32 - bits) : 0;
    t->tag = bits ? tag << (32 - bits) : 0;
}

void sad_fini(struct sad *t)
{
    free(t->slot);
    t->slot = NULL;
}

static uint32_t new_spi(struct sad *t, uint32_t slot)
{
    uint32_t spi;
    do {
        t->counter++;
        uint32_t r = (uint32_t)siphash(t->seed, &t->counter, sizeof t->counter);
        spi = (r & ~t->mask & ~t->tag_mask) | t->tag | slot;
    } while (spi < SPI_MIN);
    return spi;
}

static bool pop_freed(struct sad *t, uint32_t *slot)
{
    while (t->free_first) {
        *slot = t->free_first - 1;
        struct sad_slot *s = &t->slot[*slot];
        t->free_first = s->next_free & INDEX;
        s->next_free &= TAKEN;
        if (!s->spi) /* else adopted meanwhile */
            return true;
    }
    return false;
}

static bool pop_fresh(struct sad *t, uint32_t *slot)
{
    while (t->fresh <= t->mask) {
        *slot = t->fresh++;
        struct sad_slot *s = &t->slot[*slot];
        if (!s->spi && !(s->next_free & QUEUED))
            return true;
    }
    return false;
}

uint32_t sad_alloc(struct sad *t)
{
    uint32_t slot;
    if (!pop_fresh(t, &slot) && !pop_freed(t, &slot))
        return 0;
    t->used++;
    return t->slot[slot].spi = new_spi(t, slot);
}

bool sad_adopt(struct sad *t, uint32_t spi)
{
    struct sad_slot *s = sad_slot_of(t, spi);
    if (spi < SPI_MIN || s->spi)
        return false;
    s->spi = spi;
    s->sa = NULL;
    t->used++;
    return true;
}

static void push_freed(struct sad *t, uint32_t slot)
{
    struct sad_slot *s = &t->slot[slot];
    if (s->next_free & QUEUED)
        return;
    s->next_free = QUEUED;
    if (t->free_first)
        t->slot[t->free_last].next_free =
            (t->slot[t->free_last].next_free & TAKEN) | QUEUED | (slot + 1);
    else
        t->free_first = slot + 1;
    t->free_last = slot;
}

bool sad_take(struct sad *t, uint32_t spi)
{
    struct sad_slot *s = sad_slot_of(t, spi);
    if (s->next_free & TAKEN)
        return false;
    s->next_free |= TAKEN;
    return true;
}

void sad_untake(struct sad *t, uint32_t spi)
{
    sad_slot_of(t, spi)->next_free &= ~TAKEN;
}

bool sad_taken(const struct sad *t, uint32_t spi)
{
    return sad_reserved(t, spi) && (sad_slot_of(t, spi)->next_free & TAKEN);
}

void sad_release(struct sad *t, uint32_t spi)
{
    if (!sad_reserved(t, spi))
        return;
    struct sad_slot *s = sad_slot_of(t, spi);
    s->spi = 0;
    s->sa = NULL;
    s->next_free &= ~TAKEN;
    t->used--;
    push_freed(t, spi & t->mask);
}
