/* What a burst needs besides the messages themselves, laid out once per socket. */
#pragma once

#include "io/sock.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define SOCK_EXTS 128 /* bytes of IPv6 extension headers in front of ESP or AH */
/* Room for PKTINFO of either family, TOS or traffic class, hop limit, a segment size, and extension
 * headers, each with its frame. */
#define SOCK_CONTROL                                                                               \
    (CMSG_SPACE(sizeof(struct in6_pktinfo)) + 3 * CMSG_SPACE(sizeof(int)) + 3 * CMSG_SPACE(8) +    \
     SOCK_EXTS)
#define SOCK_RAW6   192 /* bytes in front of what a raw IPv6 socket reads, for the header */
#define SOCK_SLICES 256 /* messages gathered into the trains of one burst */

union sock_name {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct sock_burst {
    struct mmsghdr hdr[IO_BURST];
    struct iovec iov[IO_BURST];
    union sock_name name[IO_BURST];
    _Alignas(struct cmsghdr) uint8_t control[IO_BURST][SOCK_CONTROL];
};

/* The trains of a burst: which messages each is made of. */
struct sock_trains {
    struct sock_burst burst;
    struct iovec iov[SOCK_SLICES];
    struct sock_train {
        uint32_t msgs, datagrams;
    } train[IO_BURST];
};

struct sock_scratch {
    struct sock_burst rx, tx;
    struct sock_trains gso;
};

/* Addresses and control messages of m in header i; its data are left to the caller. */
void sock_tx_prepare(const struct sock *s, struct sock_burst *b, size_t i, const struct io_msg *m);
void sock_put_control(struct msghdr *h, int level, int type, const void *v, size_t n);
err_t sock_set_df(struct sock *s, bool df) must_use;
/* An error that the kernel keeps for the next call, after it was told already. */
void sock_clear_error(struct sock *s);
