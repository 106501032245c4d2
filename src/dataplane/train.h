/*
 * Is this packet of the flow of the one before? Three words of an IPv4 header without options tell
 * it, without parsing; used by esp_out.c. What does not fit the pattern is parsed in full.
 */
#pragma once

#include "dataplane/ip.h"

struct train {
    uint64_t head, mid, tail; /* bytes 0 to 7, 8 to 15, 16 to 23, masked */
    bool set;
};

static inline uint64_t train_word(const uint8_t *p, uint64_t mask)
{
    return get_u64(p) & mask;
}

/* Version and header length; fragment bits but DF. Then protocol and source, and then destination
 * and the first four bytes of the upper layer, which hold ports, or ICMP's type and code. */
#define TRAIN_HEAD 0xff0000000000bfffull
#define TRAIN_MID  0x00ff0000ffffffffull

/* `ip` is what ip_parse said of the packet. */
static inline void train_start(struct train *t, const uint8_t *p, const struct ip_info *ip)
{
    t->set = p[0] == 0x45 && ip->len >= 24 && (get_u16(p + 6) & 0xbfff) == 0;
    if (!t->set)
        return;
    t->head = train_word(p, TRAIN_HEAD);
    t->mid = train_word(p + 8, TRAIN_MID);
    t->tail = get_u64(p + 16);
}

/* The packet's length if it is of the flow and well-formed, else 0. */
static inline uint32_t train_next(const struct train *t, const uint8_t *p, uint32_t len)
{
    if (!t->set || len < 24)
        return 0;
    if ((train_word(p, TRAIN_HEAD) ^ t->head) | (train_word(p + 8, TRAIN_MID) ^ t->mid) |
        (get_u64(p + 16) ^ t->tail))
        return 0;
    uint32_t total = get_u16(p + 2);
    return total >= 24 && total <= len ? total : 0;
}
