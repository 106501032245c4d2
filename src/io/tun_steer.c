/* Loading and filling bpf/steer.bpf.c (see tun_steer.h). */
#include "io/tun_steer.h"
#include "io/fail.h"
#include "steer_bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/* The same layout as in bpf/steer.bpf.c. */
struct key {
    uint32_t bits;
    uint8_t ip[16];
};

struct tun_steer {
    struct bpf_object *object;
    int v4, v6;
};

static int no_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
    (void)level;
    (void)fmt;
    (void)ap;
    return 0;
}

static err_t load(struct tun_steer *s, struct io_error *err)
{
    if (steer_bpf_object_size == 0) {
        io_fail(err, ENOTSUP, "this build was made without clang", "no BPF programs");
        return E_NOTSUP;
    }
    s->object = bpf_object__open_mem(steer_bpf_object, steer_bpf_object_size, NULL);
    if (!s->object)
        return io_fail(err, errno, NULL, "cannot read the BPF programs");
    int e = bpf_object__load(s->object);
    if (e < 0)
        return io_fail(err, -e, io_hint_perm(-e, "needs root or CAP_BPF and CAP_NET_ADMIN"),
                       "cannot load the BPF programs");
    s->v4 = bpf_object__find_map_fd_by_name(s->object, "steer4");
    s->v6 = bpf_object__find_map_fd_by_name(s->object, "steer6");
    return 0;
}

static err_t attach(const struct tun_steer *s, const struct tun *t, struct io_error *err)
{
    int fd = bpf_program__fd(bpf_object__find_program_by_name(s->object, "steer"));
    if (ioctl(t->fd, TUNSETSTEERINGEBPF, &fd) < 0)
        return io_fail(err, errno, NULL, "cannot attach the steering program to %s", t->name);
    return 0;
}

struct tun_steer *tun_steer_open(const struct tun *t, struct io_error *err)
{
    struct tun_steer *s = calloc(1, sizeof *s);
    if (!s) {
        io_fail(err, ENOMEM, NULL, "cannot load the BPF programs");
        return NULL;
    }
    libbpf_set_print(no_print); /* errors are told in our own line */
    if (load(s, err) || attach(s, t, err)) {
        tun_steer_close(s);
        return NULL;
    }
    return s;
}

void tun_steer_close(struct tun_steer *s)
{
    if (!s)
        return;
    bpf_object__close(s->object);
    free(s);
}

static int map_of(const struct tun_steer *s, const struct addr *prefix)
{
    return prefix->family == 4 ? s->v4 : s->v6;
}

static struct key key_of(const struct addr *prefix, unsigned bits)
{
    struct key k = {.bits = bits};
    memcpy(k.ip, prefix->ip, addr_len(prefix));
    return k;
}

err_t tun_steer_set(struct tun_steer *s, const struct addr *prefix, unsigned bits, uint32_t queue)
{
    struct key k = key_of(prefix, bits);
    return bpf_map_update_elem(map_of(s, prefix), &k, &queue, BPF_ANY) < 0 ? E_SYS : 0;
}

void tun_steer_del(struct tun_steer *s, const struct addr *prefix, unsigned bits)
{
    struct key k = key_of(prefix, bits);
    (void)!bpf_map_delete_elem(map_of(s, prefix), &k);
}
