/*
 * Replaced CHILD SAs go on receiving for close_delay_ms after their Delete: packets sealed under
 * them may still be on the way, or wait in the queue of another socket (RFC 7296 2.8: both SAs
 * receive meanwhile). All wait equally long, so a FIFO and its first time are enough.
 */
#include "ike/engine.h"
#include <stdlib.h>

struct lingerer {
    struct list link;
    uint32_t child_id, spi_in;
    uint64_t until_ms;
};

static struct child_sa *named(struct ike *e, uint32_t child_id, uint32_t spi_in)
{
    struct child_sa *s = ike_alloc(e, sizeof *s);
    if (s)
        *s = (struct child_sa){.id = child_id, .spi_in = spi_in};
    return s;
}

static void end(struct ike *e, struct lingerer *l)
{
    struct child_sa *s = named(e, l->child_id, l->spi_in);
    if (s)
        ike_act_add(e, ACT_CHILD_DEL)->sa = s;
    list_del(&l->link);
    free(l);
}

void linger_add(struct ike *e, uint32_t child_id, uint32_t spi_in)
{
    struct child_sa *s = named(e, child_id, spi_in);
    struct lingerer *l = s && !e->stopping ? malloc(sizeof *l) : NULL;
    if (s)
        ike_act_add(e, l ? ACT_CHILD_QUIET : ACT_CHILD_DEL)->sa = s;
    if (!l)
        return;
    *l = (struct lingerer){
        .child_id = child_id, .spi_in = spi_in, .until_ms = e->now + e->set.close_delay_ms};
    list_init(&l->link);
    list_add_tail(&e->lingering, &l->link);
}

uint64_t linger_at(const struct ike *e)
{
    const struct list *first = e->lingering.next;
    return first == &e->lingering ? UINT64_MAX
                                  : container_of(first, struct lingerer, link)->until_ms;
}

void linger_tick(struct ike *e)
{
    while (linger_at(e) <= e->now)
        end(e, container_of(e->lingering.next, struct lingerer, link));
}

void linger_flush(struct ike *e)
{
    while (!list_empty(&e->lingering))
        end(e, container_of(e->lingering.next, struct lingerer, link));
}
