/* Loading the BPF programs with libbpf (see esp_bpf.h); called by xdp.c and packet.c. */
#include "io/esp_bpf.h"
#include "esp_bpf_object.h"
#include "io/fail.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <unistd.h>

/* The same layout as in bpf/esp.bpf.c. */
struct conf_row {
    uint8_t mac[6];
    uint16_t unused;
    uint32_t ifindex;
};

struct esp_bpf {
    struct bpf_object *object;
    int addrs, conf, socks, link;
};

static int no_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
    (void)level;
    (void)fmt;
    (void)ap;
    return 0;
}

/* Only what this use needs is made, so that a kernel without AF_XDP still takes the filters. */
static void choose(struct bpf_object *o, enum esp_bpf_use use)
{
    struct bpf_program *p;
    bpf_object__for_each_program(p, o)
    {
        bool xdp = strcmp(bpf_program__name(p), "esp_xdp") == 0;
        bpf_program__set_autoload(p, xdp == (use == ESP_BPF_XDP));
    }
    const char *other = use == ESP_BPF_XDP ? "esp_frags" : "esp_socks";
    bpf_map__set_autocreate(bpf_object__find_map_by_name(o, other), false);
}

static err_t load(struct esp_bpf *b, enum esp_bpf_use use, struct io_error *err)
{
    if (esp_bpf_object_size == 0) {
        io_fail(err, ENOTSUP, "this build was made without clang", "no BPF programs");
        return E_NOTSUP;
    }
    b->object = bpf_object__open_mem(esp_bpf_object, esp_bpf_object_size, NULL);
    if (!b->object)
        return io_fail(err, errno, NULL, "cannot read the BPF programs");
    choose(b->object, use);
    int e = bpf_object__load(b->object);
    if (e < 0)
        return io_fail(err, -e, io_hint_perm(-e, "needs root or CAP_BPF and CAP_NET_ADMIN"),
                       "cannot load the BPF programs");
    b->addrs = bpf_object__find_map_fd_by_name(b->object, "esp_addrs");
    b->conf = bpf_object__find_map_fd_by_name(b->object, "esp_conf");
    b->socks = bpf_object__find_map_fd_by_name(b->object, "esp_socks");
    return 0;
}

struct esp_bpf *esp_bpf_open(enum esp_bpf_use use, struct io_error *err)
{
    struct esp_bpf *b = calloc(1, sizeof *b);
    if (!b) {
        io_fail(err, ENOMEM, NULL, "cannot load the BPF programs");
        return NULL;
    }
    b->link = -1;
    libbpf_set_print(no_print); /* errors are told in our own line */
    if (load(b, use, err)) {
        esp_bpf_close(b);
        return NULL;
    }
    return b;
}

void esp_bpf_close(struct esp_bpf *b)
{
    if (!b)
        return;
    if (b->link >= 0)
        close(b->link); /* the last reference detaches the program */
    bpf_object__close(b->object);
    free(b);
}

err_t esp_bpf_set_link(struct esp_bpf *b, int ifindex, const uint8_t mac[6])
{
    struct conf_row row = {.ifindex = (uint32_t)ifindex};
    uint32_t zero = 0;
    memcpy(row.mac, mac, 6);
    return bpf_map_update_elem(b->conf, &zero, &row, BPF_ANY) < 0 ? E_SYS : 0;
}

static void key_of(const struct addr *a, uint8_t key[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (a->family == 4) {
        memcpy(key, mapped, 12);
        memcpy(key + 12, a->ip, 4);
    } else {
        memcpy(key, a->ip, 16);
    }
}

static bool wanted(const struct addr *a, size_t n, const uint8_t key[16])
{
    uint8_t k[16];
    for (size_t i = 0; i < n; i++) {
        key_of(&a[i], k);
        if (memcmp(k, key, 16) == 0)
            return true;
    }
    return false;
}

/* Addresses that stay are never missing in between. */
err_t esp_bpf_set_addresses(struct esp_bpf *b, const struct addr *a, size_t n)
{
    uint8_t key[16], next[16];
    uint32_t one = 1;
    for (size_t i = 0; i < n; i++) {
        key_of(&a[i], key);
        if (bpf_map_update_elem(b->addrs, key, &one, BPF_ANY) < 0)
            return E_SYS;
    }
    bool more = bpf_map_get_next_key(b->addrs, NULL, next) == 0;
    while (more) {
        memcpy(key, next, 16);
        more = bpf_map_get_next_key(b->addrs, key, next) == 0;
        if (!wanted(a, n, key))
            (void)!bpf_map_delete_elem(b->addrs, key);
    }
    return 0;
}

static int program(const struct esp_bpf *b, const char *name)
{
    return bpf_program__fd(bpf_object__find_program_by_name(b->object, name));
}

err_t esp_bpf_attach_xdp(struct esp_bpf *b, int ifindex, bool native, struct io_error *err)
{
    LIBBPF_OPTS(bpf_link_create_opts, opts,
                .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
    b->link = bpf_link_create(program(b, "esp_xdp"), ifindex, BPF_XDP, &opts);
    if (b->link >= 0)
        return 0;
    int e = errno;
    const char *hint = e == EBUSY || e == EEXIST ? "another XDP program is on the interface"
                                                 : io_hint_perm(e, HINT_NET_ADMIN);
    return io_fail(err, e, hint, "cannot attach the XDP program");
}

err_t esp_bpf_set_socket(struct esp_bpf *b, uint32_t queue, int fd, struct io_error *err)
{
    if (bpf_map_update_elem(b->socks, &queue, &fd, BPF_ANY) < 0)
        return io_fail(err, errno, NULL, "cannot give queue %u to its AF_XDP socket", queue);
    return 0;
}

int esp_bpf_tap(const struct esp_bpf *b)
{
    return program(b, "esp_tap");
}

int esp_bpf_raw(const struct esp_bpf *b)
{
    return program(b, "esp_raw");
}

int esp_bpf_fanout(const struct esp_bpf *b)
{
    return program(b, "esp_fanout");
}
