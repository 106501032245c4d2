/* Held packets: see hold.h. */
#include "dataplane/hold.h"
#include <stdlib.h>

struct hold_chunk {
    uint32_t next_pkt;   /* first chunk of a packet: the policy's next one, index + 1 */
    uint32_t next_chunk; /* the packet's next chunk, or the next free one */
    uint32_t len;        /* of the whole packet */
    uint64_t since_ms;
    uint8_t data[HOLD_CHUNK];
};

err_t hold_init(struct hold *h, uint32_t chunks, uint32_t per_policy)
{
    *h = (struct hold){.chunks = chunks, .chunks_free = chunks, .per_policy = per_policy};
    list_init(&h->waiting);
    list_init(&h->ready);
    h->c = calloc(chunks + 1, sizeof *h->c);
    h->q = calloc(chunks + 1, sizeof *h->q);
    return h->c && h->q ? E_OK : E_NOMEM;
}

void hold_fini(struct hold *h)
{
    free(h->c);
    free(h->q);
    h->c = NULL;
    h->q = NULL;
}

/* There is one for each chunk, so for each packet that finds room. */
static struct hold_queue *queue_get(struct hold *h, struct bind *b)
{
    uint32_t i = b->queue;
    if (i)
        return &h->q[i];
    if ((i = h->q_free))
        h->q_free = h->q[i].next_free;
    else
        i = ++h->q_used;
    h->q[i] = (struct hold_queue){.bind = b};
    list_init(&h->q[i].link);
    b->queue = i;
    return &h->q[i];
}

static void queue_put(struct hold *h, struct hold_queue *q)
{
    uint32_t i = q->bind->queue;
    list_del(&q->link);
    q->bind->queue = 0;
    q->next_free = h->q_free;
    h->q_free = i;
}

uint32_t hold_of(const struct hold *h, const struct bind *b)
{
    return h->q[b->queue].held; /* that of 0 stays empty */
}

bool hold_releasing(const struct hold *h, const struct bind *b)
{
    return h->q[b->queue].releasing;
}

/* Chunks never used are handed out in order, so that an idle store costs no memory. */
static uint32_t chunk_get(struct hold *h)
{
    uint32_t i = h->free;
    if (i)
        h->free = h->c[i].next_chunk;
    else
        i = h->chunks - h->chunks_free + 1;
    h->chunks_free--;
    h->c[i].next_chunk = 0;
    return i;
}

static void packet_free(struct hold *h, uint32_t i)
{
    while (i) {
        uint32_t nx = h->c[i].next_chunk;
        h->c[i].next_chunk = h->free;
        h->free = i;
        h->chunks_free++;
        i = nx;
    }
    h->held--;
}

static uint32_t chunks_of(uint32_t len)
{
    return len ? (len + HOLD_CHUNK - 1) / HOLD_CHUNK : 1;
}

static uint32_t packet_new(struct hold *h, const uint8_t *p, uint32_t len)
{
    uint32_t first = 0, last = 0;
    for (uint32_t at = 0, n = chunks_of(len); n--; at += HOLD_CHUNK) {
        uint32_t i = chunk_get(h);
        uint32_t part = len - at < HOLD_CHUNK ? len - at : HOLD_CHUNK;
        memcpy(h->c[i].data, p + at, part);
        if (last)
            h->c[last].next_chunk = i;
        else
            first = i;
        last = i;
    }
    h->c[first].len = len;
    return first;
}

bool hold_put(struct hold *h, struct bind *b, const uint8_t *p, uint32_t len, uint64_t now_ms)
{
    if (hold_of(h, b) >= h->per_policy || chunks_of(len) > h->chunks_free)
        return false;
    struct hold_queue *q = queue_get(h, b);
    uint32_t i = packet_new(h, p, len);
    h->c[i].next_pkt = 0;
    h->c[i].since_ms = now_ms;
    if (q->held++)
        h->c[q->last].next_pkt = i;
    else
        q->first = i;
    q->last = i;
    h->held++;
    if (q->held == 1)
        list_add_tail(&h->waiting, &q->link);
    return true;
}

/* With the last packet the queue goes. */
static uint32_t unlink_first(struct hold *h, struct hold_queue *q)
{
    uint32_t i = q->first;
    q->first = h->c[i].next_pkt;
    if (--q->held == 0)
        queue_put(h, q);
    return i;
}

void hold_release(struct hold *h, struct bind *b)
{
    struct hold_queue *q = &h->q[b->queue];
    if (!q->held || q->releasing)
        return;
    list_del(&q->link);
    list_add_tail(&h->ready, &q->link);
    q->releasing = true;
}

static bool copy_out(const struct hold *h, uint32_t i, uint8_t *buf, size_t cap, uint32_t *len)
{
    *len = h->c[i].len;
    if (*len > cap)
        return false;
    for (uint32_t at = 0; i; i = h->c[i].next_chunk, at += HOLD_CHUNK)
        memcpy(buf + at, h->c[i].data, *len - at < HOLD_CHUNK ? *len - at : HOLD_CHUNK);
    return true;
}

static struct hold_queue *queue_of(struct list *link)
{
    return container_of(link, struct hold_queue, link);
}

bool hold_take(struct hold *h, uint8_t *buf, size_t cap, uint32_t *len, uint16_t *iface)
{
    while (!list_empty(&h->ready)) {
        struct hold_queue *q = queue_of(h->ready.next);
        *iface = q->bind->iface;
        uint32_t i = unlink_first(h, q);
        bool ok = copy_out(h, i, buf, cap, len);
        packet_free(h, i);
        if (ok)
            return true;
    }
    return false;
}

uint32_t hold_drop(struct hold *h, struct bind *b)
{
    uint32_t n = hold_of(h, b);
    while (b->queue)
        packet_free(h, unlink_first(h, &h->q[b->queue]));
    b->acquiring = false;
    return n;
}

static uint32_t expire(struct hold *h, struct hold_queue *q, uint64_t since_ms)
{
    struct bind *b = q->bind;
    uint32_t n = 0;
    for (; b->queue && h->c[q->first].since_ms < since_ms; n++)
        packet_free(h, unlink_first(h, q));
    if (!b->queue)
        b->acquiring = false;
    return n;
}

uint32_t hold_expire(struct hold *h, uint64_t since_ms)
{
    uint32_t n = 0;
    list_each_safe (it, nx, &h->waiting)
        n += expire(h, queue_of(it), since_ms);
    return n;
}
