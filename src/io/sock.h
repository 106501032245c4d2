/*
 * The sockets of the encrypted side: UDP 500 and 4500 and raw protocol 50, IPv4 and IPv6, with
 * PKTINFO so that answers leave from the address that was asked, a mark that leads past the TUN
 * routes, and bursts (recvmmsg, sendmmsg). Non-blocking.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"

#define IO_BURST 64

/* Human detail of a failed system call: which, on what, why, and what to do. */
struct io_error {
    char text[256];
};

enum sock_kind { SOCK_UDP, SOCK_ESP }; /* SOCK_ESP: raw, IP protocol 50 */

struct sock {
    int fd;         /* for polling */
    uint8_t family; /* 4 or 6 */
    enum sock_kind kind;
    uint16_t port;                /* UDP: ours */
    bool df;                      /* what the socket is set to now, see io_msg.df */
    struct sock_scratch *scratch; /* message headers for bursts, allocated once */
};

struct io_msg {
    uint8_t *data; /* receive: buffer of `cap` bytes, set by the caller; data may be moved past an
                      IP header (raw IPv4) */
    uint32_t len, cap;
    struct endpoint local, remote; /* port 0 for raw sockets */
    uint8_t tos; /* DSCP and ECN: received (for ECN on decapsulation) or to send */
    /*
     * send: IPv4 with "don't fragment"; on both families a message over the known path MTU fails
     * instead of leaving in fragments. False: the kernel fragments as needed. Messages with the
     * same value side by side are cheapest: a change costs one system call.
     */
    bool df;
};

/*
 * mark: SO_MARK of everything sent, 0 none. port 0 binds any and s->port tells which.
 * E_NOTSUP: this machine has no such family (IPv6 switched off); E_SYS: see err.
 */
err_t sock_open(struct sock *s, enum sock_kind kind, uint8_t family, uint16_t port, uint32_t mark,
                struct io_error *err) must_use;
void sock_close(struct sock *s);
/*
 * Number received (0: nothing there), or negative err_t: the socket is unusable. At most IO_BURST.
 * A message with len 0 was empty, did not fit its buffer or had a broken IP header: skip it.
 */
int sock_recv(struct sock *s, struct io_msg *msgs, size_t n) must_use;
/*
 * Number taken by the kernel, fewer than n when its buffer is full. A message that failed alone (no
 * route, too big, refused by a filter) counts as taken and is added up in *failed, which starts at
 * 0. local.addr chooses the source address; none: the kernel does.
 */
int sock_send(struct sock *s, const struct io_msg *msgs, size_t n, size_t *failed) must_use;
