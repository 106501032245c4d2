/*
 * Which queue of the TUN device a packet of the host goes to (TUNSETSTEERINGEBPF): that of the
 * worker that has the SA for its destination. The longest prefix of a table answers, which the
 * daemon keeps in step with the SAs; what it does not know goes to queue 0. Compiled by clang for
 * the BPF machine, loaded by tun_steer.c.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

enum { IP4_TO = 16, IP6_TO = 24, PREFIXES = 1 << 20 };

struct key4 {
    __u32 bits;
    __u8 ip[4];
};

struct key6 {
    __u32 bits;
    __u8 ip[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, PREFIXES);
    __type(key, struct key4);
    __type(value, __u32);
} steer4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, PREFIXES);
    __type(key, struct key6);
    __type(value, __u32);
} steer6 SEC(".maps");

#define INLINE static inline __attribute__((always_inline))

INLINE int at_net(struct __sk_buff *skb, __u32 at, void *to, __u32 n)
{
    return bpf_skb_load_bytes_relative(skb, at, to, n, BPF_HDR_START_NET) == 0;
}

SEC("socket")
int steer(struct __sk_buff *skb)
{
    struct key4 k4 = {.bits = 32};
    struct key6 k6 = {.bits = 128};
    const __u32 *queue = 0;
    __u8 first = 0;

    if (!at_net(skb, 0, &first, 1))
        return 0;
    if (first >> 4 == 4 && at_net(skb, IP4_TO, k4.ip, sizeof k4.ip))
        queue = bpf_map_lookup_elem(&steer4, &k4);
    else if (first >> 4 == 6 && at_net(skb, IP6_TO, k6.ip, sizeof k6.ip))
        queue = bpf_map_lookup_elem(&steer6, &k6);
    return queue ? (int)*queue : 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
