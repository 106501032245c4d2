/* The BPF programs of the LAN interfaces: see lan_bpf.h. */
#include "io/lan_bpf.h"
#include "io/bpf_load.h"
#include "io/fail.h"
#include "lan_bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

/* Linux 6.6; the headers of Debian 12 do not know them. */
enum { ATTACH_TCX_INGRESS = 46, F_BEFORE = 1 << 3 };
enum { MAPPED = 96, QUEUES = 64 }; /* bits before an IPv4 address; as in bpf/lan.bpf.c */

/* The same layouts as in bpf/lan.bpf.c. */
struct prefix_key {
    uint32_t bits;
    uint8_t ip[16];
};

struct take_row {
    uint32_t n, unused;
    struct {
        uint8_t net[16], mask[16];
    } from[LAN_SOURCES];
};

struct conf_row {
    uint8_t mac[6];
    uint16_t slot;
    uint32_t largest;
};

struct lan_bpf {
    struct bpf_object *object;
    int prefixes, owners, own, conf, socks;
};

static struct prefix_key key_of(const struct addr *prefix, unsigned bits)
{
    struct prefix_key k = {.bits = bits + (prefix->family == 4 ? MAPPED : 0)};
    bpf_load_key(prefix, k.ip);
    return k;
}

static struct take_row take_of(const struct lan_sources *from)
{
    struct take_row t = {.n = (uint32_t)from->n};
    for (size_t i = 0; i < from->n; i++) {
        unsigned bits = from->bits[i];
        bits += from->prefix[i].family == 4 ? MAPPED : 0;
        bpf_load_key(&from->prefix[i], t.from[i].net);
        for (unsigned k = 0; k < bits; k++)
            t.from[i].mask[k / 8] |= (uint8_t)(0x80 >> k % 8);
        for (unsigned k = 0; k < 16; k++)
            t.from[i].net[k] &= t.from[i].mask[k];
    }
    return t;
}

static err_t set(struct lan_bpf *b, const struct prefix_key *k, const struct lan_sources *from)
{
    const struct take_row t = take_of(from);
    return bpf_map_update_elem(b->prefixes, k, &t, BPF_ANY) < 0 ? E_SYS : 0;
}

/* ::/0 and the like mean IPv6 alone: IPv4 is a hole in it. */
static err_t keep_ipv4_out(struct lan_bpf *b)
{
    static const struct addr any4 = {.family = 4};
    static const struct lan_sources none = {.n = 0};
    struct prefix_key k = key_of(&any4, 0);
    return set(b, &k, &none);
}

static err_t load(struct lan_bpf *b, bool xdp, struct io_error *err)
{
    static const char *const all[] = {"lan_xdp", "lan_tap", "lan_share", "lan_drop", NULL},
                             *const none[] = {NULL},
                             *const taps[] = {"lan_tap", "lan_share", "lan_drop", NULL},
                             *const no_socks[] = {"lan_socks", NULL};
    err_t e = bpf_load(&b->object, lan_bpf_object, lan_bpf_object_size, xdp ? all : taps,
                       xdp ? none : no_socks, err);
    if (e)
        return e;
    b->prefixes = bpf_load_map(b->object, "lan_prefixes");
    b->owners = bpf_load_map(b->object, "lan_owners");
    b->own = bpf_load_map(b->object, "lan_own");
    b->conf = bpf_load_map(b->object, "lan_conf");
    b->socks = bpf_load_map(b->object, "lan_socks");
    return keep_ipv4_out(b) ? io_fail(err, errno, NULL, "cannot fill the BPF maps") : 0;
}

struct lan_bpf *lan_bpf_open(bool xdp, struct io_error *err)
{
    struct lan_bpf *b = calloc(1, sizeof *b);
    if (!b) {
        io_fail(err, ENOMEM, NULL, "cannot load the BPF programs");
        return NULL;
    }
    if (load(b, xdp, err)) {
        lan_bpf_close(b);
        return NULL;
    }
    return b;
}

void lan_bpf_close(struct lan_bpf *b)
{
    if (!b)
        return;
    bpf_object__close(b->object);
    free(b);
}

err_t lan_bpf_set_link(struct lan_bpf *b, uint32_t slot, const struct links_if *dev,
                       uint32_t largest)
{
    struct conf_row row = {.slot = (uint16_t)slot, .largest = largest};
    uint32_t ifindex = (uint32_t)dev->index;
    memcpy(row.mac, dev->mac, 6);
    return bpf_map_update_elem(b->conf, &ifindex, &row, BPF_ANY) < 0 ? E_SYS : 0;
}

void lan_bpf_del_link(struct lan_bpf *b, const struct links_if *dev)
{
    uint32_t ifindex = (uint32_t)dev->index;
    (void)!bpf_map_delete_elem(b->conf, &ifindex);
}

err_t lan_bpf_set_addresses(struct lan_bpf *b, const struct addr *a, size_t n)
{
    return bpf_load_addresses(b->own, a, n);
}

err_t lan_bpf_prefix(struct lan_bpf *b, const struct addr *prefix, unsigned bits,
                     const struct lan_sources *from)
{
    struct prefix_key k = key_of(prefix, bits);
    return set(b, &k, from);
}

void lan_bpf_prefix_del(struct lan_bpf *b, const struct addr *prefix, unsigned bits)
{
    struct prefix_key k = key_of(prefix, bits);
    if (prefix->family == 4 && bits == 0)
        (void)!keep_ipv4_out(b);
    else
        (void)!bpf_map_delete_elem(b->prefixes, &k);
}

void lan_bpf_prefix_clear(struct lan_bpf *b)
{
    struct prefix_key k;
    while (bpf_map_get_next_key(b->prefixes, NULL, &k) == 0 &&
           bpf_map_delete_elem(b->prefixes, &k) == 0)
        continue;
    (void)!keep_ipv4_out(b);
}

err_t lan_bpf_owner(struct lan_bpf *b, const struct addr *prefix, unsigned bits, uint32_t owner)
{
    struct prefix_key k = key_of(prefix, bits);
    return bpf_map_update_elem(b->owners, &k, &owner, BPF_ANY) < 0 ? E_SYS : 0;
}

void lan_bpf_owner_del(struct lan_bpf *b, const struct addr *prefix, unsigned bits)
{
    struct prefix_key k = key_of(prefix, bits);
    (void)!bpf_map_delete_elem(b->owners, &k);
}

int lan_bpf_attach_xdp(struct lan_bpf *b, int ifindex, bool native, struct io_error *err)
{
    return bpf_load_attach_xdp(bpf_load_program(b->object, "lan_xdp"), ifindex, native, err);
}

int lan_bpf_attach_drop(struct lan_bpf *b, int ifindex, struct io_error *err)
{
    LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = F_BEFORE); /* before whatever else is there */
    int link = bpf_link_create(bpf_load_program(b->object, "lan_drop"), ifindex,
                               (enum bpf_attach_type)ATTACH_TCX_INGRESS, &opts);
    if (link >= 0)
        return link;
    int e = errno;
    io_fail(err, e, e == EINVAL ? "needs Linux 6.6 (tcx)" : io_hint_perm(e, HINT_NET_ADMIN),
            "cannot keep the kernel from forwarding too");
    return -1;
}

err_t lan_bpf_set_socket(struct lan_bpf *b, uint32_t slot, uint32_t queue, int fd,
                         struct io_error *err)
{
    return bpf_load_socket(b->socks, slot * QUEUES + queue, fd, err);
}

int lan_bpf_tap(const struct lan_bpf *b)
{
    return bpf_load_program(b->object, "lan_tap");
}

int lan_bpf_share(const struct lan_bpf *b)
{
    return bpf_load_program(b->object, "lan_share");
}
