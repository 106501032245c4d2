/*
 * The BPF programs of bpf/lan.bpf.c in the kernel, for lan_port.c and its ways. Links are file
 * descriptors: closing one detaches its program.
 */
#pragma once

#include "io/lan_port.h"
#include "io/links.h"

struct lan_bpf;

/* xdp: with the XDP program; a kernel without AF_XDP takes the others only. */
struct lan_bpf *lan_bpf_open(bool xdp, struct io_error *err) must_use;
void lan_bpf_close(struct lan_bpf *b); /* NULL is fine */

/* Frames from this interface are looked at: slot numbers it, largest: see lan_settings.mtu. */
err_t lan_bpf_set_link(struct lan_bpf *b, uint32_t slot, const struct links_if *dev,
                       uint32_t largest) must_use;
void lan_bpf_del_link(struct lan_bpf *b, const struct links_if *dev);
err_t lan_bpf_set_addresses(struct lan_bpf *b, const struct addr *a, size_t n) must_use;
err_t lan_bpf_prefix(struct lan_bpf *b, const struct addr *prefix, unsigned bits,
                     const struct lan_sources *from) must_use;
void lan_bpf_prefix_del(struct lan_bpf *b, const struct addr *prefix, unsigned bits);
void lan_bpf_prefix_clear(struct lan_bpf *b);

/* Taps that share the packets: whose a destination is. */
err_t lan_bpf_owner(struct lan_bpf *b, const struct addr *prefix, unsigned bits,
                    uint32_t owner) must_use;
void lan_bpf_owner_del(struct lan_bpf *b, const struct addr *prefix, unsigned bits);

/* File descriptors of links; negative: see err. */
int lan_bpf_attach_xdp(struct lan_bpf *b, int ifindex, bool native, struct io_error *err) must_use;
int lan_bpf_attach_drop(struct lan_bpf *b, int ifindex, struct io_error *err) must_use;
err_t lan_bpf_set_socket(struct lan_bpf *b, uint32_t slot, uint32_t queue, int fd,
                         struct io_error *err) must_use;
int lan_bpf_tap(const struct lan_bpf *b);   /* for SO_ATTACH_BPF */
int lan_bpf_share(const struct lan_bpf *b); /* for PACKET_FANOUT_DATA */
