/* Hash table: see hash.h. SipHash-2-4 after Aumasson and Bernstein, 2012. */
#include "base/hash.h"
#include <stdlib.h>

static inline uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static inline uint64_t load_64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t load_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static inline void absorb(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_round(v);
    sip_round(v);
    v[0] ^= m;
}

/* All of the message; what follows makes the result of it. */
static inline void sip_message(uint64_t v[4], const uint64_t key[2], const uint8_t *p, size_t n)
{
    size_t left = n;
    v[0] = key[0] ^ 0x736f6d6570736575u;
    v[1] ^= key[1] ^ 0x646f72616e646f6du;
    v[2] = key[0] ^ 0x6c7967656e657261u;
    v[3] = key[1] ^ 0x7465646279746573u;
    for (; left >= 8; left -= 8, p += 8)
        absorb(v, le64toh(load_64(p)));
    absorb(v, load_le(p, left) | (uint64_t)n << 56);
}

static inline uint64_t sip_finish(uint64_t v[4])
{
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash(const uint64_t key[2], const void *data, size_t n)
{
    uint64_t v[4] = {0};
    sip_message(v, key, data, n);
    v[2] ^= 0xff;
    return sip_finish(v);
}

void siphash128(const uint64_t key[2], const void *data, size_t n, uint8_t out[16])
{
    uint64_t v[4] = {0, 0xee, 0, 0};
    sip_message(v, key, data, n);
    v[2] ^= 0xee;
    uint64_t lo = htole64(sip_finish(v));
    v[1] ^= 0xdd;
    uint64_t hi = htole64(sip_finish(v));
    memcpy(out, &lo, 8);
    memcpy(out + 8, &hi, 8);
}

/* Slots, and behind them their bytes. */
static struct hash_node **slots_new(size_t n)
{
    return calloc(n, sizeof(struct hash_node *) + 1);
}

static void slots_take(struct hash *t, struct hash_node **slot, size_t mask)
{
    t->slot = slot;
    t->seen = (uint8_t *)&slot[mask + 1];
    t->mask = mask;
}

err_t hash_init(struct hash *t, const uint64_t key[2])
{
    *t = (struct hash){.key = {key[0], key[1]}};
    struct hash_node **slot = slots_new(16);
    if (!slot)
        return E_NOMEM;
    slots_take(t, slot, 15);
    return E_OK;
}

void hash_fini(struct hash *t)
{
    free(t->slot);
    *t = (struct hash){0};
}

uint64_t hash_of(const struct hash *t, const void *p, size_t n)
{
    return siphash(t->key, p, n);
}

struct hash_node *hash_next(struct hash_node *n)
{
    uint64_t h = n->h;
    do
        n = n->next;
    while (n && n->h != h);
    return n;
}

/* By bits that choose no slot. */
static uint8_t mark(uint64_t h)
{
    return (uint8_t)(1u << (h >> 61));
}

struct hash_node *hash_first(const struct hash *t, uint64_t h)
{
    size_t i = h & t->mask;
    if (!(t->seen[i] & mark(h)))
        return NULL;
    struct hash_node *n = t->slot[i];
    while (n && n->h != h)
        n = n->next;
    return n;
}

static void put(struct hash *t, struct hash_node *n)
{
    size_t i = n->h & t->mask;
    n->next = t->slot[i];
    t->slot[i] = n;
    t->seen[i] |= mark(n->h);
}

static err_t grow(struct hash *t)
{
    struct hash_node **old = t->slot, **slot = slots_new(2 * (t->mask + 1));
    size_t n = t->mask + 1;
    if (!slot)
        return E_NOMEM;
    slots_take(t, slot, 2 * n - 1);
    for (size_t i = 0; i < n; i++) {
        for (struct hash_node *at = old[i], *nx; at; at = nx) {
            nx = at->next;
            put(t, at);
        }
    }
    free(old);
    return E_OK;
}

/* Two nodes a slot at most. */
err_t hash_add(struct hash *t, struct hash_node *n, uint64_t h)
{
    if (t->count / 2 > t->mask) {
        err_t e = grow(t);
        if (e)
            return e;
    }
    n->h = h;
    put(t, n);
    t->count++;
    return E_OK;
}

void hash_del(struct hash *t, struct hash_node *n)
{
    size_t i = n->h & t->mask;
    struct hash_node **at = &t->slot[i];
    uint8_t seen = 0;
    for (; *at && *at != n; at = &(*at)->next)
        seen |= mark((*at)->h);
    if (!*at)
        return;
    *at = n->next;
    n->next = NULL;
    t->count--;
    for (const struct hash_node *rest = *at; rest && seen != t->seen[i]; rest = rest->next)
        seen |= mark(rest->h);
    t->seen[i] = seen;
}

static struct hash_node *from_slot(const struct hash *t, size_t *i)
{
    for (; *i <= t->mask; ++*i)
        if (t->slot[*i])
            return t->slot[*i];
    return NULL;
}

struct hash_node *hash_begin(const struct hash *t, size_t *i)
{
    *i = 0;
    return from_slot(t, i);
}

struct hash_node *hash_step(const struct hash *t, size_t *i, struct hash_node *n)
{
    if (n->next)
        return n->next;
    ++*i;
    return from_slot(t, i);
}
