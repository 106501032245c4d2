/* Anti-replay window: see replay.h. */
#include "dataplane/replay.h"
#include <stdlib.h>
#include <string.h>

static uint32_t words_for(uint32_t window)
{
    uint32_t need = (window + 63) / 64 + 1, n = 2;
    while (n < need)
        n *= 2;
    return n;
}

err_t replay_init(struct replay *r, uint32_t window, uint64_t own[REPLAY_INLINE])
{
    if (window > REPLAY_WINDOW_MAX)
        window = REPLAY_WINDOW_MAX;
    uint32_t n = words_for(window);
    *r = (struct replay){.window = window, .word_mask = n - 1, .bits = own};
    memset(own, 0, REPLAY_INLINE * sizeof *own);
    if (n > REPLAY_INLINE)
        r->bits = calloc(n, sizeof *r->bits);
    return r->bits ? E_OK : E_NOMEM;
}

void replay_begin(struct replay *r, uint64_t top)
{
    if (!top)
        return;
    r->top = top;
    memset(r->bits, 0xff, (r->word_mask + 1u) * sizeof *r->bits);
    r->bits[top >> 6 & r->word_mask] = ~0ull >> (63 - (top & 63));
}

void replay_fini(struct replay *r, const uint64_t *own)
{
    if (r->bits != own)
        free(r->bits);
    r->bits = NULL;
}

void lateness_add(struct lateness *l, uint64_t behind)
{
    unsigned i = 63u - (unsigned)__builtin_clzll(behind | 1);
    uint32_t *n = &l->n[i < LATE_STEPS ? i : LATE_STEPS - 1];
    *n += *n != UINT32_MAX;
}

uint32_t lateness_window(const struct lateness *l, uint64_t packets)
{
    uint64_t outside = 0;
    unsigned i = LATE_STEPS; /* what came 2^i and more behind is outside */
    while (i > 5 && outside + l->n[i - 1] <= packets / 10000)
        outside += l->n[--i];
    return i > 16 ? REPLAY_WINDOW_MAX : 1u << i;
}

void replay_advance(struct replay *r, uint64_t seq)
{
    uint64_t from = r->top >> 6, to = seq >> 6;
    r->top = seq;
    if (!r->window)
        return;
    if (to - from > r->word_mask) {
        memset(r->bits, 0, (r->word_mask + 1u) * sizeof *r->bits);
        return;
    }
    while (from++ < to)
        r->bits[from & r->word_mask] = 0;
}
