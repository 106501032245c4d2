/*
 * ICMP errors that say a packet of ours was too big: RFC 1191 4, RFC 4443 3.2. A reader of its own
 * beside the sockets, because what the kernel does with them is believed without looking at the SPI
 * (the sockets ignore its path MTUs), and because AF_XDP and AF_PACKET have no error queue. What is
 * read proves nothing yet: the data plane compares SPI and sequence number. Used by
 * daemon/path_icmp.c.
 */
#pragma once

#include "io/sock.h"

struct icmp_quote {
    struct endpoint local, remote; /* of the packet that did not fit; ports with udp */
    uint32_t spi, seq;             /* of its ESP or AH header */
    uint16_t mtu;
    bool udp, ah;
    bool weak; /* no more than the ports is quoted (RFC 792): spi and seq are not known */
};

/*
 * family 4: from the IP header on, as a raw IPv4 socket gives it; 6: from the ICMPv6 header on.
 * False: not such an error, about something else, or not enough of it quoted to name an SPI or, of
 * ESP in UDP, the ports.
 */
bool icmp_parse(unsigned family, struct bytes packet, struct icmp_quote *out) must_use;

struct icmp_port {
    int fd[2]; /* IPv4, IPv6; -1: none */
};

/* At least one of both; negative: err says why not. */
err_t icmp_open(struct icmp_port *p, struct io_error *err) must_use;
void icmp_close(struct icmp_port *p);
/* The next one of fd[at]; false: nothing more. *any: something was read, perhaps not for us. */
bool icmp_next(struct icmp_port *p, int at, struct icmp_quote *out, bool *any) must_use;
