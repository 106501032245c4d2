/*
 * The client's side of a VICI connection, blocking: unix:// and tcp:// as strongSwan's URIs have
 * them. The only file of this room with system calls. Called by run.c.
 */
#include "cli/cli.h"
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* what is likely wrong, besides the system's own word for it */
static const char *advice(int e)
{
    if (e == ENOENT || e == ECONNREFUSED)
        return "culvertd is not running there";
    if (e == EACCES || e == EPERM)
        return "rights are missing: root, or whoever may write to the socket, can do this";
    return "the daemon cannot be asked";
}

static err_t unreachable(const char *uri, int e, struct buf *why)
{
    buf_printf(why, "cannot reach the daemon at %s: %s (%s)", uri, advice(e), strerror(e));
    return E_SYS;
}

static err_t open_unix(struct cli_session *s, const char *uri, const char *path, struct buf *why)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        buf_printf(why, "cannot reach the daemon at %s: the path is too long for a socket", uri);
        return E_USAGE;
    }
    memcpy(a.sun_path, path, strlen(path) + 1);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&a, sizeof a))
        return unreachable(uri, errno, why);
    return E_OK;
}

/* host:port or [host]:port */
static bool split_host(const char *text, char host[256], const char **port)
{
    const char *colon = strrchr(text, ':');
    bool bracket = text[0] == '[' && colon && colon > text && colon[-1] == ']';
    if (!colon || !colon[1] || (text[0] == '[' && !bracket))
        return false;
    const char *from = bracket ? text + 1 : text, *to = bracket ? colon - 1 : colon;
    size_t n = (size_t)(to - from);
    if (n == 0 || n >= 256)
        return false;
    memcpy(host, from, n);
    host[n] = 0;
    *port = colon + 1;
    return true;
}

static err_t connect_any(struct cli_session *s, const struct addrinfo *list)
{
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        s->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (s->fd >= 0 && !connect(s->fd, a->ai_addr, a->ai_addrlen))
            return E_OK;
        int e = errno;
        session_close(s);
        errno = e;
    }
    return E_SYS;
}

static err_t open_tcp(struct cli_session *s, const char *uri, const char *rest, struct buf *why)
{
    char host[256];
    const char *port;
    if (!split_host(rest, host, &port)) {
        buf_printf(why, "%s: tcp:// takes HOST:PORT", uri);
        return E_USAGE;
    }
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *list;
    int e = getaddrinfo(host, port, &want, &list);
    if (e) {
        buf_printf(why, "cannot reach the daemon at %s: %s", uri, gai_strerror(e));
        return E_SYS;
    }
    err_t r = connect_any(s, list);
    if (r)
        r = unreachable(uri, errno, why);
    freeaddrinfo(list);
    return r;
}

err_t session_open(struct cli_session *s, const char *uri, struct buf *why)
{
    *s = (struct cli_session){.fd = -1};
    err_t e = E_USAGE;
    if (!strncmp(uri, "unix://", 7))
        e = open_unix(s, uri, uri + 7, why);
    else if (!strncmp(uri, "tcp://", 6))
        e = open_tcp(s, uri, uri + 6, why);
    else
        buf_printf(why, "%s is neither unix:///PATH nor tcp://HOST:PORT", uri);
    if (e)
        session_close(s);
    return e;
}

void session_close(struct cli_session *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    vici_stream_free(&s->in);
}

static err_t send_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return E_SYS;
        p += k;
        n -= (size_t)k;
    }
    return E_OK;
}

static err_t send_packet(struct cli_session *s, enum vici_op op, const char *name,
                         const struct vnode *msg)
{
    struct buf b = {0};
    err_t e = vici_packet(op, name, msg, &b);
    if (!e)
        e = send_all(s->fd, b.s, b.n);
    buf_free(&b);
    return e;
}

static err_t next_packet(struct cli_session *s, struct vici_packet_in *out)
{
    err_t e;
    while ((e = vici_stream_next(&s->in, out)) == E_AGAIN) {
        char piece[16384];
        ssize_t n = recv(s->fd, piece, sizeof piece, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return E_SYS;
        e = vici_stream_feed(&s->in, bytes_of(piece, (size_t)n));
        if (e)
            return e;
    }
    if (!e && out->msg && s->scrub)
        screen_scrub(out->msg);
    return e;
}

/* Events go to fn; ends with the first packet of another kind. */
static err_t until_answer(struct cli_session *s, session_event *fn, void *ctx,
                          struct vici_packet_in *out)
{
    err_t e;
    while (!(e = next_packet(s, out)) && out->op == VICI_EVENT) {
        if (fn)
            fn(ctx, out->name, out->msg);
        vnode_free(out->msg);
        out->msg = NULL;
    }
    return e;
}

err_t session_register(struct cli_session *s, const char *event)
{
    struct vici_packet_in p;
    err_t e = send_packet(s, VICI_EVENT_REGISTER, event, NULL);
    if (!e)
        e = until_answer(s, NULL, NULL, &p);
    if (e)
        return e;
    vnode_free(p.msg);
    return p.op == VICI_EVENT_CONFIRM ? E_OK : (err_t)R_NOT_FOUND;
}

err_t session_request(struct cli_session *s, const char *cmd, const struct vnode *msg,
                      session_event *fn, void *ctx, struct vnode **reply)
{
    struct vici_packet_in p;
    *reply = NULL;
    err_t e = send_packet(s, VICI_CMD_REQUEST, cmd, msg);
    if (!e)
        e = until_answer(s, fn, ctx, &p);
    if (e)
        return e;
    *reply = p.msg;
    if (p.op == VICI_CMD_RESPONSE)
        return E_OK;
    vnode_free(p.msg);
    *reply = NULL;
    return p.op == VICI_CMD_UNKNOWN ? R_NOT_FOUND : R_SYNTAX;
}

err_t session_follow(struct cli_session *s, session_event *fn, void *ctx)
{
    struct vici_packet_in p;
    err_t e = until_answer(s, fn, ctx, &p);
    if (e)
        return e;
    vnode_free(p.msg);
    return R_SYNTAX;
}
