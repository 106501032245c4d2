/*
 * The kernel's half of the fast ways for native ESP (RFC 4303): an XDP program that hands packets
 * to AF_XDP sockets, and two socket filters, one for the AF_PACKET tap and one that keeps the same
 * packets away from the raw sockets. Compiled by clang for the BPF machine, loaded by esp_bpf.c.
 *
 * Taken is only what needs no judgement: an untagged Ethernet frame to our own MAC address, ESP
 * directly behind an IPv4 header without options or an IPv6 header, no fragment, to one of our
 * addresses. Everything else goes its way through the kernel, and ESP among it (fragments once
 * reassembled, packets with options or extension headers) reaches the raw sockets.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include "address.h"

enum { ETHER = 14, IP4 = 20, IP6 = 40, FRAGMENT = 8, ESP_MIN = 8, NH_ESP = 50, NH_FRAGMENT = 44 };
enum { QUEUES = 64, ADDRESSES = 4096, FRAGS = 4096, TAKEN = 0xffff };

struct esp_conf {
    __u8 mac[6];
    __u16 unused;
    __u32 ifindex;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ADDRESSES);
    __type(key, struct address);
    __type(value, __u32);
} esp_addrs SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct esp_conf);
} esp_conf SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, QUEUES);
    __type(key, __u32);
    __type(value, __u32);
} esp_socks SEC(".maps");

/* SPI and sequence number of first fragments that went by: the raw sockets may have the whole. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, FRAGS);
    __type(key, __u64);
    __type(value, __u32);
} esp_frags SEC(".maps");

INLINE int is_ours(struct address a)
{
    return bpf_map_lookup_elem(&esp_addrs, &a) != 0;
}

/* room: bytes from the IP header on. Padding of short frames may follow the packet. */
INLINE int takes4(const __u8 *ip, __u32 room)
{
    __u32 total = u16_at(ip + 2);
    return ip[0] == 0x45 && (u16_at(ip + 6) & 0x3fff) == 0 && ip[9] == NH_ESP &&
           total >= IP4 + ESP_MIN && total <= room && is_ours(address4(ip + 16));
}

INLINE int takes6(const __u8 *ip, __u32 room)
{
    __u32 payload = u16_at(ip + 4);
    return ip[0] >> 4 == 6 && ip[6] == NH_ESP && payload >= ESP_MIN && payload + IP6 <= room &&
           is_ours(address6(ip + 24));
}

INLINE int to_our_mac(const __u8 *mac)
{
    __u32 zero = 0;
    const struct esp_conf *c = bpf_map_lookup_elem(&esp_conf, &zero);
    if (!c)
        return 0;
    for (int i = 0; i < 6; i++)
        if (c->mac[i] != mac[i])
            return 0;
    return 1;
}

SEC("xdp")
int esp_xdp(struct xdp_md *ctx)
{
    const __u8 *p = (const __u8 *)(long)ctx->data, *end = (const __u8 *)(long)ctx->data_end;
    int take = 0;

    if (p + ETHER + IP4 + ESP_MIN > end)
        return XDP_PASS;
    if (u16_at(p + 12) == 0x0800)
        take = takes4(p + ETHER, (__u32)(end - p) - ETHER);
    else if (u16_at(p + 12) == 0x86dd && p + ETHER + IP6 + ESP_MIN <= end)
        take = takes6(p + ETHER, (__u32)(end - p) - ETHER);
    if (!take || !to_our_mac(p))
        return XDP_PASS;
    /* A queue without a socket: on through the kernel. */
    return (int)bpf_redirect_map(&esp_socks, ctx->rx_queue_index, XDP_PASS);
}

INLINE int net_bytes(struct __sk_buff *skb, __u32 at, void *to, __u32 n)
{
    return bpf_skb_load_bytes_relative(skb, at, to, n, BPF_HDR_START_NET) == 0;
}

INLINE void note_fragment(struct __sk_buff *skb, __u32 at)
{
    __u64 key;
    __u32 one = 1;
    if (net_bytes(skb, at, &key, sizeof key))
        bpf_map_update_elem(&esp_frags, &key, &one, BPF_ANY);
}

INLINE int tap4(struct __sk_buff *skb)
{
    __u8 ip[IP4];
    if (!net_bytes(skb, 0, ip, sizeof ip))
        return 0;
    if (ip[0] == 0x45 && (u16_at(ip + 6) & 0x3fff) == 0x2000 && ip[9] == NH_ESP)
        note_fragment(skb, IP4);
    return takes4(ip, skb->len) ? TAKEN : 0;
}

INLINE int tap6(struct __sk_buff *skb)
{
    __u8 ip[IP6], fragment[FRAGMENT];
    if (!net_bytes(skb, 0, ip, sizeof ip))
        return 0;
    if (ip[6] == NH_FRAGMENT && net_bytes(skb, IP6, fragment, sizeof fragment) &&
        fragment[0] == NH_ESP && (u16_at(fragment + 2) & 0xfff8) == 0)
        note_fragment(skb, IP6 + FRAGMENT);
    return takes6(ip, skb->len) ? TAKEN : 0;
}

/* The AF_PACKET tap (SOCK_DGRAM, so skb->len counts from the IP header). */
SEC("socket")
int esp_tap(struct __sk_buff *skb)
{
    if (skb->pkt_type != 0 || skb->vlan_present) /* PACKET_HOST: to our MAC address */
        return 0;
    if (skb->protocol == __builtin_bswap16(0x0800))
        return tap4(skb);
    if (skb->protocol == __builtin_bswap16(0x86dd))
        return tap6(skb);
    return 0;
}

/*
 * A raw socket beside the tap gets what the tap did not take. A reassembled packet looks like one
 * that was never cut: it is known by its first fragment.
 */
INLINE int raw_keeps(struct __sk_buff *skb, __u32 esp_at)
{
    __u64 key;
    if (!net_bytes(skb, esp_at, &key, sizeof key))
        return 1;
    return bpf_map_delete_elem(&esp_frags, &key) == 0;
}

SEC("socket")
int esp_raw(struct __sk_buff *skb)
{
    __u32 zero = 0;
    __u8 ip[IP6];
    int keep = 1;
    const struct esp_conf *c = bpf_map_lookup_elem(&esp_conf, &zero);

    if (!c || skb->ifindex != c->ifindex || !net_bytes(skb, 0, ip, IP4))
        return TAKEN;
    if (ip[0] == 0x45 && is_ours(address4(ip + 16)))
        keep = raw_keeps(skb, IP4);
    else if (ip[0] >> 4 == 6 && net_bytes(skb, 0, ip, IP6) && ip[6] == NH_ESP &&
             is_ours(address6(ip + 24)))
        keep = raw_keeps(skb, IP6);
    return keep ? TAKEN : 0;
}

/* Several taps share the packets by SPI, so an SA stays with one worker (PACKET_FANOUT_EBPF). */
SEC("socket")
int esp_fanout(struct __sk_buff *skb)
{
    __u8 first = 0, spi[4];
    if (!net_bytes(skb, 0, &first, 1) ||
        !net_bytes(skb, first >> 4 == 6 ? IP6 : IP4, spi, sizeof spi))
        return 0;
    return (int)(u16_at(spi) ^ u16_at(spi + 2));
}

char _license[] SEC("license") = "Dual BSD/GPL";
