/*
 * The kernel's half of the LAN interfaces (lan_port.c): plain packets that policies protect go past
 * the kernel's forwarding, to AF_XDP sockets (lan_xdp) or to an AF_PACKET tap (lan_tap), beside
 * which lan_drop keeps the kernel from forwarding the same packet as well. Tap and drop decide by
 * one function, so each packet goes one way. Compiled by clang, loaded by lan_bpf.c.
 *
 * Taken is only what needs no judgement of a router (RFC 1812, RFC 8200): an untagged Ethernet
 * frame to our own MAC address; no fragment, no options or extension headers for routers; a hop
 * limit that outlives the hop; no larger than the TUN device takes; neither from nor to one of
 * our addresses, the link or nobody; between addresses of which policies protect everything. The
 * rest goes its way through the kernel, which answers where an answer is due.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include "address.h"

enum { ETHER = 14, IP4 = 20, IP6 = 40, TCP = 20, UDP = 8, NH_TCP = 6, NH_UDP = 17 };
enum { NH_HOP = 0, NH_ROUTING = 43, NH_FRAGMENT = 44, NH_OPTIONS = 60, NH_MOBILITY = 135 };
enum { INTERFACES = 16, QUEUES = 64, ADDRESSES = 4096, PREFIXES = 1 << 20, TAKEN = 0x40000 };
enum { SOURCES = 4 };
enum { TC_NEXT = -1, TC_SHOT = 2 };
#define ALL 0xffffffffu /* as an owner: flows are spread (lan_port.h: LAN_OWNER_ALL) */

struct prefix {
    __u32 bits;
    struct address a;
};

struct lan_conf {
    __u8 mac[6];
    __u16 slot;    /* of its queues in lan_socks */
    __u32 largest; /* packet, or segment of a super-packet */
};

/* From where packets go into the tunnels; n 0: a hole in a wider prefix. */
struct take {
    __u32 n, unused;
    struct {
        __u64 net[2], mask[2];
    } from[SOURCES];
};

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, PREFIXES);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct prefix);
    __type(value, struct take);
} lan_prefixes SEC(".maps");

/* Which of the ports that share the packets has the SA for a destination. */
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, PREFIXES);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct prefix);
    __type(value, __u32);
} lan_owners SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, ADDRESSES);
    __type(key, struct address);
    __type(value, __u32);
} lan_own SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, INTERFACES);
    __type(key, __u32);
    __type(value, struct lan_conf);
} lan_conf SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, INTERFACES *QUEUES);
    __type(key, __u32);
    __type(value, __u32);
} lan_socks SEC(".maps");

INLINE int takes_from(const struct take *t, struct address from)
{
    __u64 a[2];
    __builtin_memcpy(a, from.ip, sizeof a);
    for (__u32 i = 0; i < SOURCES && i < t->n; i++)
        if ((a[0] & t->from[i].mask[0]) == t->from[i].net[0] &&
            (a[1] & t->from[i].mask[1]) == t->from[i].net[1])
            return 1;
    return 0;
}

INLINE int through_us(struct address from, struct address to)
{
    struct prefix p = {.bits = 128, .a = to};
    const struct take *take = bpf_map_lookup_elem(&lan_prefixes, &p);
    return take && takes_from(take, from) && !bpf_map_lookup_elem(&lan_own, &to) &&
           !bpf_map_lookup_elem(&lan_own, &from);
}

/* RFC 1812 5.3.7: "this network", loopback, multicast and beyond are never forwarded. */
INLINE int roams4(const __u8 *a)
{
    return a[0] != 0 && a[0] != 127 && a[0] < 224;
}

/* RFC 4291 2.5: unspecified, loopback, mapped, link-local, multicast. */
INLINE int roams6(const __u8 *a)
{
    return (a[0] | a[1]) != 0 && (u16_at(a) & 0xffc0) != 0xfe80 && a[0] != 0xff;
}

/* room: bytes from the IP header on, behind which padding may follow. */
INLINE int takes4(const __u8 *ip, __u32 room)
{
    __u32 total = u16_at(ip + 2);
    return ip[0] == 0x45 && (u16_at(ip + 6) & 0x3fff) == 0 && ip[8] > 1 && total >= IP4 &&
           total <= room && roams4(ip + 12) && roams4(ip + 16) &&
           through_us(address4(ip + 12), address4(ip + 16));
}

/* RFC 8200 4: a chain of headers is the kernel's; so is what only ends may see. */
INLINE int plain6(__u8 next)
{
    return next != NH_HOP && next != NH_ROUTING && next != NH_FRAGMENT && next != NH_OPTIONS &&
           next < NH_MOBILITY;
}

INLINE int takes6(const __u8 *ip, __u32 room)
{
    return ip[0] >> 4 == 6 && plain6(ip[6]) && ip[7] > 1 && u16_at(ip + 4) + IP6 <= room &&
           roams6(ip + 8) && roams6(ip + 24) && through_us(address6(ip + 8), address6(ip + 24));
}

/* --- AF_XDP: one packet a frame --- */

INLINE int to_mac(const struct lan_conf *c, const __u8 *mac)
{
    for (int i = 0; i < 6; i++)
        if (c->mac[i] != mac[i])
            return 0;
    return 1;
}

INLINE int xdp_takes(const struct lan_conf *c, const __u8 *p, const __u8 *end)
{
    const __u8 *ip = p + ETHER;
    if (ip + IP4 > end)
        return 0;
    __u32 room = (__u32)(end - ip);
    if (u16_at(p + 12) == 0x0800)
        return u16_at(ip + 2) <= c->largest && takes4(ip, room);
    if (u16_at(p + 12) != 0x86dd || ip + IP6 > end)
        return 0;
    return u16_at(ip + 4) + IP6 <= c->largest && takes6(ip, room);
}

SEC("xdp")
int lan_xdp(struct xdp_md *ctx)
{
    const __u8 *p = (const __u8 *)(long)ctx->data, *end = (const __u8 *)(long)ctx->data_end;
    __u32 dev = ctx->ingress_ifindex;
    const struct lan_conf *c = bpf_map_lookup_elem(&lan_conf, &dev);

    if (!c || ctx->rx_queue_index >= QUEUES || !xdp_takes(c, p, end) || !to_mac(c, p))
        return XDP_PASS;
    /* A queue without a socket: on through the kernel. */
    return (int)bpf_redirect_map(&lan_socks, c->slot * QUEUES + ctx->rx_queue_index, XDP_PASS);
}

/* --- AF_PACKET: whole packets, super-packets among them --- */

INLINE int bytes(struct __sk_buff *skb, __u32 at, void *to, __u32 n)
{
    return bpf_skb_load_bytes(skb, at, to, n) == 0;
}

/* Payload per segment and the headers before it: what of a super-packet meets an MTU. */
INLINE int segment_fits(struct __sk_buff *skb, __u32 l4_at, __u8 proto, __u32 largest)
{
    __u8 offset = UDP / 4 << 4;
    if (proto == NH_TCP) {
        if (!bytes(skb, l4_at + 12, &offset, 1))
            return 0;
    } else if (proto != NH_UDP) {
        return 0;
    }
    return l4_at - ETHER + (__u32)(offset >> 4) * 4 + skb->gso_size <= largest;
}

INLINE int tap4(struct __sk_buff *skb, __u32 largest)
{
    __u8 ip[IP4];
    if (!bytes(skb, ETHER, ip, sizeof ip) || !takes4(ip, skb->len - ETHER))
        return 0;
    return skb->gso_size ? segment_fits(skb, ETHER + IP4, ip[9], largest)
                         : u16_at(ip + 2) <= largest;
}

INLINE int tap6(struct __sk_buff *skb, __u32 largest)
{
    __u8 ip[IP6];
    if (!bytes(skb, ETHER, ip, sizeof ip) || !takes6(ip, skb->len - ETHER))
        return 0;
    return skb->gso_size ? segment_fits(skb, ETHER + IP6, ip[6], largest)
                         : u16_at(ip + 4) + IP6 <= largest;
}

/* Both callers see the packet from its Ethernet header on. */
INLINE int skb_takes(struct __sk_buff *skb)
{
    __u32 dev = skb->ifindex;
    const struct lan_conf *c = bpf_map_lookup_elem(&lan_conf, &dev);

    /* PACKET_HOST: to our MAC address. Beyond 64 KB no header tells the length any more. */
    if (!c || skb->pkt_type != 0 || skb->vlan_present || skb->len > ETHER + 0xffff)
        return 0;
    if (skb->protocol == __builtin_bswap16(0x0800))
        return tap4(skb, c->largest);
    if (skb->protocol == __builtin_bswap16(0x86dd))
        return tap6(skb, c->largest);
    return 0;
}

SEC("socket")
int lan_tap(struct __sk_buff *skb)
{
    return skb_takes(skb) ? TAKEN : 0;
}

INLINE int net_bytes(struct __sk_buff *skb, __u32 at, void *to, __u32 n)
{
    return bpf_skb_load_bytes_relative(skb, at, to, n, BPF_HDR_START_NET) == 0;
}

/* Several taps share the packets (PACKET_FANOUT_EBPF, before the Ethernet header is back in front);
 * what nobody has is the first one's. */
INLINE __u32 mix(__u32 h, __u32 word)
{
    h = (h ^ word) * 0x9e3779b1;
    return h ^ h >> 15;
}

/* Of a and b in either order: what goes back has the same hash. */
INLINE __u32 mix_both(__u32 h, __u32 a, __u32 b)
{
    return mix(mix(h, a ^ b), a + b);
}

/* What is taken has its upper layer's header behind an IP header of fixed length. */
INLINE __u32 flow_hash(struct __sk_buff *skb, __u32 addresses, __u32 words, __u8 proto, __u32 l4)
{
    __u32 ip[8] = {0}, h = proto;
    __u16 port[2] = {0};
    net_bytes(skb, addresses, ip, words * 4);
    if (proto == NH_TCP || proto == NH_UDP)
        net_bytes(skb, l4, port, sizeof port);
    for (__u32 i = 0; i < 4 && i < words / 2; i++)
        h = mix_both(h, ip[i], ip[i + words / 2]);
    return mix(mix_both(h, port[0], port[1]), l4); /* the ports' bits reach the lowest */
}

SEC("socket")
int lan_share(struct __sk_buff *skb)
{
    struct prefix p = {.bits = 128};
    __u8 ip[IP6] = {0}, v4 = skb->protocol == __builtin_bswap16(0x0800);
    if (!net_bytes(skb, 0, ip, v4 ? IP4 : IP6))
        return 0;
    p.a = v4 ? address4(ip + 16) : address6(ip + 24);
    const __u32 *owner = bpf_map_lookup_elem(&lan_owners, &p);
    if (!owner || *owner != ALL)
        return owner ? (int)*owner : 0;
    /* the kernel takes it modulo the number of taps */
    return (int)(v4 ? flow_hash(skb, 12, 2, ip[9], IP4) : flow_hash(skb, 8, 8, ip[6], IP6));
}

/* At the head of tc's ingress hook, behind the taps. */
SEC("tc")
int lan_drop(struct __sk_buff *skb)
{
    return skb_takes(skb) ? TC_SHOT : TC_NEXT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
