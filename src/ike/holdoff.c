/*
 * Traffic that asks for a tunnel which cannot come up must not begin a negotiation with each
 * packet: after a failure acquires of that child are refused for 1 s, then 2, 4 ... 60 s. A CHILD
 * SA, or the operator initiating it, ends that. A refused acquire is answered by ACT_ACQUIRE_FAILED
 * when the time is over: until then the data plane waits and does not ask for each packet.
 */
#include "ike/engine.h"
#include <stdlib.h>

#define FIRST_MS   1000
#define LONGEST_MS 60000

struct holdoff {
    struct list link;    /* of its connection */
    struct list refused; /* of the engine: an acquire waits for its answer */
    struct conn_entry *entry;
    uint32_t wait_ms;
    uint64_t until_ms;
    char child[];
};

static struct holdoff *find(const struct conn_entry *ce, const char *child)
{
    list_each (it, (struct list *)&ce->holdoffs) {
        struct holdoff *h = container_of(it, struct holdoff, link);
        if (strcmp(h->child, child) == 0)
            return h;
    }
    return NULL;
}

bool holdoff_refuses(struct ike *e, const struct conn_entry *ce, const char *child)
{
    struct holdoff *h = ce && child ? find(ce, child) : NULL;
    if (!h || h->until_ms <= e->now)
        return false;
    e->stats.acquires_refused++;
    if (list_empty(&h->refused))
        list_add_tail(&e->refused, &h->refused);
    e->refused_at = h->until_ms < e->refused_at ? h->until_ms : e->refused_at;
    return true;
}

static struct holdoff *add(struct ike *e, struct conn_entry *ce, const char *child)
{
    size_t n = strlen(child) + 1;
    struct holdoff *h = malloc(sizeof *h + n);
    if (!h) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    h->wait_ms = 0;
    h->entry = ce;
    list_init(&h->refused);
    memcpy(h->child, child, n);
    list_init(&h->link);
    list_add_tail(&ce->holdoffs, &h->link);
    return h;
}

void holdoff_failed(struct ike *e, struct conn_entry *ce, const char *child)
{
    struct holdoff *h = ce && child ? find(ce, child) : NULL;
    if (!h && ce && child)
        h = add(e, ce, child);
    if (!h)
        return;
    h->wait_ms = !h->wait_ms ? FIRST_MS : h->wait_ms * 2 < LONGEST_MS ? h->wait_ms * 2 : LONGEST_MS;
    h->until_ms = e->now + h->wait_ms;
}

static void let_ask(struct ike *e, struct holdoff *h)
{
    struct ike_act *a = ike_act_add(e, ACT_ACQUIRE_FAILED);
    list_del(&h->refused);
    a->reason = a->event.reason = R_BUSY;
    a->event.conn = ike_str(e, h->entry->name);
    a->event.child = ike_str(e, h->child);
}

void holdoff_tick(struct ike *e)
{
    if (e->refused_at > e->now)
        return;
    e->refused_at = UINT64_MAX;
    list_each_safe (it, nx, &e->refused) {
        struct holdoff *h = container_of(it, struct holdoff, refused);
        if (h->until_ms <= e->now)
            let_ask(e, h);
        else if (h->until_ms < e->refused_at)
            e->refused_at = h->until_ms;
    }
}

static void del(struct holdoff *h)
{
    list_del(&h->link);
    list_del(&h->refused);
    free(h);
}

void holdoff_clear(struct conn_entry *ce, const char *child)
{
    struct holdoff *h = ce ? find(ce, child) : NULL;
    if (h)
        del(h);
}

void holdoffs_free(struct conn_entry *ce)
{
    while (!list_empty(&ce->holdoffs))
        del(container_of(ce->holdoffs.next, struct holdoff, link));
}
