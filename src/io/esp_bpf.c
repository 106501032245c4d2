/* The BPF programs of native ESP (see esp_bpf.h); called by esp_port.c, xdp.c and packet.c. */
#include "io/esp_bpf.h"
#include "esp_bpf_object.h"
#include "io/bpf_load.h"
#include "io/fail.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
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

static err_t load(struct esp_bpf *b, enum esp_bpf_use use, struct io_error *err)
{
    static const char *const xdp[] = {"esp_xdp", NULL}, *const no_frags[] = {"esp_frags", NULL},
                             *const taps[] = {"esp_tap", "esp_raw", "esp_fanout", NULL},
                             *const no_socks[] = {"esp_socks", NULL};
    bool is_xdp = use == ESP_BPF_XDP;
    err_t e = bpf_load(&b->object, esp_bpf_object, esp_bpf_object_size, is_xdp ? xdp : taps,
                       is_xdp ? no_frags : no_socks, err);
    if (e)
        return e;
    b->addrs = bpf_load_map(b->object, "esp_addrs");
    b->conf = bpf_load_map(b->object, "esp_conf");
    b->socks = bpf_load_map(b->object, "esp_socks");
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

err_t esp_bpf_set_addresses(struct esp_bpf *b, const struct addr *a, size_t n)
{
    return bpf_load_addresses(b->addrs, a, n);
}

err_t esp_bpf_attach_xdp(struct esp_bpf *b, int ifindex, bool native, struct io_error *err)
{
    b->link = bpf_load_attach_xdp(bpf_load_program(b->object, "esp_xdp"), ifindex, native, err);
    return b->link >= 0 ? 0 : E_SYS;
}

err_t esp_bpf_set_socket(struct esp_bpf *b, uint32_t queue, int fd, struct io_error *err)
{
    return bpf_load_socket(b->socks, queue, fd, err);
}

int esp_bpf_tap(const struct esp_bpf *b)
{
    return bpf_load_program(b->object, "esp_tap");
}

int esp_bpf_raw(const struct esp_bpf *b)
{
    return bpf_load_program(b->object, "esp_raw");
}

int esp_bpf_fanout(const struct esp_bpf *b)
{
    return bpf_load_program(b->object, "esp_fanout");
}
