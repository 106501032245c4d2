/*
 * The guard's table (see nft.h): RFC 4301 5.1 and 5.2 in nftables, which knows ports, sources and
 * types of ICMP. Rows are met in their order, the first that covers a packet decides.
 *
 * Outbound packets, in `decide`: what a row protects or drops goes on unmarked, into the routes
 * that lead to the TUN device. What a row passes, or none covers, gets a bit of the mark, by which
 * the rules of netlink.h lead it past those routes: it goes where it would go without us. Asked at
 * prerouting for what is forwarded, at output for the host's own that was routed to the TUN device
 * (re-routing others would lose the interface they chose) or has such a bit from elsewhere, both
 * behind the translation of addresses and of others' marks. At postrouting `outbound` drops what is
 * covered and goes elsewhere than to the TUN device: routes lost, device gone, daemon killed. What
 * has the bit was asked already; it stands at priority mangle, as NAT has not yet hidden the inner
 * source address, and the kernel has not yet cut the packet. Without this table all of it goes to
 * the TUN device: closed.
 *
 * What comes from the TUN device has another bit: its rule holds for packets from there alone,
 * so that a strict rp_filter finds the way back to the peers' networks.
 *
 * Inbound at prerouting, priority raw: before NAT and connection tracking spend anything, after
 * reassembly where the machine reassembles. What a row protects or drops must not come in clear.
 *
 * Let pass all the same, because a policy may cover the gateways' own addresses (host to host,
 * 0.0.0.0/0):
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
 *   link-local multicast and broadcast, fe80::/10, DHCP of this host itself.
 *
 * Later fragments have no ports and no type: they meet rows that name such only where these do not
 * pass, and go to the TUN device, where the data plane knows their datagram. Both kinds of rules
 * look the packet up as (remote, local): inbound (source, destination), outbound (destination,
 * source), so both use the same sets.
 */
#include "io/nft_rules.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const kind_names[GUARD_KINDS] = {"pair", "proto", "ports", "types", "frags"};

static const char *const kind_types[GUARD_KINDS] = {
    "",
    " . inet_proto",
    " . inet_proto . inet_service . inet_service",
    " . inet_proto . inet_service",
    " . inet_proto",
};

static void print_set_name(struct buf *out, size_t layer, const struct guard_box *b)
{
    buf_printf(out, "r%zu_%s%u_%u", layer, kind_names[b->kind], b->lo[0].family, b->layer);
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

static void print_sets(struct buf *out, size_t layer, const struct guard_boxes *boxes)
{
    for (size_t i = 0; i < boxes->n; i++) {
        const struct guard_box *b = &boxes->box[i];
        if (i == 0 || !same_set(b, b - 1)) {
            const char *type = b->lo[0].family == 4 ? "ipv4_addr" : "ipv6_addr";
            buf_puts(out, "set ");
            print_set_name(out, layer, b);
            buf_printf(out, " { type %s . %s%s; flags interval; elements = {\n", type, type,
                       kind_types[b->kind]);
        }
        print_box(out, b);
        buf_puts(out, i + 1 < boxes->n && same_set(b, b + 1) ? ",\n" : " } }\n");
    }
}

/* How a packet is looked up, and what follows: a verdict for each of enum nft_does and family. */
struct question {
    struct nft_side side;
    bool inbound;
    const char *verdict[3][2];
};

static const struct question in = {{{"saddr", "daddr"}, {"sport", "dport"}},
                                   true,
                                   {{"goto covered_in", "goto covered_in"},
                                    {"accept", "accept"},
                                    {"goto covered_in", "goto covered_in"}}};
static const struct question out_ward = {{{"daddr", "saddr"}, {"dport", "sport"}},
                                         false,
                                         {{"goto covered", "goto covered"},
                                          {"goto clear", "goto clear"},
                                          {"goto covered", "goto covered"}}};

static void print_rule(struct buf *out, const struct question *d, size_t layer,
                       const struct guard_box *b, const char *verdict)
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
    print_set_name(out, layer, b);
    buf_printf(out, " %s\n", verdict);
}

/* What stands in the order: a shape or a layer. */
struct place {
    uint64_t order;
    uint8_t does;
    bool same;
    const struct nft_layer *layer; /* NULL: a shape */
    size_t number;
};

static int by_order(const void *pa, const void *pb)
{
    const struct place *a = pa, *b = pb;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return (b->does == NFT_PASS) - (a->does == NFT_PASS);
}

static size_t places_of(const struct nft_rules *r, struct place *p)
{
    size_t n = 0;
    for (size_t i = 0; i < r->pairs->shapes; i++) {
        const struct nft_shape *s = &r->pairs->shape[i];
        p[n++] = (struct place){s->order, s->does, s->same, NULL, i};
    }
    for (size_t i = 0; i < r->layers; i++) {
        const struct nft_layer *l = &r->layer[i];
        p[n++] = (struct place){l->order, l->does, l->same, l, i};
    }
    qsort(p, n, sizeof *p, by_order);
    return n;
}

static void print_layer(const struct place *p, const char *when, const struct question *q,
                        struct buf *out)
{
    const struct guard_boxes *boxes = &p->layer->boxes;
    for (size_t i = 0; i < boxes->n; i++) {
        const struct guard_box *b = &boxes->box[i];
        if (i > 0 && same_set(b, b - 1))
            continue;
        buf_puts(out, when);
        print_rule(out, q, p->number, b, q->verdict[p->does][b->lo[0].family == 6]);
    }
}

/*
 * Where both sides of a row are the same it covers whatever is said between its addresses, and
 * there is no telling which of two is on our side: it is for what goes out, and not for what came
 * out of the TUN device.
 */
static void print_place(const struct nft_rules *r, const struct place *p, const struct question *q,
                        struct buf *out)
{
    char when[64] = "";
    bool one_way = p->same && p->does != NFT_PASS;
    if (one_way && q->inbound)
        return;
    if (one_way)
        snprintf(when, sizeof when, "iifname != \"%s\" ", r->tun);
    if (p->layer) {
        print_layer(p, when, q, out);
        return;
    }
    uint8_t family = r->pairs->shape[p->number].family;
    buf_puts(out, when);
    nft_pairs_print_rule(r->pairs, p->number, &q->side, q->verdict[p->does][family == 6], out);
}

static void print_rows(const struct nft_rules *r, const struct question *q, struct buf *out)
{
    struct place *p = calloc(r->pairs->shapes + r->layers + 1, sizeof *p);
    size_t n = p ? places_of(r, p) : 0;
    if (!p)
        out->err = E_NOMEM;
    for (size_t i = 0; i < n; i++)
        print_place(r, &p[i], q, out);
    free(p);
}

/* own: the side that is this host's. Others' DHCP from one network into another is data. */
static void print_link(const char *name, const char *own, const char *verdict, struct buf *out)
{
    static const char *const kinds[] = {
        "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, "
        "nd-neighbor-advert, nd-redirect } ip6 hoplimit 255",
        "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, "
        "mld2-listener-report } ip6 hoplimit 1",
        "ip daddr { 224.0.0.0/24, 255.255.255.255 }",
        "ip6 daddr ff02::/16",
        "ip6 saddr fe80::/10 ip6 daddr fe80::/10",
    };
    buf_printf(out, "chain %s {\n", name);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        buf_printf(out, "%s %s\n", kinds[i], verdict);
    buf_printf(out,
               "udp sport . udp dport { 67 . 68, 68 . 67, 546 . 547, 547 . 546 } "
               "fib %s type local %s\n}\n",
               own, verdict);
}

static void print_in(const struct nft_rules *r, struct buf *out)
{
    print_link("link", "daddr", "accept", out);
    buf_puts(out, "chain covered_in {\n"
                  "meta l4proto udp ip frag-off & 0x1fff != 0 fib daddr type local accept\n"
                  "meta l4proto udp frag frag-off != 0 fib daddr type local accept\n"
                  "frag nexthdr ah frag frag-off != 0 fib daddr type local accept\n"
                  "jump link\n"
                  "counter name in_dropped drop\n"
                  "}\n");
    buf_printf(out,
               "chain inbound { type filter hook prerouting priority -300; policy accept;\n"
               "iifname { \"lo\", \"%s\" } accept\n"
               "udp dport { %u, %u } fib daddr type local meta mark set 0x%x accept\n"
               "meta l4proto { esp, ah } fib daddr type local meta mark set 0x%x accept\n",
               r->tun, r->port, r->port_natt, r->mark, r->mark);
    print_rows(r, &in, out);
    buf_puts(out, "}\n");
}

/* --- behind translations --- */

struct behind {
    const struct nft_rules *r;
    struct buf *out;
    uint8_t family;
    bool some;
};

static void print_behind(void *ctx, const struct nft_pair *p)
{
    struct behind *b = ctx;
    char lo[ADDR_STR_MAX], hi[ADDR_STR_MAX];
    if (p->does != NFT_PROTECT || p->remote_lo.family != b->family ||
        !nft_nat_gives(b->r->nat, &p->local_lo, &p->local_hi))
        return;
    buf_printf(b->out, "%s%s-%s", b->some ? ",\n" : " elements = {\n", addr_str(&p->remote_lo, lo),
               addr_str(&p->remote_hi, hi));
    b->some = true;
}

static bool translates(const struct nft_rules *r)
{
    return r->nat->n || r->nat->wide;
}

/* The networks of policies that stand on an address which a rule of others gives. What goes there
 * and meets no row may meet one behind that rule, so it goes to the TUN device, by way of it. */
static void print_translated(const struct nft_rules *r, struct buf *out)
{
    for (uint8_t family = 4; family <= 6; family += 2) {
        struct behind b = {r, out, family, false};
        buf_printf(out, "set behind%u { type %s; flags interval; auto-merge;", family,
                   family == 4 ? "ipv4_addr" : "ipv6_addr");
        nft_pairs_protected(r->pairs, print_behind, &b);
        for (size_t i = 0; i < r->rests; i++)
            print_behind(&b, &r->rest[i]);
        buf_puts(out, b.some ? " } }\n" : " }\n");
    }
}

/* `clear` ends it for this hook, `covered` comes back without the bit. */
static void print_decide(const struct nft_rules *r, struct buf *out)
{
    uint32_t others = ~(r->clear | r->clear_tun);
    buf_printf(out,
               "chain clear {\n"
               "iifname \"%s\" meta mark set meta mark & 0x%x | 0x%x accept\n"
               "meta mark set meta mark & 0x%x | 0x%x accept\n"
               "}\n",
               r->tun, others, r->clear_tun, others, r->clear);
    print_link("covered", "saddr", "goto clear", out);
    buf_puts(out, "chain decide {\n");
    print_rows(r, &out_ward, out);
    if (translates(r))
        buf_puts(out, "ip daddr @behind4 goto covered\nip6 daddr @behind6 goto covered\n");
    buf_puts(out, "goto clear\n}\n");
}

static void print_asking(const struct nft_rules *r, const char *hook, const char *only,
                         struct buf *out)
{
    uint32_t bits = r->clear | r->clear_tun;
    buf_printf(out,
               "chain to_%s { type %s priority 250; policy accept;\n"
               "%smeta mark 0x%x accept\n"
               "meta mark & 0x%x != 0 meta mark set meta mark & 0x%x\n"
               "jump decide\n"
               "}\n",
               only ? "output" : "prerouting", hook, only ? only : "", r->mark, bits, ~bits);
}

/* A translation on the way out may give a packet that was let past an address that a policy stands
 * on: it is asked about again, and there is no way into the tunnel from there. */
static void print_after_nat(const struct nft_rules *r, struct buf *out)
{
    buf_printf(out,
               "chain translated { type filter hook postrouting priority 150; policy accept;\n"
               "oifname { \"lo\", \"%s\" } accept\n"
               "meta mark 0x%x accept\n"
               "ct status & snat != snat accept\n"
               "jump decide\n"
               "counter name out_dropped drop\n"
               "}\n",
               r->tun, r->mark);
}

/* Errors of this host to where the routes lead into the TUN device: they may quote what came out of
 * it, so they are not let past. */
static const char errors[] =
    "icmp type { destination-unreachable, time-exceeded, parameter-problem } accept\n"
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } "
    "accept\n";

static void print_out(const struct nft_rules *r, struct buf *out)
{
    char only[sizeof errors + 96];
    snprintf(only, sizeof only, "oifname != \"%s\" meta mark & 0x%x == 0 accept\n%s", r->tun,
             r->clear | r->clear_tun, errors);
    print_decide(r, out);
    print_asking(r, "filter hook prerouting", NULL, out);
    print_asking(r, "route hook output", only, out);
    buf_printf(out,
               "chain outbound { type filter hook postrouting priority -150; policy accept;\n"
               "oifname { \"lo\", \"%s\" } accept\n"
               "meta mark & 0x%x != 0 accept\n"
               "meta mark 0x%x accept\n"
               "jump decide\n"
               "udp sport { %u, %u } fib saddr type local accept\n"
               "meta l4proto { esp, ah } fib saddr type local accept\n"
               "counter name out_dropped drop\n"
               "}\n",
               r->tun, r->clear | r->clear_tun, r->mark, r->port, r->port_natt);
    if (r->nat->any)
        print_after_nat(r, out);
}

/*
 * Where the first chain at a NAT hook gives a packet a translation, be it to its own address, those
 * behind do not. What a policy translates on purpose has another source before: no row covers it.
 * Of decrypted packets on their way to the LAN the same, the other way round.
 */
#define KEEP                                                                                       \
    {                                                                                              \
        "snat ip to ip saddr", "snat ip6 to ip6 saddr"                                             \
    }
#define LEAVE                                                                                      \
    {                                                                                              \
        "return", "return"                                                                         \
    }

static void print_exempt(const struct nft_rules *r, struct buf *out)
{
    static const struct question to = {
        {{"daddr", "saddr"}, {"dport", "sport"}}, false, {KEEP, LEAVE, KEEP}};
    static const struct question from = {
        {{"saddr", "daddr"}, {"sport", "dport"}}, true, {KEEP, LEAVE, KEEP}};
    buf_puts(out, "chain to_tun {\n");
    print_rows(r, &to, out);
    buf_puts(out, "}\nchain from_tun {\n");
    print_rows(r, &from, out);
    buf_printf(out,
               "}\nchain exempt { type nat hook postrouting priority 90; policy accept;\n"
               "oifname \"%s\" jump to_tun\niifname \"%s\" jump from_tun\n}\n",
               r->tun, r->tun);
}

static bool shunts_ports(const struct nft_rules *r)
{
    for (size_t l = 0; l < r->layers; l++)
        for (size_t i = 0; r->layer[l].does != NFT_PROTECT && i < r->layer[l].boxes.n; i++)
            if (r->layer[l].boxes.box[i].kind >= GUARD_PORTS)
                return true;
    return nft_pairs_shunt_ports(r->pairs);
}

/*
 * RFC 4301 7.4: fragments of what a port or type passes or drops are checked with their datagram.
 * Who asks for connection tracking, and be it in a chain that nothing runs through, has the kernel
 * put datagrams together before the first hook, and cut them again when they leave.
 */
static const char whole[] = "chain whole {\nct state untracked return\n}\n";

void nft_rules_print(const struct nft_rules *r, struct buf *out)
{
    buf_puts(out, "add table " NFT_TABLE "\ndelete table " NFT_TABLE "\ntable " NFT_TABLE " {\n");
    buf_printf(out, "counter in_dropped { packets %llu bytes 0 }\n",
               (unsigned long long)r->in_dropped);
    buf_printf(out, "counter out_dropped { packets %llu bytes 0 }\n",
               (unsigned long long)r->out_dropped);
    for (size_t i = 0; i < r->layers; i++)
        print_sets(out, i, &r->layer[i].boxes);
    nft_pairs_print_sets(r->pairs, out);
    if (translates(r))
        print_translated(r, out);
    if (r->whole && shunts_ports(r))
        buf_puts(out, whole);
    print_in(r, out);
    print_out(r, out);
    if (r->exempt)
        print_exempt(r, out);
    buf_puts(out, "}\n");
}
