/*
 * Which queue of the TUN device a packet of the host goes to (TUNSETSTEERINGEBPF): that of the
 * worker that has the SA for its destination. The longest prefix of a table answers, which the
 * daemon keeps in step with the SAs; what it does not know goes to queue 0. Where several workers
 * have SAs for the same prefix (RFC 9611), a flow keeps the one that its hash says; the same at
 * both gateways, so that what goes back finds its worker awake. Compiled by clang for the BPF
 * machine, loaded by tun_steer.c.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

enum { IP4_FRAGMENT = 6, IP4_PROTO = 9, IP4_FROM = 12, IP4_TO = 16, IP6_NEXT = 6, IP6_FROM = 8 };
enum { IP6_TO = 24, IP6 = 40, TCP = 6, UDP = 17, SCTP = 132, PREFIXES = 1 << 20 };
#define SPREAD 0xffffffff /* instead of a queue: flows go to all of them */

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

INLINE __u32 mix(__u32 h, __u32 word)
{
    h = (h ^ word) * 0x9e3779b1;
    return h ^ h >> 15;
}

/* Of a and b in either order. */
INLINE __u32 mix_both(__u32 h, __u32 a, __u32 b)
{
    return mix(mix(h, a ^ b), a + b);
}

/* Ports count where every packet of the flow has them. */
INLINE __u32 mix_ports(struct __sk_buff *skb, __u32 h, __u8 proto, __u32 at)
{
    __u16 port[2] = {0};
    if (proto == TCP || proto == UDP || proto == SCTP)
        at_net(skb, at, port, sizeof port);
    return mix(mix_both(h, port[0], port[1]), proto);
}

INLINE __u32 hash4(struct __sk_buff *skb)
{
    __u32 ip[2], h = 1;
    __u8 head[IP4_FROM];
    if (!at_net(skb, 0, head, sizeof head) || !at_net(skb, IP4_FROM, ip, sizeof ip))
        return 0;
    h = mix_both(h, ip[0], ip[1]);
    if ((head[IP4_FRAGMENT] & 0x3f) || head[IP4_FRAGMENT + 1])
        return h;
    return mix_ports(skb, h, head[IP4_PROTO], (head[0] & 15u) * 4);
}

INLINE __u32 hash6(struct __sk_buff *skb)
{
    __u32 ip[8], h = 1;
    __u8 next = 0;
    if (!at_net(skb, IP6_NEXT, &next, 1) || !at_net(skb, IP6_FROM, ip, sizeof ip))
        return 0;
    for (int i = 0; i < 4; i++)
        h = mix_both(h, ip[i], ip[i + 4]);
    return mix_ports(skb, h, next, IP6);
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
    if (!queue)
        return 0;
    if (*queue == SPREAD) /* the kernel takes it modulo the number of queues */
        return (int)(first >> 4 == 4 ? hash4(skb) : hash6(skb));
    return (int)*queue;
}

char _license[] SEC("license") = "Dual BSD/GPL";
