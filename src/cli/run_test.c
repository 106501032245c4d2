/*
 * Whole command lines against a daemon that is a child process with canned answers: requests sent,
 * output, complaints and exit codes.
 */
#include "cli/cli_test.h"
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the daemon: answers by rows; the request's text picks the row --- */

static const struct canned {
    const char *cmd, *key, *value; /* key NULL: any request of this command */
    const char *reply;
} canned[] = {
    {"initiate", "child", "net", "success=yes"},
    {"initiate", "child", "bad",
     "success=no errmsg=e reason=no-proposal what=encryption ours=a theirs=b"},
    {"terminate", "child", "net", "success=yes matches=2 terminated=2"},
    {"terminate", "child", "some", "success=no matches=2 terminated=1 errmsg='not all'"},
    {"terminate", "child", NULL, "success=no matches=0 terminated=0 errmsg='none found'"},
    {"terminate", "ike", "gw", "success=yes matches=1 terminated=1"},
    {"terminate", "ike", NULL, "success=no matches=0 terminated=0 errmsg='none found'"},
    {"rekey", "child", "net", "success=yes matches=1"},
    {"rekey", "ike", "gw", "success=yes matches=1"},
    {"rekey", NULL, NULL, "success=no matches=0 errmsg='none found'"},
    {"version", NULL, NULL, "daemon=culvertd version=1"},
    {"reload", NULL, NULL, "success=no errmsg=x errors=['f:3: foo: unknown key']"},
};

static struct vici_server *server;

static bool fits(const struct canned *c, const struct vici_request *rq)
{
    if (strcmp(c->cmd, rq->name))
        return false;
    const char *v = c->key ? vnode_get(rq->msg, c->key) : NULL;
    return !c->key || (v && (!c->value || !strcmp(v, c->value)));
}

static void answer(void *ctx, struct vici_request *rq)
{
    (void)ctx;
    struct vnode *log = tree_of("group=IKE level=0 msg='on the way'");
    vici_stream_event(rq->client, "control-log", log);
    vnode_free(log);
    for (size_t i = 0; i < sizeof canned / sizeof *canned; i++) {
        if (!fits(&canned[i], rq))
            continue;
        struct vnode *m = tree_of(canned[i].reply);
        rq->later = true;
        vici_reply(server, rq->ticket, m);
        vnode_free(m);
        return;
    }
}

static void list_sas(void *ctx, struct vici_request *rq)
{
    (void)ctx;
    struct vnode *a = tree_of("gw {state=ESTABLISHED child-sas {}}"), *b = tree_of("gw {state=X}");
    vici_stream_event(rq->client, "list-sa", a);
    vici_stream_event(rq->client, "list-sa", b);
    vnode_free(a);
    vnode_free(b);
}

static const struct vici_command commands[] = {
    {"initiate", answer}, {"terminate", answer}, {"rekey", answer},
    {"version", answer},  {"reload", answer},    {"list-sas", list_sas},
};
static const char *const events[] = {"control-log", "list-sa", "log"};

static void write_fd(void *io, struct bytes b)
{
    if (write(*(int *)io, b.p, b.n) != (ssize_t)b.n)
        _exit(1);
}

/* One client: what follows the log gets two lines and then the end. */
static void serve(int fd)
{
    struct vici_client *c = vici_client_new(server, write_fd, &fd);
    uint8_t piece[4096];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0) {
        if (vici_client_input(c, bytes_of(piece, (size_t)n)))
            break;
        if (!vici_wants(server, "log"))
            continue;
        struct vnode *shown = tree_of("group=IKE level=0 msg=shown");
        struct vnode *hidden = tree_of("group=IKE level=2 msg=hidden");
        vici_raise(server, "log", shown);
        vici_raise(server, "log", hidden);
        vnode_free(shown);
        vnode_free(hidden);
        break;
    }
    vici_client_free(c);
    close(fd);
}

static char dir[] = "/tmp/culvert-cli-XXXXXX", uri[64];
static pid_t pid;

static int start(void **state)
{
    (void)state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (!mkdtemp(dir) || fd < 0)
        return -1;
    snprintf(a.sun_path, sizeof a.sun_path, "%s/s", dir);
    snprintf(uri, sizeof uri, "unix://%s/s", dir);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 8))
        return -1;
    pid = fork();
    if (pid == 0) {
        server = vici_server_new(commands, sizeof commands / sizeof *commands, events, 3, NULL);
        for (;;)
            serve(accept(fd, NULL, NULL));
    }
    close(fd);
    return pid < 0 ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unlink(uri + strlen("unix://"));
    return rmdir(dir);
}

/* --- the cases --- */

struct outcome {
    enum cli_exit code;
    char *out, *err;
};

static struct outcome run_line(const char *line, const char *where)
{
    char copy[256], *argv[16] = {"culvert", "--vici", (char *)(uintptr_t)where};
    int argc = 3;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok(copy, " "); w && argc < 16; w = strtok(NULL, " "))
        argv[argc++] = w;
    struct outcome o = {0};
    size_t n_out, n_err;
    struct cli_io io = {open_memstream(&o.out, &n_out), open_memstream(&o.err, &n_err), false};
    o.code = cli_run(argc, argv, &io);
    fclose(io.out);
    fclose(io.err);
    return o;
}

static const struct {
    const char *line;
    enum cli_exit code;
    const char *out, *err;
} cases[] = {
    {"up net", CLI_DONE,
     "[IKE] on the way\n"
     "up: net\n"
     "gw #-  ESTABLISHED  IKEv-  responder\n"
     "  local   -  -[-]\n  remote  -  -[-]\n  spis    -_i -_r\n"
     "\n"
     "gw #-  X  IKEv-  responder\n"
     "  local   -  -[-]\n  remote  -  -[-]\n  spis    -_i -_r\n",
     ""},
    {"up bad", CLI_FAILED, "[IKE] on the way\n",
     "culvert: bad is not up: no proposal is acceptable to both sides\n"
     "    encryption    ours    a\n"
     "                  theirs  b\n"},
    {"up net --json", CLI_DONE, "{\"success\":\"yes\",\"log\":[\"on the way\"]}\n", ""},
    {"up bad --json", CLI_FAILED,
     "{\"success\":\"no\",\"errmsg\":\"e\",\"reason\":\"no-proposal\",\"what\":\"encryption\","
     "\"ours\":\"a\",\"theirs\":\"b\",\"log\":[\"on the way\"]}\n",
     ""},
    {"down net", CLI_DONE, "[IKE] on the way\ndown: net, 2 CHILD SAs\n", ""},
    {"down gw", CLI_DONE, "[IKE] on the way\n[IKE] on the way\ndown: gw, 1 IKE SA\n", ""},
    {"down gw --ike", CLI_DONE, "[IKE] on the way\ndown: gw, 1 IKE SA\n", ""},
    {"down net --ike", CLI_FAILED, "[IKE] on the way\n", "culvert: net: none found\n"},
    {"down nix", CLI_FAILED, "[IKE] on the way\n[IKE] on the way\n", "culvert: nix: none found\n"},
    {"down some", CLI_FAILED, "[IKE] on the way\n", "culvert: some: not all\n"},
    {"rekey net", CLI_DONE, "rekeying: net, 1 SA\n", ""},
    {"rekey --ike gw", CLI_DONE, "rekeying: gw, 1 SA\n", ""},
    {"rekey nix", CLI_FAILED, "", "culvert: nix: none found\n"},
    {"show sas --json", CLI_DONE,
     "[{\"gw\":{\"state\":\"ESTABLISHED\",\"child-sas\":{}}},{\"gw\":{\"state\":\"X\"}}]\n", ""},
    {"show version", CLI_DONE, "daemon   culvertd\nversion  1\n", ""},
    {"show version --json", CLI_DONE, "{\"daemon\":\"culvertd\",\"version\":\"1\"}\n", ""},
    {"reload", CLI_FAILED, "",
     "f:3: foo: unknown key\nculvert: nothing of it is taken, what ran runs on\n"},
    {"frobnicate", CLI_USAGE, "",
     "culvert: unknown command `frobnicate'\n`culvert help' says how it is used\n"},
    {"--version", CLI_DONE, "culvert " CULVERT_VERSION "\n", ""},
    {"check /nonexistent/culvert.conf", CLI_FAILED, NULL, ""},
};

static void command_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome o = run_line(cases[i].line, uri);
        if (o.code != cases[i].code)
            fail_msg("%s: exit code %d: %s", cases[i].line, (int)o.code, o.err);
        if (cases[i].out)
            assert_string_equal(o.out, cases[i].out);
        assert_string_equal(o.err, cases[i].err);
        free(o.out);
        free(o.err);
    }
}

static void follows_the_log(void **state)
{
    (void)state;
    struct outcome o = run_line("log", uri);
    assert_int_equal(o.code, CLI_UNREACHABLE); /* the daemon went away */
    assert_non_null(strstr(o.out, " [IKE] shown\n"));
    assert_null(strstr(o.out, "hidden"));
    assert_non_null(strstr(o.err, "closed the connection"));
    free(o.out);
    free(o.err);
    o = run_line("log --json --level 2", uri);
    assert_string_equal(o.out, "{\"group\":\"IKE\",\"level\":\"0\",\"msg\":\"shown\"}\n"
                               "{\"group\":\"IKE\",\"level\":\"2\",\"msg\":\"hidden\"}\n");
    free(o.out);
    free(o.err);
}

static void says_what_it_does_not_know(void **state)
{
    (void)state;
    struct outcome o = run_line("show stats", uri);
    assert_int_equal(o.code, CLI_FAILED);
    assert_non_null(strstr(o.err, "does not know `stats'"));
    free(o.out);
    free(o.err);
}

static void unreachable_daemons(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        enum cli_exit code;
        const char *says;
    } t[] = {
        {"unix:///nonexistent/s", CLI_UNREACHABLE,
         "unix:///nonexistent/s: culvertd is not running"},
        {"tcp://127.0.0.1:1", CLI_UNREACHABLE, "tcp://127.0.0.1:1: culvertd is not running"},
        {"tcp://[::1]", CLI_USAGE, "takes HOST:PORT"},
        {"http://x", CLI_USAGE, "neither unix:///PATH nor tcp://HOST:PORT"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct outcome o = run_line("show sas", t[i].uri);
        assert_int_equal(o.code, t[i].code);
        assert_non_null(strstr(o.err, t[i].says));
        assert_int_equal(strlen(o.err), strcspn(o.err, "\n") + 1); /* one line */
        free(o.out);
        free(o.err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines),
        cmocka_unit_test(follows_the_log),
        cmocka_unit_test(says_what_it_does_not_know),
        cmocka_unit_test(unreachable_daemons),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
