/* The control socket: see server.h. */
#include "daemon/server.h"
#include "base/list.h"
#include "base/secret.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 128
#define QUEUE_MAX   (64u << 20) /* bytes that a client may leave unread */

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_pipe_t pipe;
    uv_tcp_t tcp;
};

struct server {
    uv_loop_t *loop;
    union stream listener;
    bool tcp, listening;
    char path[108];
    struct vici_server *vici;
    server_gone *gone;
    void *ctx;
    struct list peers;
    size_t count;
};

struct peer {
    struct list node;
    union stream s;
    struct server *server;
    struct vici_client *client;
    bool closing;
    bool slow; /* left too much unread: closed with the next write that ends */
    char in[16384];
};

/* What was read may have been a secret. */
static void on_closed(uv_handle_t *h)
{
    struct peer *p = h->data;
    secret_wipe(p->in, sizeof p->in);
    free(p);
}

static void peer_close(struct peer *p)
{
    if (p->closing)
        return;
    p->closing = true;
    list_del(&p->node);
    p->server->count--;
    p->server->gone(p->server->ctx, p->client);
    vici_client_free(p->client);
    p->client = NULL;
    uv_close(&p->s.handle, on_closed);
}

struct write_req {
    uv_write_t w;
    struct peer *p;
    uint8_t data[];
};

static void on_written(uv_write_t *w, int status)
{
    struct write_req *q = w->data;
    struct peer *p = q->p;
    free(q);
    if (p->slow || (status < 0 && status != UV_ECANCELED))
        peer_close(p);
    else if (!p->closing && uv_stream_get_write_queue_size(&p->s.stream) == 0)
        vici_client_drained(p->client);
}

static void peer_write(void *io, struct bytes data)
{
    struct peer *p = io;
    p->slow = p->slow || uv_stream_get_write_queue_size(&p->s.stream) > QUEUE_MAX;
    if (p->closing || p->slow)
        return;
    struct write_req *q = malloc(sizeof *q + data.n);
    if (!q)
        return;
    q->p = p;
    q->w.data = q;
    memcpy(q->data, data.p, data.n);
    uv_buf_t b = uv_buf_init((char *)q->data, (unsigned)data.n);
    if (uv_write(&q->w, &p->s.stream, &b, 1, on_written) != 0)
        free(q);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
    struct peer *p = h->data;
    (void)suggested;
    *b = uv_buf_init(p->in, sizeof p->in);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct peer *p = s->data;
    if (n == 0 || p->closing)
        return;
    if (n < 0 || vici_client_input(p->client, bytes_of(b->base, (size_t)n)))
        peer_close(p);
}

static int stream_init(struct server *s, union stream *u)
{
    return s->tcp ? uv_tcp_init(s->loop, &u->tcp) : uv_pipe_init(s->loop, &u->pipe, 0);
}

static void on_connect(uv_stream_t *listener, int status)
{
    struct server *s = listener->data;
    struct peer *p = status == 0 ? calloc(1, sizeof *p) : NULL;
    if (!p)
        return;
    p->server = s;
    p->s.handle.data = p;
    list_init(&p->node);
    if (stream_init(s, &p->s)) {
        free(p);
        return;
    }
    p->s.handle.data = p;
    if (uv_accept(listener, &p->s.stream) == 0 && s->count < CLIENTS_MAX)
        p->client = vici_client_new(s->vici, peer_write, p);
    if (!p->client) {
        uv_close(&p->s.handle, on_closed);
        return;
    }
    list_add_tail(&s->peers, &p->node);
    s->count++;
    uv_read_start(&p->s.stream, on_alloc, on_read);
}

/* A socket file that nobody answers on is left from a crash and goes. */
static bool path_free(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool taken = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    struct stat st;
    if (!taken && stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
    return !taken;
}

static int make_parent(const char *path)
{
    char dir[108];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (!slash || slash == dir)
        return 0;
    *slash = 0;
    return mkdir(dir, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

static err_t fail(struct io_error *err, const char *uri, const char *why)
{
    snprintf(err->text, sizeof err->text, "control socket %.100s: %s", uri, why);
    return E_SYS;
}

static err_t bind_unix(struct server *s, const char *uri, const char *path, struct io_error *err)
{
    if (path[0] != '/' || strlen(path) >= sizeof s->path)
        return fail(err, uri, "needs an absolute path of at most 107 bytes: unix:///run/...");
    if (!path_free(path))
        return fail(err, uri, "another daemon listens there already");
    snprintf(s->path, sizeof s->path, "%s", path);
    int rc = make_parent(path);
    mode_t old = umask(0117); /* rw for owner and group */
    if (!rc)
        rc = uv_pipe_bind(&s->listener.pipe, path);
    umask(old);
    return rc ? fail(err, uri, uv_strerror(rc)) : E_OK;
}

static err_t bind_tcp(struct server *s, const char *uri, const char *where, struct io_error *err)
{
    char host[64];
    struct sockaddr_in a;
    const char *colon = strrchr(where, ':');
    size_t n = colon ? (size_t)(colon - where) : 0;
    if (!colon || n >= sizeof host || atoi(colon + 1) <= 0 || atoi(colon + 1) > 65535)
        return fail(err, uri, "expected tcp://ADDRESS:PORT");
    memcpy(host, where, n);
    host[n] = 0;
    if (strncmp(host, "127.", 4) != 0)
        return fail(err, uri,
                    "who reaches this socket rules the daemon: only 127.0.0.0/8 is allowed");
    int rc = uv_ip4_addr(host, atoi(colon + 1), &a);
    if (!rc)
        rc = uv_tcp_bind(&s->listener.tcp, (const struct sockaddr *)&a, 0);
    return rc ? fail(err, uri, uv_strerror(rc)) : E_OK;
}

static err_t listen_on(struct server *s, const char *uri, struct io_error *err)
{
    bool unix_uri = strncmp(uri, "unix://", 7) == 0;
    s->tcp = strncmp(uri, "tcp://", 6) == 0;
    if (!unix_uri && !s->tcp)
        return fail(err, uri, "expected unix:///PATH or tcp://ADDRESS:PORT");
    if (stream_init(s, &s->listener))
        return fail(err, uri, "out of memory");
    s->listener.handle.data = s;
    s->listening = true;
    err_t e = s->tcp ? bind_tcp(s, uri, uri + 6, err) : bind_unix(s, uri, uri + 7, err);
    if (e)
        return e;
    int rc = uv_listen(&s->listener.stream, 16, on_connect);
    return rc ? fail(err, uri, uv_strerror(rc)) : E_OK;
}

struct server *server_open(uv_loop_t *loop, const char *uri, struct vici_server *vici,
                           server_gone *gone, void *ctx, struct io_error *err)
{
    struct server *s = calloc(1, sizeof *s);
    snprintf(err->text, sizeof err->text, "out of memory");
    if (!s)
        return NULL;
    *s = (struct server){.loop = loop, .vici = vici, .gone = gone, .ctx = ctx};
    list_init(&s->peers);
    if (listen_on(s, uri, err) == E_OK)
        return s;
    server_close(s);
    uv_run(loop, UV_RUN_NOWAIT);
    server_free(s);
    return NULL;
}

void server_close(struct server *s)
{
    list_each_safe (n, nx, &s->peers)
        peer_close(container_of(n, struct peer, node));
    if (s->listening && !uv_is_closing(&s->listener.handle))
        uv_close(&s->listener.handle, NULL);
}

void server_free(struct server *s)
{
    free(s);
}
