/*
 * Trains of datagrams (see sock.h; udp(7)): UDP_SEGMENT sends up to 128 of one size with one walk
 * through the network stack, UDP_GRO receives them merged. That makes a datagram of 1400 bytes
 * thirteen times cheaper to send and six times to receive, which is why ESP in UDP between gateways
 * is faster than protocol 50. Sending singly is the fall-back for every reason a train can fail.
 */
#include "io/sock_scratch.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TRAIN_BYTES = 65507, /* UDP over IPv4; IPv6 would take 20 more */
    TRAIN_OLD = 64,      /* UDP_MAX_SEGMENTS before Linux 6.9 */
    TRAIN_NEW = 128,
    REST = 256, /* messages sent singly after EIO: the device is unlikely to learn it soon */
};

/* A train of n one-byte datagrams to ourselves on the loopback interface. */
static bool train_goes(int fd, const union sock_name *to, socklen_t len, int n)
{
    uint8_t data[TRAIN_NEW] = {0};
    return sendto(fd, data, (size_t)n, MSG_DONTWAIT, &to->sa, len) == n;
}

/* Found by sending: the option alone does not tell how many the kernel takes. */
static uint16_t probe_trains(void)
{
    union sock_name name = {.in = {.sin_family = AF_INET}};
    socklen_t len = sizeof name.in;
    int one = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    uint16_t max = 0;

    name.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return 0;
    if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &one, sizeof one) == 0) {
        max = TRAIN_OLD;
        if (bind(fd, &name.sa, len) == 0 && getsockname(fd, &name.sa, &len) == 0 &&
            train_goes(fd, &name, len, TRAIN_NEW))
            max = TRAIN_NEW;
    }
    close(fd);
    return max;
}

void sock_offload(struct sock *s, struct sock_offload *got)
{
    int on = 1;
    *got = (struct sock_offload){0};
    if (s->kind == SOCK_UDP) {
        got->train_max = probe_trains();
        got->gro = setsockopt(s->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
    }
    s->train_max = got->train_max;
    char what[32];
    snprintf(what, sizeof what, s->kind == SOCK_UDP ? "UDP port %u" : "protocol 50", s->port);
    if (got->train_max)
        snprintf(got->text, sizeof got->text, "%s (IPv%u): trains of %u datagrams to send%s", what,
                 s->family, got->train_max, got->gro ? ", merged ones received" : "");
    else
        snprintf(got->text, sizeof got->text, "%s (IPv%u): no UDP segmentation%s", what, s->family,
                 got->gro ? ", merged datagrams received" : ", one datagram a message");
}

static inline bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return memcmp(&a->addr, &b->addr, sizeof a->addr) == 0 && a->port == b->port;
}

static bool same_way(const struct io_msg *a, const struct io_msg *b)
{
    return a->tos == b->tos && a->ttl == b->ttl && a->df == b->df && a->label == b->label &&
           same_endpoint(&a->remote, &b->remote) && same_endpoint(&a->local, &b->local);
}

/* Messages at the front that make one train, at most `room`. *open: one more of the same size would
 * have found place. */
static size_t train_of(const struct sock *s, const struct io_msg *m, size_t n, size_t room,
                       bool *open)
{
    size_t k = 1, most = s->train_max < room ? s->train_max : room;
    uint32_t size = m[0].len, len = size;
    *open = false;
    if (m[0].seg || size == 0)
        return 1;
    while (k < n && k < most && !m[k].seg && m[k].len && m[k].len <= size &&
           len + m[k].len <= TRAIN_BYTES && same_way(&m[0], &m[k])) {
        len += m[k].len;
        if (m[k++].len < size)
            return k;
    }
    *open = k == n && k < most && len + size <= TRAIN_BYTES;
    return k;
}

/* Slices for k messages; those that lie one behind the other are one. */
static size_t slices_put(struct iovec *v, const struct io_msg *m, size_t k)
{
    size_t n = 0;
    v[0] = (struct iovec){m[0].data, m[0].len};
    for (size_t i = 1; i < k; i++)
        if (m[i].data == (uint8_t *)v[n].iov_base + v[n].iov_len)
            v[n].iov_len += m[i].len;
        else
            v[++n] = (struct iovec){m[i].data, m[i].len};
    return n + 1;
}

static void put_segment(struct msghdr *h, uint32_t seg)
{
    uint16_t v = (uint16_t)seg;
    sock_put_control(h, IPPROTO_UDP, UDP_SEGMENT, &v, sizeof v);
}

/* Header i of the burst for the train at m; returns its messages, 0: it is left to grow. */
static size_t train_put(const struct sock *s, struct sock_trains *t, size_t i, size_t at,
                        const struct io_msg *m, size_t n, bool more)
{
    struct msghdr *h = &t->burst.hdr[i].msg_hdr;
    uint32_t datagrams = io_msg_segments(m);
    bool open;
    size_t k = train_of(s, m, n, SOCK_SLICES - at, &open);

    if (open && more)
        return 0;
    sock_tx_prepare(s, &t->burst, i, m);
    h->msg_iov = &t->iov[at];
    h->msg_iovlen = slices_put(h->msg_iov, m, k);
    t->train[i] = (struct sock_train){(uint32_t)k, k > 1 ? (uint32_t)k : datagrams};
    if (t->train[i].datagrams > 1)
        put_segment(h, m->seg ? m->seg : m->len);
    return k;
}

/* Trains at the front with the same df, ready in t; *msgs: the messages in them. */
static size_t burst_put(const struct sock *s, struct sock_trains *t, const struct io_msg *m,
                        size_t n, bool more, size_t *msgs)
{
    size_t at = 0, i = 0, k = 1;
    while (i < IO_BURST && at < n && at < SOCK_SLICES && m[at].df == m[0].df) {
        k = train_put(s, t, i, at, m + at, n - at, more);
        if (!k)
            break;
        at += k;
        i++;
    }
    *msgs = at;
    return i;
}

/* Number of the n messages taken, negative: the socket is unusable. */
static int send_singly(struct sock *s, const struct io_msg *m, size_t n, size_t *failed)
{
    size_t bad = 0;
    int k = sock_send(s, m, n, &bad);
    *failed += bad;
    return k;
}

/* A message with seg, in bursts; what the kernel's full buffer leaves counts as failed. */
static int send_apart(struct sock *s, const struct io_msg *m, size_t *failed)
{
    struct io_msg part[IO_BURST];
    uint32_t total = io_msg_segments(m), at = 0;
    while (at < total) {
        size_t k = 0;
        for (; k < IO_BURST && at + k < total; k++) {
            struct bytes b = io_msg_segment(m, at + (uint32_t)k);
            part[k] = *m;
            part[k].data = m->data + (b.p - m->data);
            part[k].len = (uint32_t)b.n;
            part[k].seg = 0;
        }
        int sent = send_singly(s, part, k, failed);
        if (sent < 0 && at == 0)
            return sent;
        at += sent > 0 ? (uint32_t)sent : 0;
        if (sent < (int)k) {
            if (at == 0)
                return 0;
            *failed += total - at;
            break;
        }
    }
    return 1;
}

/* The train's messages without UDP_SEGMENT; number taken. */
static int train_apart(struct sock *s, const struct io_msg *m, const struct sock_train *t,
                       size_t *failed)
{
    if (m->seg)
        return send_apart(s, m, failed);
    return send_singly(s, m, t->msgs, failed);
}

enum refusal { REFUSED_AGAIN, REFUSED_SOCKET, REFUSED_RETRY, REFUSED_TRAIN };

static enum refusal refusal_of(int e, bool again)
{
    if (e == EAGAIN)
        return REFUSED_AGAIN;
    if (e == EBADF || e == ENOTSOCK)
        return REFUSED_SOCKET;
    /* the error may be an earlier message's */
    if (e == EINTR || (e == ECONNREFUSED && !again))
        return REFUSED_RETRY;
    return REFUSED_TRAIN;
}

/*
 * The train was refused as such: EMSGSIZE (EINVAL in older kernels) over the path MTU, EIO where
 * the device has no checksum offload or the kernel's own IPsec is in the way. Other errors are the
 * destination's and would meet each of its datagrams.
 */
static int after_refusal(struct sock *s, const struct io_msg *m, const struct sock_train *t, int e,
                         size_t *failed)
{
    if (t->datagrams > 1 && (e == EMSGSIZE || e == EINVAL || e == EIO || e == EOPNOTSUPP)) {
        s->train_rest = e == EIO || e == EOPNOTSUPP ? REST : 0;
        sock_clear_error(s);
        return train_apart(s, m, t, failed);
    }
    if (e == EMSGSIZE && m->df && s->ear.too_big) {
        sock_clear_error(s);
        s->ear.too_big(s->ear.ctx, m);
        return (int)t->msgs;
    }
    *failed += t->datagrams ? t->datagrams : 1;
    return (int)t->msgs;
}

/* Number of messages taken of the n prepared trains; negative: the socket is unusable. */
static int burst_send(struct sock *s, const struct io_msg *m, size_t n, size_t *failed)
{
    struct sock_trains *t = &s->scratch->gso;
    size_t i = 0;
    int taken = 0;
    bool again = false;

    while (i < n) {
        int k = sendmmsg(s->fd, t->burst.hdr + i, (unsigned)(n - i), MSG_DONTWAIT);
        int e = errno;
        enum refusal r = k > 0 ? REFUSED_RETRY : refusal_of(e, again);
        for (int j = 0; j < k; j++)
            taken += (int)t->train[i++].msgs;
        again = k <= 0 && e == ECONNREFUSED;
        if (k > 0 || r == REFUSED_RETRY)
            continue;
        if (r == REFUSED_AGAIN)
            break;
        if (r == REFUSED_SOCKET)
            return taken ? taken : E_SYS;
        int apart = after_refusal(s, m + taken, &t->train[i], e, failed);
        if (apart < 0)
            return taken ? taken : apart;
        taken += apart;
        if (apart < (int)t->train[i++].msgs)
            break;
    }
    return taken;
}

static int one_apart(struct sock *s, const struct io_msg *m, size_t *failed)
{
    return m->seg && m->seg < m->len ? send_apart(s, m, failed) : send_singly(s, m, 1, failed);
}

/* Without UDP_SEGMENT: runs of single datagrams, and trains one by one. */
static int send_plain(struct sock *s, const struct io_msg *m, size_t n, size_t *failed)
{
    size_t done = 0;
    while (done < n) {
        size_t k = 0;
        while (done + k < n && !m[done + k].seg)
            k++;
        int sent = k ? send_singly(s, m + done, k, failed) : one_apart(s, m + done, failed);
        k = k ? k : 1;
        if (sent < 0)
            return done ? (int)done : sent;
        done += (size_t)sent;
        if ((size_t)sent < k)
            break;
    }
    s->train_rest = s->train_rest > n ? (uint16_t)(s->train_rest - n) : 0;
    return (int)done;
}

int sock_send_gso(struct sock *s, const struct io_msg *msgs, size_t n, bool more, size_t *failed)
{
    size_t done = 0;
    *failed = 0;
    if (!s->train_max || s->train_rest)
        return send_plain(s, msgs, n, failed);
    while (done < n) {
        size_t want;
        size_t trains = burst_put(s, &s->scratch->gso, msgs + done, n - done, more, &want);
        if (!trains)
            break;
        if (sock_set_df(s, msgs[done].df) < 0)
            return done ? (int)done : E_SYS;
        int k = burst_send(s, msgs + done, trains, failed);
        if (k < 0)
            return done ? (int)done : k;
        done += (size_t)k;
        if ((size_t)k < want)
            break;
    }
    return (int)done;
}
