/*
 * Events as clients and the journal see them: who hears what at which level, the members with the
 * evidence of a refusal, and that nobody is told after leaving.
 */
#include "base/buf.h"
#include "daemon/sinks.h"
#include "daemon/tree_text.h"
#include <stdlib.h>
#include <unistd.h>

struct listener {
    struct vici_client *c;
    struct vici_stream in;
};

struct fixture {
    struct vici_server *vici;
    struct sinks *sinks;
    struct listener log, other;
};

static const char *const events[] = {"log", "control-log"};

static void on_bytes(void *io, struct bytes data)
{
    struct listener *l = io;
    assert_int_equal(vici_stream_feed(&l->in, data), E_OK);
}

static void join(struct fixture *f, struct listener *l, const char *event)
{
    struct buf b = {0};
    struct vici_packet_in p;
    l->c = vici_client_new(f->vici, on_bytes, l);
    assert_int_equal(vici_packet(VICI_EVENT_REGISTER, event, NULL, &b), E_OK);
    assert_int_equal(vici_client_input(l->c, bytes_of(b.s, b.n)), E_OK);
    buf_free(&b);
    assert_int_equal(vici_stream_next(&l->in, &p), E_OK);
    assert_int_equal(p.op, VICI_EVENT_CONFIRM);
    vnode_free(p.msg);
}

static int make(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    *state = &f;
    unsetenv("JOURNAL_STREAM");
    f.vici = vici_server_new(NULL, 0, events, 2, NULL);
    f.sinks = sinks_new(LEVEL_ERROR - 1, f.vici); /* standard error stays quiet */
    join(&f, &f.log, "log");
    join(&f, &f.other, "control-log");
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    vici_client_free(f->log.c);
    vici_client_free(f->other.c);
    vici_stream_free(&f->log.in);
    vici_stream_free(&f->other.in);
    sinks_free(f->sinks);
    vici_server_free(f->vici);
    return 0;
}

/* want NULL: nothing came. */
static void hears(struct listener *l, const char *event, const char *want)
{
    struct vici_packet_in p;
    if (!want) {
        assert_int_equal(vici_stream_next(&l->in, &p), E_AGAIN);
        return;
    }
    assert_int_equal(vici_stream_next(&l->in, &p), E_OK);
    assert_int_equal(p.op, VICI_EVENT);
    assert_string_equal(p.name, event);
    assert_tree(p.msg, want);
    vnode_free(p.msg);
}

static const struct event refused = {.kind = EV_REFUSED,
                                     .reason = R_NO_PROPOSAL,
                                     .conn = "gw-gw",
                                     .ike_id = 7,
                                     .what = "encryption",
                                     .ours = "aes256",
                                     .theirs = "3des",
                                     .hint = "proposals of gw-gw",
                                     .clause = "RFC 7296 2.7"};
static const struct event plain = {.kind = EV_DAEMON_IO, .text = "all well"};
static const struct event detail = {.kind = EV_MSG_NOTIFY, .text = "INITIAL_CONTACT"};

#define EVIDENCE                                                                                   \
    "event = refused\n"                                                                            \
    "reason = no-proposal\n"                                                                       \
    "what = encryption\n"                                                                          \
    "ours = aes256\n"                                                                              \
    "theirs = 3des\n"                                                                              \
    "hint = proposals of gw-gw\n"                                                                  \
    "clause = RFC 7296 2.7\n"
#define PLAIN_END "msg = packets: all well\nevent = daemon-io\n"

static void msg_of(const struct event *ev, struct buf *out)
{
    buf_puts(out, "msg = ");
    event_render(ev, out);
    buf_puts(out, "\n");
}

static void test_log(void **state)
{
    struct fixture *f = *state;
    struct buf want = {0};
    buf_puts(&want, "group = CFG\nlevel = 0\nthread = 0\nikesa-name = gw-gw\nikesa-uniqueid = 7\n");
    msg_of(&refused, &want);
    buf_puts(&want, EVIDENCE);
    sinks_event(f->sinks, &refused);
    hears(&f->log, "log", buf_str(&want));
    buf_free(&want);
    sinks_event(f->sinks, &plain); /* no name, no evidence: no such members */
    hears(&f->log, "log", "group = KNL\nlevel = 1\nthread = 0\n" PLAIN_END);
    sinks_event(f->sinks, &detail);
    hears(&f->log, "log", NULL);
    hears(&f->other, "control-log", NULL); /* nobody waits for a command */
}

/* Only the client that waits, up to the level that it asked for, until its answer. */
static void test_control_log(void **state)
{
    struct fixture *f = *state;
    sinks_watch(f->sinks, f->other.c, 41, LEVEL_AUDIT);
    sinks_event(f->sinks, &plain);
    hears(&f->other, "control-log", NULL);
    sinks_watch(f->sinks, f->other.c, 42, LEVEL_DETAIL);
    sinks_event(f->sinks, &plain);
    hears(&f->other, "control-log", "group = KNL\nlevel = 1\n" PLAIN_END);
    hears(&f->other, "control-log", NULL);
    sinks_unwatch(f->sinks, 42);
    sinks_event(f->sinks, &plain);
    hears(&f->other, "control-log", NULL);
    sinks_watch(f->sinks, f->other.c, 43, LEVEL_DETAIL);
    sinks_forget(f->sinks, f->other.c);
    sinks_event(f->sinks, &refused);
    hears(&f->other, "control-log", NULL);
}

static void test_bounded(void **state)
{
    struct fixture *f = *state;
    for (uint64_t t = 0; t < 1000; t++)
        sinks_watch(f->sinks, f->other.c, t, LEVEL_CTRL);
    sinks_forget(f->sinks, f->other.c);
    sinks_event(f->sinks, &plain);
    hears(&f->other, "control-log", NULL);
}

/* What a sink writes to standard error, in `out`. */
static void stderr_of(struct sinks *s, const struct event *ev, char *out, size_t cap)
{
    FILE *tmp = tmpfile();
    assert_non_null(tmp);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0 && dup2(fileno(tmp), STDERR_FILENO) >= 0);
    sinks_event(s, ev);
    fflush(stderr);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(tmp);
    out[fread(out, 1, cap - 1, tmp)] = '\0';
    fclose(tmp);
}

static void test_stderr(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum event_kind kind;
        const char *journal;
    } cases[] = {{EV_DAEMON_ERROR, "<3>[DMN] error x\n"},
                 {EV_DAEMON_START, "<5>[DMN] started x\n"},
                 {EV_DAEMON_IO, "<6>[KNL] packets: x\n"},
                 {EV_MSG_NOTIFY, "<7>[IKE] notify x\n"}};
    char out[300];
    setenv("JOURNAL_STREAM", "8:12345", 1);
    struct sinks *journal = sinks_new(LEVEL_RAW, f->vici);
    unsetenv("JOURNAL_STREAM");
    struct sinks *terminal = sinks_new(LEVEL_RAW, f->vici);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct event ev = {.kind = cases[i].kind, .text = "x"};
        stderr_of(journal, &ev, out, sizeof out);
        assert_string_equal(out, cases[i].journal);
        stderr_of(terminal, &ev, out, sizeof out); /* "HH:MM:SS.mmm [DMN] ..." */
        assert_true(strlen(out) > 13 && out[2] == ':' && out[8] == '.');
        assert_string_equal(out + 13, cases[i].journal + 3);
    }
    sinks_level(journal, LEVEL_AUDIT);
    stderr_of(journal, &plain, out, sizeof out);
    assert_string_equal(out, "");
    sinks_free(journal);
    sinks_free(terminal);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, make, end)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_log), T(test_control_log), T(test_bounded),
                                       T(test_stderr)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
