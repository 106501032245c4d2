/* Addresses as the tables of esp.bpf.c and lan.bpf.c have them, read from a header. */
#pragma once

#include <linux/types.h>

#define INLINE static inline __attribute__((always_inline))

struct address {
    __u8 ip[16]; /* IPv4 as ::ffff:a.b.c.d */
};

INLINE __u32 u16_at(const __u8 *p)
{
    return (__u32)p[0] << 8 | p[1];
}

INLINE struct address address4(const __u8 *ip)
{
    struct address a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    __builtin_memcpy(a.ip + 12, ip, 4);
    return a;
}

INLINE struct address address6(const __u8 *ip)
{
    struct address a;
    __builtin_memcpy(a.ip, ip, 16);
    return a;
}
