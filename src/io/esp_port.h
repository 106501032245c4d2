/*
 * The encrypted side's port for native ESP (protocol 50): AF_XDP, AF_PACKET or raw sockets behind
 * one set of calls. AH (protocol 51) and datagrams that must leave whole take raw sockets always.
 * The raw sockets are always open: they take what the faster ways leave to the kernel (other
 * interfaces, fragments, IP options), send what needs a neighbour or fragments, and keep the kernel
 * from answering "protocol unreachable".
 */
#pragma once

#include "io/sock.h"

enum esp_io { ESP_IO_AUTO, ESP_IO_RAW, ESP_IO_PACKET, ESP_IO_XDP };

struct esp_settings {
    enum esp_io io;        /* auto: the fastest that works; without an interface: raw */
    const char *interface; /* NULL or "": none */
    uint32_t mark;         /* of the raw sockets and of route look-ups */
    uint16_t fanout;       /* packet: ports of one process share the packets by SPI; 0: alone */
    /*
     * Ports of several workers: 0 or 1 of them, this one is alone. Raw sockets share the packets by
     * the SPI's upper `tag_bits`, see sock_steer. A faster way is worker 0's, and gets all; then
     * the others only send.
     */
    unsigned workers, worker, tag_bits;
    bool send_only;
    struct sock_ear ear; /* for all ways; see sock.h */
};

struct esp_stats {
    uint64_t rx_dropped; /* by the kernel, because we were too slow */
    uint64_t tx_kernel;  /* sent through a raw socket though a faster way is open */
};

struct esp_port;

/*
 * Falls back from XDP to AF_PACKET to raw sockets; what lacks and what is used instead stands in
 * esp_port_text. Fails only when there are no raw sockets for IPv4.
 */
err_t esp_port_open(struct esp_port **p, const struct esp_settings *s,
                    struct io_error *err) must_use;
void esp_port_close(struct esp_port *p);   /* NULL is fine */
int esp_port_fd(const struct esp_port *p); /* for polling; readable: esp_port_recv */
enum esp_io esp_port_io(const struct esp_port *p);
/* One line for the log, once for each change of what is used; NULL: nothing to say. */
const char *esp_port_news(struct esp_port *p);
/*
 * As sock_recv: packets from the SPI on. The caller's buffers are used for what raw sockets hand
 * over; otherwise data points into the port's own memory, which may be written to (128 bytes in
 * front, up to the end of the packet) and stays valid until the next call. 0: nothing more.
 */
int esp_port_recv(struct esp_port *p, struct io_msg *msgs, size_t n) must_use;
/* As sock_send, of both families; data may be reused at once. Order within a flow is kept. */
int esp_port_send(struct esp_port *p, const struct io_msg *msgs, size_t n, size_t *failed) must_use;
void esp_port_stats(struct esp_port *p, struct esp_stats *out);
