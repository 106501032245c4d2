/*
 * The anti-replay window: RFC 4303 3.4.3, as a ring of words after RFC 6479, with extended
 * sequence numbers after RFC 4303 appendix A. esp_in.c checks before decrypting and commits only
 * when the ICV has held.
 */
#pragma once

#include "base/err.h"
#include <stdbool.h>

#define REPLAY_WINDOW_MAX 65536
#define REPLAY_INLINE     2 /* words kept in the SA itself: windows up to 64 */

struct replay {
    uint64_t top;       /* highest number seen; 0: none */
    uint64_t *bits;     /* word_mask + 1 words */
    uint32_t window;    /* 0: no check */
    uint32_t word_mask; /* a power of two of words, one more than the window needs */
};

/* Where the next number will most likely be noted. */
static inline const uint64_t *replay_word(const struct replay *r)
{
    return r->bits + (r->top >> 6 & r->word_mask);
}

/* `own` is the SA's inline words; larger windows are allocated. Windows over the maximum get it. */
err_t replay_init(struct replay *r, uint32_t window, uint64_t own[REPLAY_INLINE]) must_use;
/* Numbers up to `top` were there before: they are refused. 0: none were. */
void replay_begin(struct replay *r, uint64_t top);
void replay_fini(struct replay *r, const uint64_t *own);

/* RFC 4303 A2.1: the 64-bit number that `low` stands for. False: before the first packet ever.
 * Without a window the nearest to the top is taken. */
static inline bool replay_esn(const struct replay *r, uint32_t low, uint64_t *seq)
{
    uint32_t w = r->window ? r->window : 1u << 31;
    uint32_t tl = (uint32_t)r->top, th = (uint32_t)(r->top >> 32);
    uint32_t bottom = tl - w + 1;
    if (tl >= w - 1)
        th += low < bottom;
    else if (low >= bottom && th-- == 0)
        return false;
    *seq = (uint64_t)th << 32 | low;
    return true;
}

/*
 * How far behind the window's head packets came that did not come in order: by powers of two, the
 * last one open. Those left of the window are among them, and have not been authenticated: they are
 * a hint to the operator, nothing follows from them here.
 */
#define LATE_STEPS 18
struct lateness {
    uint32_t n[LATE_STEPS]; /* n[i]: from 2^i up to 2^(i+1) - 1; stops at its largest value */
    uint64_t dropped;
};

void lateness_add(struct lateness *l, uint64_t behind);
/* The smallest window, a power of two from 32 to REPLAY_WINDOW_MAX, that would have taken all but
 * one of 10,000 of `packets` that came. */
uint32_t lateness_window(const struct lateness *l, uint64_t packets);

/* A number that replay_check refused: left of the window, or else seen before. */
static inline bool replay_is_late(const struct replay *r, uint64_t seq)
{
    return r->top - seq >= r->window;
}

/* Neither seen nor left of the window. Zero is never sent (RFC 4303 2.2). */
static inline bool replay_check(const struct replay *r, uint64_t seq)
{
    if (!r->window || seq > r->top)
        return true;
    if (seq == 0 || r->top - seq >= r->window)
        return false;
    return !(r->bits[seq >> 6 & r->word_mask] >> (seq & 63) & 1);
}

/* seq > top, in another word: clears what comes into view. */
void replay_advance(struct replay *r, uint64_t seq);

/* Marks a number whose packet was authentic. False: another packet of the same batch had it. */
static inline bool replay_commit(struct replay *r, uint64_t seq)
{
    if (!replay_check(r, seq))
        return false;
    if ((seq ^ r->top) < 64)
        r->top = seq > r->top ? seq : r->top;
    else if (seq > r->top)
        replay_advance(r, seq);
    if (r->window)
        r->bits[seq >> 6 & r->word_mask] |= 1ull << (seq & 63);
    return true;
}

/* The same for n numbers in a row, at most 64, the first of them beyond the head. */
static inline void replay_commit_row(struct replay *r, uint64_t first, uint32_t n)
{
    uint64_t last = first + n - 1, ones = ~0ull >> (64 - n), at = first >> 6, shift = first & 63;
    if ((last ^ r->top) < 64)
        r->top = last;
    else
        replay_advance(r, last);
    if (!r->window)
        return;
    r->bits[at & r->word_mask] |= ones << shift;
    if (last >> 6 != at)
        r->bits[last >> 6 & r->word_mask] |= ones >> (64 - shift);
}
