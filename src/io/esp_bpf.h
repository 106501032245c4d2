/*
 * The BPF programs of bpf/esp.bpf.c in the kernel: loaded, given addresses, attached. Nothing is
 * pinned: links, filters and maps go with the file descriptors, so with the process too.
 */
#pragma once

#include "io/sock.h"

struct esp_bpf;

enum esp_bpf_use { ESP_BPF_XDP, ESP_BPF_PACKET };

struct esp_bpf *esp_bpf_open(enum esp_bpf_use use, struct io_error *err) must_use;
void esp_bpf_close(struct esp_bpf *b); /* NULL is fine */

/* Which frames are ours: to this MAC address; for the raw sockets: from this interface. */
err_t esp_bpf_set_link(struct esp_bpf *b, int ifindex, const uint8_t mac[6]) must_use;
/* Replaces the set of addresses. */
err_t esp_bpf_set_addresses(struct esp_bpf *b, const struct addr *a, size_t n) must_use;

/* Attaches the XDP program; native: in the driver, else the kernel's generic hook. */
err_t esp_bpf_attach_xdp(struct esp_bpf *b, int ifindex, bool native,
                         struct io_error *err) must_use;
err_t esp_bpf_set_socket(struct esp_bpf *b, uint32_t queue, int fd, struct io_error *err) must_use;

/* File descriptors of the socket filters, for SO_ATTACH_BPF and PACKET_FANOUT_DATA. */
int esp_bpf_tap(const struct esp_bpf *b);
int esp_bpf_raw(const struct esp_bpf *b);
int esp_bpf_fanout(const struct esp_bpf *b);
