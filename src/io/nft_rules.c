/*
 * The guard's table (see nft.h). RFC 4301 5.2: a clear packet from outside that a protect policy
 * covers is dropped; and 5.1: what must be protected never leaves in clear.
 *
 * Inbound at prerouting, priority raw: before NAT and connection tracking spend anything, after
 * reassembly where the machine reassembles. Outbound at postrouting, priority mangle: the outgoing
 * interface is known, NAT has not yet hidden the inner source address, and the kernel has not yet
 * cut the packet (it fragments after this hook); so only forwarded packets are seen in fragments.
 *
 * Let pass, because a policy may cover the gateways' own addresses (host to host, 0.0.0.0/0):
 * - lo and the TUN device;
 * - outbound, whatever carries our mark (all that our sockets send), and IKE, ESP and AH of
 *   this host itself. Through the host they are data like any other;
 * - inbound, IKE, ESP and AH for this host itself. They get our mark, so that a strict rp_filter
 *   looks for the way back past our routes (src_valid_mark, see netlink.h);
 * - inbound, later fragments of UDP and, in IPv6, of AH (one extension header more to nftables) for
 *   this host: they may belong to a large IKE message or ESP in UDP. Alone they come to nothing, as
 *   the first one is held to the rule; to smuggle one into a datagram whose first fragment came
 *   through the tunnel takes its identification;
 * - what never leaves the link: neighbour discovery and router messages (hop limit 255), MLD,
 *   link-local multicast and broadcast, fe80::/10, DHCP.
 *
 * What a bypass policy covers passes before anything is dropped: the ports and ICMP types of a
 * policy matter to it, and later fragments, which have none, pass only with their datagram. Both
 * kinds of rules look the packet up as (remote, local): inbound (source, destination), outbound
 * (destination, source), so both use the same sets.
 */
#include "io/nft_rules.h"

static const char *const kind_names[GUARD_KINDS] = {"pair", "proto", "ports", "types", "frags"};

static const char *const kind_types[GUARD_KINDS] = {
    "",
    " . inet_proto",
    " . inet_proto . inet_service . inet_service",
    " . inet_proto . inet_service",
    " . inet_proto",
};

/* A verdict, the prefix of its sets and the boxes it is for. */
struct verdict {
    const char *prefix;
    const char *const *words; /* IPv4, IPv6 */
    const struct guard_boxes *boxes;
};

static void print_set_name(struct buf *out, const char *prefix, const struct guard_box *b)
{
    buf_printf(out, "%s%s%u_%u", prefix, kind_names[b->kind], b->lo[0].family, b->layer);
}

static void print_box(struct buf *out, const struct guard_box *b)
{
    char lo[2][ADDR_STR_MAX], hi[2][ADDR_STR_MAX];
    for (int d = GUARD_REMOTE; d <= GUARD_LOCAL; d++) {
        addr_str(&b->lo[d], lo[d]);
        addr_str(&b->hi[d], hi[d]);
    }
    buf_printf(out, "%s-%s . %s-%s", lo[GUARD_REMOTE], hi[GUARD_REMOTE], lo[GUARD_LOCAL],
               hi[GUARD_LOCAL]);
    if (b->kind != GUARD_PAIR)
        buf_printf(out, " . %u", b->proto);
    if (b->kind == GUARD_PORTS)
        buf_printf(out, " . %u-%u . %u-%u", b->port_lo[GUARD_REMOTE], b->port_hi[GUARD_REMOTE],
                   b->port_lo[GUARD_LOCAL], b->port_hi[GUARD_LOCAL]);
    if (b->kind == GUARD_TYPES)
        buf_printf(out, " . %u-%u", b->port_lo[GUARD_REMOTE], b->port_hi[GUARD_REMOTE]);
}

static bool same_set(const struct guard_box *a, const struct guard_box *b)
{
    return a->kind == b->kind && a->lo[0].family == b->lo[0].family && a->layer == b->layer;
}

static void print_sets(struct buf *out, const char *prefix, const struct guard_boxes *boxes)
{
    for (size_t i = 0; i < boxes->n; i++) {
        const struct guard_box *b = &boxes->box[i];
        if (i == 0 || !same_set(b, b - 1)) {
            const char *type = b->lo[0].family == 4 ? "ipv4_addr" : "ipv6_addr";
            buf_puts(out, "set ");
            print_set_name(out, prefix, b);
            buf_printf(out, " { type %s . %s%s; flags interval; elements = {\n", type, type,
                       kind_types[b->kind]);
        }
        print_box(out, b);
        buf_puts(out, i + 1 < boxes->n && same_set(b, b + 1) ? ",\n" : " } }\n");
    }
}

struct direction {
    struct nft_side side;
    const char *drop[2]; /* IPv4, IPv6 */
};

static const struct direction in = {
    {{"saddr", "daddr"}, {"sport", "dport"}},
    {"counter name in_dropped drop", "counter name in_dropped drop"}};
static const struct direction out_ward = {
    {{"daddr", "saddr"}, {"dport", "sport"}},
    {"counter name out_dropped drop", "counter name out_dropped drop"}};
static const char *const accept_words[2] = {"accept", "accept"};

static void print_rule(struct buf *out, const struct direction *d, const struct verdict *v,
                       const struct guard_box *b)
{
    const char *ip = b->lo[0].family == 4 ? "ip" : "ip6";
    if (b->kind == GUARD_FRAGS)
        buf_puts(out, b->lo[0].family == 4 ? "ip frag-off & 0x1fff != 0 " : "frag frag-off != 0 ");
    buf_printf(out, "%s %s . %s %s", ip, d->side.addr[GUARD_REMOTE], ip, d->side.addr[GUARD_LOCAL]);
    if (b->kind != GUARD_PAIR)
        buf_puts(out, " . meta l4proto");
    if (b->kind == GUARD_PORTS)
        buf_printf(out, " . th %s . th %s", d->side.port[GUARD_REMOTE], d->side.port[GUARD_LOCAL]);
    if (b->kind == GUARD_TYPES) /* the first two bytes of the upper layer */
        buf_puts(out, " . th sport");
    buf_puts(out, " @");
    print_set_name(out, v->prefix, b);
    buf_printf(out, " %s\n", v->words[b->lo[0].family == 6]);
}

static void print_rules(struct buf *out, const struct direction *d, const struct verdict *v)
{
    for (size_t i = 0; i < v->boxes->n; i++) {
        const struct guard_box *b = &v->boxes->box[i];
        if (i == 0 || !same_set(b, b - 1))
            print_rule(out, d, v, b);
    }
}

static void print_policies(struct buf *out, const struct direction *d,
                           const struct nft_pairs *pairs, const struct guard_boxes *pass,
                           const struct guard_boxes *drop)
{
    nft_pairs_print_rules(pairs, &d->side, true, accept_words, out);
    print_rules(out, d, &(struct verdict){"pass_", accept_words, pass});
    nft_pairs_print_rules(pairs, &d->side, false, d->drop, out);
    print_rules(out, d, &(struct verdict){"", d->drop, drop});
}

static const char link_local[] =
    "chain link {\n"
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, "
    "nd-redirect } ip6 hoplimit 255 accept\n"
    "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, "
    "mld2-listener-report } ip6 hoplimit 1 accept\n"
    "ip daddr { 224.0.0.0/24, 255.255.255.255 } accept\n"
    "ip6 daddr ff02::/16 accept\n"
    "ip6 saddr fe80::/10 ip6 daddr fe80::/10 accept\n"
    "udp sport . udp dport { 67 . 68, 68 . 67, 546 . 547, 547 . 546 } accept\n"
    "}\n";

static void print_in(const struct nft_rules *r, struct buf *out)
{
    buf_printf(out,
               "chain inbound { type filter hook prerouting priority -300; policy accept;\n"
               "iifname { \"lo\", \"%s\" } accept\n"
               "udp dport { %u, %u } fib daddr type local meta mark set 0x%x accept\n"
               "meta l4proto { esp, ah } fib daddr type local meta mark set 0x%x accept\n"
               "meta l4proto udp ip frag-off & 0x1fff != 0 fib daddr type local accept\n"
               "meta l4proto udp frag frag-off != 0 fib daddr type local accept\n"
               "frag nexthdr ah frag frag-off != 0 fib daddr type local accept\n"
               "jump link\n",
               r->tun, r->port, r->port_natt, r->mark, r->mark);
}

static void print_out(const struct nft_rules *r, struct buf *out)
{
    buf_printf(out,
               "chain outbound { type filter hook postrouting priority -150; policy accept;\n"
               "oifname { \"lo\", \"%s\" } accept\n"
               "meta mark 0x%x accept\n"
               "udp sport { %u, %u } fib saddr type local accept\n"
               "meta l4proto { esp, ah } fib saddr type local accept\n"
               "jump link\n",
               r->tun, r->mark, r->port, r->port_natt);
}

/*
 * Where the first chain at a NAT hook gives a packet a translation, be it to its own address, those
 * behind do not. What a policy translates on purpose has another source before: it is not in the
 * sets. Of decrypted packets on their way to the LAN the same, the other way round.
 */
static void print_exempt(const struct nft_rules *r, const struct guard_boxes *drop, struct buf *out)
{
    static const char *const keep[2] = {"snat ip to ip saddr", "snat ip6 to ip6 saddr"};
    buf_puts(out, "chain to_tun {\n");
    nft_pairs_print_rules(r->pairs, &out_ward.side, false, keep, out);
    print_rules(out, &out_ward, &(struct verdict){"", keep, drop});
    buf_puts(out, "}\nchain from_tun {\n");
    nft_pairs_print_rules(r->pairs, &in.side, false, keep, out);
    print_rules(out, &in, &(struct verdict){"", keep, drop});
    buf_printf(out,
               "}\nchain exempt { type nat hook postrouting priority 90; policy accept;\n"
               "oifname \"%s\" jump to_tun\niifname \"%s\" jump from_tun\n}\n",
               r->tun, r->tun);
}

static bool passes_ports(const struct nft_rules *r, const struct guard_boxes *pass)
{
    for (size_t i = 0; i < pass->n; i++)
        if (pass->box[i].kind == GUARD_PORTS || pass->box[i].kind == GUARD_TYPES)
            return true;
    return nft_pairs_pass_ports(r->pairs);
}

/*
 * RFC 4301 7.4: fragments of what a port or type lets pass are checked with their datagram. Who
 * asks for connection tracking, and be it in a chain that nothing runs through, has the kernel put
 * datagrams together before the first hook, and cut them again when they leave.
 */
static const char whole[] = "chain whole {\nct state untracked return\n}\n";

void nft_rules_print(const struct nft_rules *r, const struct guard_boxes *pass,
                     const struct guard_boxes *drop, struct buf *out)
{
    buf_puts(out, "add table " NFT_TABLE "\ndelete table " NFT_TABLE "\ntable " NFT_TABLE " {\n");
    buf_printf(out, "counter in_dropped { packets %llu bytes 0 }\n",
               (unsigned long long)r->in_dropped);
    buf_printf(out, "counter out_dropped { packets %llu bytes 0 }\n",
               (unsigned long long)r->out_dropped);
    print_sets(out, "pass_", pass);
    print_sets(out, "", drop);
    nft_pairs_print_sets(r->pairs, out);
    buf_puts(out, link_local);
    if (r->whole && passes_ports(r, pass))
        buf_puts(out, whole);
    print_in(r, out);
    print_policies(out, &in, r->pairs, pass, drop);
    buf_puts(out, "}\n");
    print_out(r, out);
    print_policies(out, &out_ward, r->pairs, pass, drop);
    buf_puts(out, "}\n");
    if (r->exempt)
        print_exempt(r, drop, out);
    buf_puts(out, "}\n");
}
