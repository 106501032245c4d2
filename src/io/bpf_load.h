/*
 * BPF programs and their maps in the kernel, as far as esp_bpf.c and lan_bpf.c do the same with
 * them. Nothing is pinned: links, filters and maps go with the file descriptors, so with the
 * process too.
 */
#pragma once

#include "io/sock.h"

struct bpf_object;

/*
 * Loads the programs of an object whose names are in `programs` (NULL at the end) and makes all
 * maps but those in `without`: a kernel that lacks what others need still takes these. `object` is
 * empty when the build had no clang. On failure *out is NULL.
 */
err_t bpf_load(struct bpf_object **out, const uint8_t *object, size_t size,
               const char *const *programs, const char *const *without,
               struct io_error *err) must_use;
int bpf_load_program(const struct bpf_object *o, const char *name); /* file descriptors */
int bpf_load_map(const struct bpf_object *o, const char *name);

/* Addresses are keys of 16 bytes, IPv4 as ::ffff:a.b.c.d. */
void bpf_load_key(const struct addr *a, uint8_t key[16]);
/* Makes the keys of a hash exactly these. Addresses that stay are never missing in between. */
err_t bpf_load_addresses(int map, const struct addr *a, size_t n) must_use;

/* Attaches an XDP program, in the driver (native) or at the kernel's generic hook: the link's file
 * descriptor, which takes it away when it is closed; negative: see err. */
int bpf_load_attach_xdp(int program, int ifindex, bool native, struct io_error *err) must_use;
err_t bpf_load_socket(int map, uint32_t at, int fd, struct io_error *err) must_use;
