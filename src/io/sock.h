/*
 * The sockets of the encrypted side: UDP 500 and 4500 and raw protocols 50 and 51, IPv4 and IPv6,
 * with PKTINFO so that answers leave from the address that was asked, a mark that leads past the
 * TUN routes, and bursts (recvmmsg, sendmmsg). Non-blocking.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"

#define IO_BURST 64

/* Human detail of a failed system call: which, on what, why, and what to do. */
struct io_error {
    char text[256];
};

struct io_msg;

/* SOCK_ESP, SOCK_AH: raw, IP protocols 50 and 51. SOCK_WHOLE: raw, only for sending datagrams with
 * an IP header of the caller's (raw(7), IP_HDRINCL), which leave as they are; without `df` in
 * fragments of cut.h if need be. */
enum sock_kind { SOCK_UDP, SOCK_ESP, SOCK_AH, SOCK_WHOLE };

/*
 * Who hears of messages with `df` that the kernel found too big for the outgoing link (EMSGSIZE).
 * They are lost, and not in *failed; without a listener they are.
 */
struct sock_ear {
    void *ctx;
    void (*too_big)(void *ctx, const struct io_msg *m);
};

struct sock {
    int fd;         /* for polling */
    uint8_t family; /* 4 or 6 */
    enum sock_kind kind;
    uint16_t port;       /* UDP: ours */
    bool labels;         /* IPv6: the kernel takes io_msg.label */
    bool df;             /* what the socket is set to now, see io_msg.df */
    uint16_t train_max;  /* datagrams that one UDP_SEGMENT send takes; 0: not switched on */
    uint16_t train_rest; /* messages sent singly before UDP_SEGMENT is tried again */
    struct sock_ear ear; /* set by the owner after opening; too_big NULL: nobody */
    struct sock_scratch *scratch; /* message headers for bursts, allocated once */
};

struct io_msg {
    uint8_t *data; /* receive: buffer of `cap` bytes, set by the caller; data may be moved past an
                      IP header (raw IPv4) */
    uint32_t len, cap;
    struct endpoint local, remote; /* port 0 for raw sockets */
    uint8_t tos;    /* DSCP and ECN: received (for ECN on decapsulation) or to send */
    uint8_t ttl;    /* send: TTL or hop limit; 0: the system's */
    uint32_t label; /* send: IPv6 flow label, 0: the kernel's choice */
    uint32_t tag;   /* send: the caller's own, for sock_ear */
    bool ah;        /* received: AH, from its SPI on */
    bool whole;     /* send: data is a datagram with its IP header; for SOCK_WHOLE */
    /* Received: bytes in front of data, as they came: IP header, extension headers, and of AH the
     * four before its SPI. 0: none. */
    uint16_t head;
    /*
     * send: IPv4 with "don't fragment"; on both families a message over the MTU of the interface
     * fails instead of leaving in fragments. False: the kernel fragments as needed. Messages with
     * the same value side by side are cheapest: a change costs one system call.
     */
    bool df;
    /*
     * A train of datagrams one behind the other in data, each of `seg` bytes, the last one perhaps
     * shorter. 0: a single datagram. Received with UDP_GRO, which merges by addresses and ports
     * only: what each datagram is must be seen one by one (io_msg_segment). To send: sock_send_gso.
     */
    uint16_t seg;
};

/*
 * mark: SO_MARK of everything sent, 0 none. port 0 binds any and s->port tells which.
 * E_NOTSUP: this machine has no such family (IPv6 switched off); E_SYS: see err.
 */
err_t sock_open(struct sock *s, enum sock_kind kind, uint8_t family, uint16_t port, uint32_t mark,
                struct io_error *err) must_use;
void sock_close(struct sock *s);

/*
 * Several sockets of this process on one UDP port (SO_REUSEPORT): the first is opened by sock_open,
 * alone, so that another daemon on the port is noticed; sock_share lets others in. Each has an
 * index, in the order of opening.
 */
err_t sock_share(struct sock *s, struct io_error *err) must_use;
err_t sock_open_beside(struct sock *s, const struct sock *first, uint32_t mark,
                       struct io_error *err) must_use;
/*
 * Who gets what arrives: ESP in UDP goes to index 1 + worker, the worker being the SPI's upper
 * `tag_bits` bits modulo `workers`; IKE and keepalives (RFC 3948 2) go to index 0. A train goes
 * where its first datagram does. Without it the kernel shares by address and port.
 */
err_t sock_steer(struct sock *s, unsigned tag_bits, unsigned workers,
                 struct io_error *err) must_use;
/* A raw ESP or AH socket receives only SPIs of this worker, see sock_steer, and that of worker 0
 * what is too short for one; with worker >= workers none.
 */
err_t sock_keep(struct sock *s, unsigned tag_bits, unsigned workers, unsigned worker,
                struct io_error *err) must_use;
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

/* What the kernel gave to a UDP socket, found by trying it. */
struct sock_offload {
    bool gro;
    uint16_t train_max; /* datagrams a send, 0: no UDP_SEGMENT */
    char text[128];     /* one line for the log */
};

/*
 * Switches on UDP_GRO and UDP_SEGMENT where the kernel has them. From then on buffers for receiving
 * must hold 65535 bytes, for a message may be a train, and one that does not fit is lost.
 */
void sock_offload(struct sock *s, struct sock_offload *got);

/*
 * As sock_send, and neighbours with the same addresses, tos and df leave as one train when they
 * have the same length but for a shorter last one; a message with `seg` is a train already. A train
 * that the kernel refuses as a whole (path MTU, a device without checksum offload) goes out
 * datagram by datagram. Without UDP_SEGMENT everything does. Messages whose data lie one behind the
 * other are handed to the kernel as one piece, which is cheaper. more: others will follow, so a
 * last train that could still grow is left. Returns messages; *failed counts datagrams.
 */
int sock_send_gso(struct sock *s, const struct io_msg *msgs, size_t n, bool more,
                  size_t *failed) must_use;

/* Datagrams that the kernel dropped because the socket's buffer was full. */
uint64_t sock_dropped(const struct sock *s);

/* Datagrams in a message: 0 for an empty one. */
static inline uint32_t io_msg_segments(const struct io_msg *m)
{
    uint32_t seg = m->seg ? m->seg : m->len;
    return m->len ? (m->len + seg - 1) / seg : 0;
}

static inline struct bytes io_msg_segment(const struct io_msg *m, uint32_t i)
{
    uint32_t seg = m->seg ? m->seg : m->len, left = m->len - i * seg;
    return bytes_of(m->data + (size_t)i * seg, left < seg ? left : seg);
}
