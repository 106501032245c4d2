/* Loading BPF programs with libbpf, filling maps, attaching: see bpf_load.h. */
#include "io/bpf_load.h"
#include "io/fail.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>

static int no_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
    (void)level;
    (void)fmt;
    (void)ap;
    return 0;
}

static bool named(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

static void choose(struct bpf_object *o, const char *const *programs, const char *const *without)
{
    struct bpf_program *p;
    bpf_object__for_each_program(p, o)
        bpf_program__set_autoload(p, named(programs, bpf_program__name(p)));
    for (; *without; without++)
        bpf_map__set_autocreate(bpf_object__find_map_by_name(o, *without), false);
}

err_t bpf_load(struct bpf_object **out, const uint8_t *object, size_t size,
               const char *const *programs, const char *const *without, struct io_error *err)
{
    *out = NULL;
    if (size == 0) {
        io_fail(err, ENOTSUP, "this build was made without clang", "no BPF programs");
        return E_NOTSUP;
    }
    libbpf_set_print(no_print); /* errors are told in our own line */
    struct bpf_object *o = bpf_object__open_mem(object, size, NULL);
    if (!o)
        return io_fail(err, errno, NULL, "cannot read the BPF programs");
    choose(o, programs, without);
    int e = bpf_object__load(o);
    if (e < 0) {
        bpf_object__close(o);
        return io_fail(err, -e, io_hint_perm(-e, "needs root or CAP_BPF and CAP_NET_ADMIN"),
                       "cannot load the BPF programs");
    }
    *out = o;
    return 0;
}

int bpf_load_program(const struct bpf_object *o, const char *name)
{
    return bpf_program__fd(bpf_object__find_program_by_name(o, name));
}

int bpf_load_map(const struct bpf_object *o, const char *name)
{
    return bpf_object__find_map_fd_by_name(o, name);
}

void bpf_load_key(const struct addr *a, uint8_t key[16])
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
        bpf_load_key(&a[i], k);
        if (memcmp(k, key, 16) == 0)
            return true;
    }
    return false;
}

err_t bpf_load_addresses(int map, const struct addr *a, size_t n)
{
    uint8_t key[16], next[16];
    uint32_t one = 1;
    for (size_t i = 0; i < n; i++) {
        bpf_load_key(&a[i], key);
        if (bpf_map_update_elem(map, key, &one, BPF_ANY) < 0)
            return E_SYS;
    }
    bool more = bpf_map_get_next_key(map, NULL, next) == 0;
    while (more) {
        memcpy(key, next, 16);
        more = bpf_map_get_next_key(map, key, next) == 0;
        if (!wanted(a, n, key))
            (void)!bpf_map_delete_elem(map, key);
    }
    return 0;
}

int bpf_load_attach_xdp(int program, int ifindex, bool native, struct io_error *err)
{
    LIBBPF_OPTS(bpf_link_create_opts, opts,
                .flags = native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
    int link = bpf_link_create(program, ifindex, BPF_XDP, &opts);
    if (link >= 0)
        return link;
    int e = errno;
    const char *hint = e == EBUSY || e == EEXIST ? "another XDP program is on the interface"
                                                 : io_hint_perm(e, HINT_NET_ADMIN);
    io_fail(err, e, hint, "cannot attach the XDP program");
    return -1;
}

err_t bpf_load_socket(int map, uint32_t at, int fd, struct io_error *err)
{
    if (bpf_map_update_elem(map, &at, &fd, BPF_ANY) < 0)
        return io_fail(err, errno, NULL, "cannot give queue %u to its AF_XDP socket", at);
    return 0;
}
