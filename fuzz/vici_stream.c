/*
 * A server's client that sends anything, cut anywhere: the first byte is the length of the pieces.
 * The server must say the same to the same bytes however they were cut. Entry: vici_client_input.
 */
#include <culvert/vici.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void echo(void *ctx, struct vici_request *rq)
{
    (void)ctx;
    const char *x = vnode_get(rq->msg, "x");
    vnode_value(rq->reply, "x", x ? x : "");
    vici_stream_event(rq->client, "log", rq->msg);
}

/* answered late: the input behind it has to wait */
static void slow(void *ctx, struct vici_request *rq)
{
    *(uint64_t *)ctx = rq->ticket;
    rq->later = true;
}

static void collect(void *io, struct bytes b)
{
    buf_add(io, b.p, b.n);
}

static err_t feed(struct vici_client *c, const uint8_t *p, size_t n, size_t step)
{
    err_t e = E_OK;
    for (size_t at = 0; at < n && !e; at += step)
        e = vici_client_input(c, bytes_of(p + at, n - at < step ? n - at : step));
    return e;
}

static void run(const uint8_t *p, size_t n, size_t step, struct buf *out)
{
    static const struct vici_command cmds[] = {{"echo", echo}, {"slow", slow}};
    static const char *const events[] = {"log"};
    uint64_t ticket = 0;
    struct vici_server *s = vici_server_new(cmds, 2, events, 1, &ticket);
    struct vici_client *c = s ? vici_client_new(s, collect, out) : NULL;
    if (!c)
        abort();
    (void)feed(c, p, n, step);
    while (ticket) {
        uint64_t t = ticket;
        ticket = 0;
        vici_reply(s, t, NULL);
    }
    vici_server_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct buf whole = {0}, pieces = {0};
    run(data + 1, size - 1, size, &whole);
    run(data + 1, size - 1, 1 + data[0] % 32u, &pieces);
    if (!bytes_eq(bytes_of(whole.s, whole.n), bytes_of(pieces.s, pieces.n)))
        abort();
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
