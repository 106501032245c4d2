/* What a burst needs besides the messages themselves, laid out once per socket. */
#pragma once

#include "io/sock.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* Room for PKTINFO of either family and TOS or traffic class. */
#define SOCK_CONTROL (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)))

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

struct sock_scratch {
    struct sock_burst rx, tx;
};
