/*
 * Intrusive hash table keyed by bytes, with SipHash-2-4 under a random key so that a peer who
 * chooses the keys cannot make it slow. Grows by doubling; never shrinks. What is not there is
 * mostly found out from a byte of the slot, without looking at any node: with tens of thousands of
 * them each is a miss of all caches.
 */
#pragma once

#include "base/cursor.h"

struct hash_node {
    struct hash_node *next;
    uint64_t h;
};

struct hash {
    struct hash_node **slot;
    uint8_t *seen; /* of each slot: one bit for the hash of each of its nodes */
    size_t mask, count;
    uint64_t key[2];
};

uint64_t siphash(const uint64_t key[2], const void *p, size_t n);
/* Its form with 16 bytes, which nobody guesses: a MAC for cookies. */
void siphash128(const uint64_t key[2], const void *p, size_t n, uint8_t out[16]);

err_t hash_init(struct hash *t, const uint64_t key[2]) must_use;
void hash_fini(struct hash *t); /* frees the table, not the nodes */
uint64_t hash_of(const struct hash *t, const void *p, size_t n);

/* First node whose hash is h; the caller compares the real key and goes on with hash_next. */
struct hash_node *hash_first(const struct hash *t, uint64_t h);
struct hash_node *hash_next(struct hash_node *n);
err_t hash_add(struct hash *t, struct hash_node *n, uint64_t h) must_use;
void hash_del(struct hash *t, struct hash_node *n);

/* Visit all: for (n = hash_begin(t, &i); n; n = hash_step(t, &i, n)) — no change meanwhile. */
struct hash_node *hash_begin(const struct hash *t, size_t *i);
struct hash_node *hash_step(const struct hash *t, size_t *i, struct hash_node *n);
