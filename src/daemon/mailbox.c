/* Mailboxes between threads: see mailbox.h. */
#include "daemon/mailbox.h"
#include <stdlib.h>

enum { ALIGN = 16 };

/* What stands before a packet: the letter itself, its data pointer unused. */
static size_t round_up(size_t n)
{
    return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* With the IP header that came with the packet, in its headroom. */
static uint32_t in_front(const struct dp_pkt *p)
{
    return p->ip_len <= DP_HEADROOM ? p->ip_len : 0;
}

static size_t room_for(uint32_t len)
{
    return round_up(sizeof(struct letter)) + round_up(DP_HEADROOM + len + DP_TAILROOM);
}

err_t mailbox_init(struct mailbox *m, size_t size)
{
    *m = (struct mailbox){.size = size & ~(size_t)(ALIGN - 1)};
    pthread_mutex_init(&m->lock, NULL);
    for (int i = 0; i < 2; i++)
        m->half[i].mem = aligned_alloc(ALIGN, m->size);
    return m->half[0].mem && m->half[1].mem ? E_OK : E_NOMEM;
}

void mailbox_fini(struct mailbox *m)
{
    if (!m->size)
        return;
    free(m->half[0].mem);
    free(m->half[1].mem);
    pthread_mutex_destroy(&m->lock);
    m->size = 0;
}

static bool is_empty(const struct mailbox_half *h)
{
    return h->used == 0 && h->fences == 0;
}

bool mailbox_put(struct mailbox *m, const struct letter *l, bool *first)
{
    size_t need = room_for(l->pkt.len);
    pthread_mutex_lock(&m->lock);
    struct mailbox_half *h = &m->half[m->writing];
    bool fits = m->size - h->used >= need;
    *first = fits && is_empty(h);
    if (fits) {
        uint8_t *at = h->mem + h->used;
        memcpy(at, l, sizeof *l);
        uint32_t front = in_front(&l->pkt);
        memcpy(at + round_up(sizeof *l) + DP_HEADROOM - front, l->pkt.data - front,
               l->pkt.len + front);
        h->used += need;
    }
    pthread_mutex_unlock(&m->lock);
    return fits;
}

void mailbox_fence(struct mailbox *m, bool *first)
{
    pthread_mutex_lock(&m->lock);
    struct mailbox_half *h = &m->half[m->writing];
    *first = is_empty(h);
    h->fences++;
    pthread_mutex_unlock(&m->lock);
}

bool mailbox_is_empty(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    bool empty = is_empty(&m->half[m->writing]);
    pthread_mutex_unlock(&m->lock);
    return empty;
}

bool mailbox_turn(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    bool any = !is_empty(&m->half[m->writing]);
    if (any) {
        m->writing = !m->writing;
        m->half[m->writing].used = 0;
        m->half[m->writing].fences = 0;
        m->read = 0;
    }
    pthread_mutex_unlock(&m->lock);
    return any;
}

bool mailbox_next(struct mailbox *m, struct letter *out)
{
    struct mailbox_half *h = &m->half[!m->writing];
    if (m->read >= h->used)
        return false;
    uint8_t *at = h->mem + m->read;
    memcpy(out, at, sizeof *out);
    out->pkt.data = at + round_up(sizeof *out) + DP_HEADROOM;
    m->read += room_for(out->pkt.len);
    return true;
}

uint32_t mailbox_fences(struct mailbox *m)
{
    struct mailbox_half *h = &m->half[!m->writing];
    uint32_t n = m->read >= h->used ? h->fences : 0;
    if (n)
        h->fences = 0;
    return n;
}
