/*
 * Network namespaces for the tests of this room. They have no names and go with the process, so
 * nothing stays behind, whatever happens. Needs root.
 */
#pragma once

#include "io/sock.h"

enum { LAB_SKIP = 77 }; /* meson: skipped */

bool lab_allowed(void); /* root, with network namespaces; else says why on stderr */
int lab_ns(void);       /* a new namespace with lo up, entered; its file descriptor */
void lab_enter(int ns);
void lab_run(const char *fmt, ...) printf_like(1, 2);   /* a shell command that must succeed */
int lab_number(const char *fmt, ...) printf_like(1, 2); /* the number such a command prints */
struct addr lab_addr(const char *text);
void lab_mac(const char *ifname, uint8_t mac[6]);
/* Runs fn in a child process as nobody, without capabilities; true: it returned true. */
bool lab_as_nobody(bool (*fn)(void));

/* Waits up to two seconds for one message. False: none came. */
bool lab_recv(struct sock *s, struct io_msg *m, uint8_t *buf, size_t cap);
/* Sends one message; true: the kernel took it and it did not fail. */
bool lab_send(struct sock *s, const char *local, const char *remote, uint16_t port,
              const void *data, size_t n);
/* An IPv4 or IPv6 packet with UDP and right checksums; its length. */
size_t lab_udp_packet(uint8_t *out, const char *from, const char *to, uint16_t port,
                      const void *data, size_t n);
