/*
 * A library to preload into charon: answers what it asks of the kernel's XFRM without a kernel, so
 * that the control plane is measured alone (Debian's strongSwan has no load-tester plugin with its
 * fake_kernel). No system call per question: cheaper for charon than any kernel would be.
 *
 * charon writes one request, waits with select, looks at the length with MSG_PEEK and reads, all
 * under one mutex (plugins.kernel-netlink.parallel_xfrm = no, the default): one answer is kept for
 * each socket. Called by bench/control.py through LD_PRELOAD.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

#define FDS 1024

struct answer {
    bool ours;
    size_t len; /* 0: none waits */
    union {
        struct nlmsghdr hdr;
        uint8_t bytes[NLMSG_SPACE(sizeof(struct xfrm_usersa_info))];
    } msg;
};

static struct answer table[FDS];
static uint32_t next_spi = 0xc0000000;

static bool ours(int fd)
{
    return fd >= 0 && fd < FDS && table[fd].ours;
}

int socket(int domain, int type, int protocol)
{
    int (*real)(int, int, int) = dlsym(RTLD_NEXT, "socket");
    if (domain != AF_NETLINK || protocol != NETLINK_XFRM)
        return real(domain, type, protocol);
    int fd = real(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* holds the number, is never readable */
    if (fd >= 0 && fd < FDS)
        table[fd].ours = true;
    return fd;
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
    return ours(fd) ? 0 : real(fd, addr, len);
}

static void answer_error(struct answer *a, const struct nlmsghdr *q, int error)
{
    struct nlmsgerr *e = NLMSG_DATA(&a->msg.hdr);
    a->len = NLMSG_LENGTH(sizeof *e);
    a->msg.hdr = (struct nlmsghdr){.nlmsg_len = (uint32_t)a->len,
                                   .nlmsg_type = NLMSG_ERROR,
                                   .nlmsg_seq = q->nlmsg_seq,
                                   .nlmsg_pid = q->nlmsg_pid};
    e->error = error;
    e->msg = *q;
}

static void answer_spi(struct answer *a, const struct nlmsghdr *q)
{
    struct xfrm_usersa_info *sa = NLMSG_DATA(&a->msg.hdr);
    a->len = NLMSG_LENGTH(sizeof *sa);
    a->msg.hdr = (struct nlmsghdr){.nlmsg_len = (uint32_t)a->len,
                                   .nlmsg_type = XFRM_MSG_NEWSA,
                                   .nlmsg_seq = q->nlmsg_seq,
                                   .nlmsg_pid = q->nlmsg_pid};
    *sa = ((const struct xfrm_userspi_info *)NLMSG_DATA(q))->info;
    sa->id.spi = __builtin_bswap32(++next_spi);
}

static void answer(struct answer *a, const struct nlmsghdr *q)
{
    if (q->nlmsg_type == XFRM_MSG_ALLOCSPI)
        answer_spi(a, q);
    else
        answer_error(a, q,
                     q->nlmsg_type == XFRM_MSG_GETSA || q->nlmsg_type == XFRM_MSG_GETPOLICY ? -ESRCH
                                                                                            : 0);
}

ssize_t sendto(int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t len)
{
    static ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    if (ours(fd) && n >= sizeof(struct nlmsghdr)) {
        answer(&table[fd], p);
        return (ssize_t)n;
    }
    if (!real)
        real = dlsym(RTLD_NEXT, "sendto");
    return real(fd, p, n, flags, to, len);
}

int select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *t)
{
    static int (*real)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
    if (ours(n - 1) && r && FD_ISSET(n - 1, r) && table[n - 1].len)
        return 1;
    if (!real)
        real = dlsym(RTLD_NEXT, "select");
    return real(n, r, w, x, t);
}

ssize_t recv(int fd, void *p, size_t n, int flags)
{
    static ssize_t (*real)(int, void *, size_t, int);
    if (ours(fd) && table[fd].len) {
        size_t len = table[fd].len;
        if (n)
            memcpy(p, table[fd].msg.bytes, n < len ? n : len);
        if (!(flags & MSG_PEEK))
            table[fd].len = 0;
        return (ssize_t)len;
    }
    if (!real)
        real = dlsym(RTLD_NEXT, "recv");
    return real(fd, p, n, flags);
}
