/*
 * The server with clients that are two buffers: order of answers, late answers, events, clients
 * that vanish, and bytes that break the stream.
 */
#include "vici_test.h"

struct fixture {
    struct vici_server *s;
    uint64_t late; /* ticket kept by the command "slow" */
    int runs;
    size_t left; /* events of the listing under way */
    int done;
};

static void cmd_echo(void *ctx, struct vici_request *rq)
{
    (void)ctx;
    const char *x = vnode_get(rq->msg, "x");
    vnode_value(rq->reply, "x", x ? x : "none");
}

static void cmd_slow(void *ctx, struct vici_request *rq)
{
    struct fixture *f = ctx;
    f->late = rq->ticket;
    f->runs++;
    rq->later = true;
}

/* initiate whose failure is known at once: the answer is given from within the handler */
static void cmd_at_once(void *ctx, struct vici_request *rq)
{
    struct fixture *f = ctx;
    struct vnode *m = vnode_new();
    vnode_value(m, "success", "no");
    rq->later = true;
    vici_reply(f->s, rq->ticket, m);
    vnode_free(m);
}

static void cmd_stream(void *ctx, struct vici_request *rq)
{
    (void)ctx;
    struct vnode *m = vnode_new();
    vnode_value(m, "n", "1");
    vici_stream_event(rq->client, "list-sa", m);
    vici_stream_event(rq->client, "list-sa", m);
    vnode_free(m);
}

static void cmd_large(void *ctx, struct vici_request *rq)
{
    (void)ctx;
    static char zeros[65535];
    for (int i = 0; i < 9; i++)
        vnode_data(rq->reply, "k", bytes_of(zeros, sizeof zeros));
}

/* A listing of f->left events of 1 KB. */
static bool more(void *ctx, struct vici_client *c)
{
    static const char text[1000] = {[0 ... 998] = 'x'};
    struct fixture *f = ctx;
    for (; f->left && !vici_client_full(c); f->left--) {
        struct vici_writer *w = vici_event_begin(c, "list-sa");
        if (!w)
            continue;
        vici_put_value(w, "sa", text);
        if (f->left % 2)
            vici_event_end(c);
        else
            vici_event_cancel(c);
    }
    return f->left;
}

static void done(void *ctx)
{
    ((struct fixture *)ctx)->done++;
}

static void cmd_list(void *ctx, struct vici_request *rq)
{
    vici_listing_begin(rq, &(struct vici_listing){ctx, more, done});
}

static const struct vici_command commands[] = {
    {"echo", cmd_echo},     {"slow", cmd_slow},   {"at-once", cmd_at_once},
    {"stream", cmd_stream}, {"large", cmd_large}, {"list", cmd_list},
};
static const char *const events[] = {"log", "list-sa"};

struct peer {
    struct vici_client *c;
    struct vici_stream in;
    size_t writes, bytes;
};

static void write_to(void *io, struct bytes data)
{
    struct peer *p = io;
    p->writes++;
    p->bytes += data.n;
    assert_int_equal(vici_stream_feed(&p->in, data), E_OK);
}

/* what the server sent since, as text */
static void expect(struct peer *p, const char *want)
{
    struct buf out = {0};
    struct vici_packet_in in;
    while (!vici_stream_next(&p->in, &in)) {
        buf_printf(&out, "%d%s%s{", in.op, *in.name ? " " : "", in.name);
        if (in.msg)
            text_members(&out, in.msg);
        buf_puts(&out, "} ");
        vnode_free(in.msg);
    }
    assert_string_equal(buf_str(&out), want);
    buf_free(&out);
}

static err_t send_text(struct peer *p, enum vici_op op, const char *name, const char *x)
{
    struct vnode *m = x ? vnode_new() : NULL;
    struct buf b = {0};
    if (x)
        vnode_value(m, "x", x);
    assert_int_equal(vici_packet(op, name, m, &b), E_OK);
    err_t e = vici_client_input(p->c, bytes_of(b.s, b.n));
    buf_free(&b);
    vnode_free(m);
    return e;
}

static void request(struct peer *p, const char *name, const char *x)
{
    assert_int_equal(send_text(p, VICI_CMD_REQUEST, name, x), E_OK);
}

static void open_server(struct fixture *f, struct peer *peers, size_t n)
{
    *f = (struct fixture){0};
    f->s = vici_server_new(commands, sizeof commands / sizeof *commands, events, 2, f);
    assert_non_null(f->s);
    for (size_t i = 0; i < n; i++) {
        peers[i] = (struct peer){0};
        peers[i].c = vici_client_new(f->s, write_to, &peers[i]);
        assert_non_null(peers[i].c);
    }
}

static void close_server(struct fixture *f, struct peer *peers, size_t n)
{
    vici_server_free(f->s);
    for (size_t i = 0; i < n; i++)
        vici_stream_free(&peers[i].in);
}

static void answers_commands(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[1];
    open_server(&f, p, 1);
    request(p, "echo", "7");
    expect(p, "1{x=7} ");
    request(p, "echo", NULL);
    expect(p, "1{x=none} ");
    request(p, "nothing-like-it", NULL);
    expect(p, "2{} ");
    request(p, "large", NULL);
    expect(p, "1{success=no errmsg=output buffer too small} ");
    close_server(&f, p, 1);
}

static void registers_as_charon_does(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[1];
    open_server(&f, p, 1);
    static const struct {
        enum vici_op op;
        const char *event, *want;
    } cases[] = {
        {VICI_EVENT_REGISTER, "log", "5{} "},   {VICI_EVENT_REGISTER, "log", "5{} "},
        {VICI_EVENT_UNREGISTER, "log", "5{} "}, {VICI_EVENT_UNREGISTER, "log", "5{} "},
        {VICI_EVENT_REGISTER, "foo", "6{} "},   {VICI_EVENT_UNREGISTER, "foo", "6{} "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(send_text(p, cases[i].op, cases[i].event, NULL), E_OK);
        expect(p, cases[i].want);
    }
    close_server(&f, p, 1);
}

static void raises_to_who_registered(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[2];
    open_server(&f, p, 2);
    struct vnode *m = vnode_new();
    vnode_value(m, "msg", "hi");
    assert_false(vici_wants(f.s, "log"));
    vici_raise(f.s, "log", m);
    assert_int_equal(send_text(&p[1], VICI_EVENT_REGISTER, "log", NULL), E_OK);
    assert_true(vici_wants(f.s, "log"));
    assert_false(vici_wants(f.s, "list-sa"));
    assert_false(vici_wants(f.s, "no-such-event"));
    vici_raise(f.s, "log", m);
    vici_raise(f.s, "no-such-event", m);
    expect(&p[0], "");
    expect(&p[1], "5{} 7 log{msg=hi} ");
    assert_int_equal(send_text(&p[1], VICI_EVENT_UNREGISTER, "log", NULL), E_OK);
    vici_raise(f.s, "log", m);
    expect(&p[1], "5{} ");
    vnode_free(m);
    close_server(&f, p, 2);
}

static void streams_to_the_asking_client(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[2];
    open_server(&f, p, 2);
    assert_int_equal(send_text(&p[0], VICI_EVENT_REGISTER, "list-sa", NULL), E_OK);
    assert_int_equal(send_text(&p[1], VICI_EVENT_REGISTER, "list-sa", NULL), E_OK);
    request(&p[0], "stream", NULL);
    expect(&p[0], "5{} 7 list-sa{n=1} 7 list-sa{n=1} 1{} ");
    expect(&p[1], "5{} ");
    close_server(&f, p, 2);
}

/* Takes the packets that came; gives the number of list-sa events, and the other packets as text.
 */
static size_t listed(struct peer *p, struct buf *others)
{
    size_t n = 0;
    struct vici_packet_in in;
    while (!vici_stream_next(&p->in, &in)) {
        if (in.op == VICI_EVENT)
            n++;
        else
            buf_printf(others, "%d{%s} ", in.op,
                       in.msg && in.msg->child ? in.msg->child->value : "");
        vnode_free(in.msg);
    }
    return n;
}

/* A thousand events leave in pieces of 64 KB, the next when the one before was read; then the
 * answer, then what the client asked meanwhile. */
static void listings_wait_for_their_reader(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[1];
    struct buf others = {0};
    open_server(&f, p, 1);
    assert_int_equal(send_text(p, VICI_EVENT_REGISTER, "list-sa", NULL), E_OK);
    f.left = 2000;
    p->writes = p->bytes = 0;
    request(p, "list", NULL);
    request(p, "echo", "after");
    size_t n = listed(p, &others), turns = 1;
    assert_int_equal(p->writes, 1);
    assert_in_range(p->bytes, 65536, 65536 + 2048);
    for (; f.left; turns++) {
        size_t before = p->bytes;
        assert_int_equal(f.done, 0);
        vici_client_drained(p->c);
        assert_true(p->bytes - before < 65536 + 2048);
        n += listed(p, &others);
    }
    assert_int_equal(n, 1000);
    assert_true(turns >= 15);
    assert_int_equal(f.done, 1);
    assert_string_equal(buf_str(&others), "5{} 1{} 1{after} ");
    vici_client_drained(p->c); /* nothing under way */
    assert_int_equal(f.done, 1);
    buf_free(&others);
    close_server(&f, p, 1);
}

static void listings_end_with_their_client(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[1];
    open_server(&f, p, 1);
    request(p, "list", NULL); /* of nothing */
    expect(p, "1{} ");
    assert_int_equal(f.done, 1);
    f.left = 500;
    request(p, "list", NULL); /* nobody registered: none of it is sent */
    expect(p, "1{} ");
    assert_int_equal(f.done, 2);
    assert_int_equal(send_text(p, VICI_EVENT_REGISTER, "list-sa", NULL), E_OK);
    f.left = 500;
    request(p, "list", NULL);
    assert_int_equal(f.done, 2);
    vici_client_free(p->c);
    assert_int_equal(f.done, 3);
    close_server(&f, p, 1);
}

static void unregistered_clients_get_the_answer_only(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[1];
    open_server(&f, p, 1);
    request(p, "stream", NULL);
    expect(p, "1{} ");
    close_server(&f, p, 1);
}

static void late_answers_keep_their_order(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[2];
    open_server(&f, p, 2);
    request(&p[0], "slow", NULL);
    request(&p[0], "echo", "after");
    request(&p[0], "slow", NULL);
    request(&p[1], "echo", "other");
    expect(&p[0], "");
    expect(&p[1], "1{x=other} ");
    uint64_t first = f.late;
    assert_ptr_equal(vici_ticket_client(f.s, first), p[0].c);
    struct vnode *m = vnode_new();
    vnode_value(m, "success", "yes");
    vici_reply(f.s, first, m);
    expect(&p[0], "1{success=yes} 1{x=after} ");
    assert_int_equal(f.runs, 2);
    assert_true(f.late != first);
    vici_reply(f.s, first, m); /* answered already */
    expect(&p[0], "");
    assert_null(vici_ticket_client(f.s, first));
    vici_reply(f.s, f.late, NULL);
    expect(&p[0], "1{} ");
    vnode_free(m);
    close_server(&f, p, 2);
}

static void answers_from_within_the_handler(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[1];
    open_server(&f, p, 1);
    request(p, "at-once", NULL);
    request(p, "echo", "1");
    expect(p, "1{success=no} 1{x=1} ");
    close_server(&f, p, 1);
}

static void gone_clients_are_forgotten(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[1];
    open_server(&f, p, 1);
    request(p, "slow", NULL);
    vici_client_free(p[0].c);
    vici_reply(f.s, f.late, NULL);
    assert_null(vici_ticket_client(f.s, f.late));
    expect(p, "");
    close_server(&f, p, 1);
}

static void broken_streams_stay_broken(void **state)
{
    (void)state;
    struct fixture f;
    struct peer p[1];
    open_server(&f, p, 1);
    assert_int_equal(vici_client_input(p[0].c, bytes_of("\xff\xff\xff\xff", 4)), R_LENGTH);
    assert_int_equal(send_text(p, VICI_CMD_REQUEST, "echo", NULL), R_LENGTH);
    expect(p, "");
    close_server(&f, p, 1);
    open_server(&f, p, 1);
    assert_int_equal(send_text(p, VICI_CMD_RESPONSE, NULL, "1"), R_SYNTAX); /* a server's word */
    close_server(&f, p, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_commands),
        cmocka_unit_test(registers_as_charon_does),
        cmocka_unit_test(raises_to_who_registered),
        cmocka_unit_test(streams_to_the_asking_client),
        cmocka_unit_test(listings_wait_for_their_reader),
        cmocka_unit_test(listings_end_with_their_client),
        cmocka_unit_test(unregistered_clients_get_the_answer_only),
        cmocka_unit_test(late_answers_keep_their_order),
        cmocka_unit_test(answers_from_within_the_handler),
        cmocka_unit_test(gone_clients_are_forgotten),
        cmocka_unit_test(broken_streams_stay_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
