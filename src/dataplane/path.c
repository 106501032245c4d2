/* The search: see path.h. */
#include "dataplane/path.h"

/* Outer sizes less the usual 57 to 81 bytes fall between these; what lies between two of them is
 * found by the rounds that follow. Ethernet, PPPoE, GRE, DS-Lite, other tunnels, IPv6's minimum. */
static const uint16_t plateaus[] = {8900, 4352, 1500, 1492, 1476, 1460,
                                    1420, 1380, 1320, 1280, 1006};

void path_init(struct path *p, uint16_t cap, uint16_t base, uint16_t align)
{
    *p = (struct path){.cap = cap, .base = base < cap ? base : cap, .align = align, .mtu = cap};
}

static uint16_t max16(uint16_t a, uint16_t b)
{
    return a > b ? a : b;
}

/* Descending order is the callers' business. */
static void add(struct path *p, uint32_t size)
{
    if (p->rungs < PATH_RUNGS)
        p->size[p->rungs++] = (uint16_t)size;
}

/* Twice, for a single loss says little. */
static void add_goal(struct path *p)
{
    add(p, p->goal);
    add(p, p->goal);
}

static void first_ladder(struct path *p)
{
    uint32_t over = 60u; /* what ESP adds, about */
    add_goal(p);
    if (p->mtu < p->goal && p->mtu > p->base)
        add(p, p->mtu);
    for (unsigned i = 0; i < sizeof plateaus / sizeof *plateaus && p->rungs < PATH_RUNGS - 1; i++)
        if (plateaus[i] - over < p->size[p->rungs - 1] && plateaus[i] - over > p->base)
            add(p, plateaus[i] - over);
}

/* Between what passes and what does not. */
static void next_ladder(struct path *p)
{
    uint32_t gap = (uint32_t)(p->hi - p->lo), n = PATH_RUNGS - 3;
    if (p->strikes < p->need)
        add_goal(p);
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t size = p->lo + gap * i / n;
        if (size > p->lo && (!p->rungs || size < p->size[p->rungs - 1]))
            add(p, size);
    }
}

static enum path_next send_round(struct path *p)
{
    p->rungs = 0;
    p->answered = 0;
    p->round++;
    if (p->hi)
        next_ladder(p);
    else
        first_ladder(p);
    add(p, p->base);
    return PATH_SEND;
}

void path_search(struct path *p, uint16_t goal, uint8_t need)
{
    p->need = need;
    p->goal = goal;
    p->lo = p->hi = 0;
    p->strikes = p->silent = 0;
    p->searching = true;
    (void)send_round(p);
}

static enum path_next done(struct path *p)
{
    p->searching = false;
    p->mtu = p->lo;
    return PATH_DONE;
}

/* The smallest of the round that should have come and did not; 0: none. */
static uint16_t lowest_lost(const struct path *p)
{
    uint16_t lost = 0;
    for (unsigned i = 0; i < p->rungs; i++)
        if (!(p->answered >> i & 1) && p->size[i] > p->lo)
            lost = p->size[i];
    return lost;
}

static enum path_next round_over(struct path *p)
{
    uint16_t lost = lowest_lost(p);
    p->silent = 0;
    if (p->lo >= p->goal)
        return done(p);
    if (p->strikes < p->need)
        p->strikes++;
    if (lost)
        p->hi = lost;
    if (p->hi <= p->lo) /* what was lost once came after all */
        p->hi = p->goal;
    if (p->strikes < p->need || p->hi - p->lo > p->align)
        return send_round(p);
    return done(p);
}

enum path_next path_answer(struct path *p, uint8_t round, unsigned rung, uint16_t size)
{
    if (!p->searching || size > p->goal)
        return PATH_WAIT;
    if ((uint8_t)(p->round - round) == 1)
        p->lo = max16(p->lo, size);
    if (round != p->round || rung >= p->rungs || p->size[rung] != size)
        return PATH_WAIT;
    p->lo = max16(p->lo, size);
    p->answered |= (uint16_t)(1u << rung);
    return rung + 1u == p->rungs ? round_over(p) : PATH_WAIT;
}

enum path_next path_timeout(struct path *p)
{
    if (!p->searching)
        return PATH_WAIT;
    if (p->answered)
        return round_over(p);
    if (++p->silent < PATH_TRIES)
        return send_round(p);
    p->searching = false;
    return PATH_MUTE;
}
