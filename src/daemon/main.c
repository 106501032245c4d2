/* culvertd: arguments, start, signals, end. */
#include "crypto/crypto.h"
#include "daemon/core.h"
#include "daemon/server.h"
#include "daemon/suites.h"
#include "io/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/culvert/culvert.conf"

static const char usage[] =
    "usage: culvertd [--config FILE] [--vici URI] [--foreground] [--log-level LEVEL]\n"
    "\n"
    "  --config FILE       configuration, swanctl.conf's grammar (" DEFAULT_CONFIG ")\n"
    "  --vici URI          control socket (unix:///run/culvert/culvert.vici)\n"
    "  --foreground        stay in the foreground, log to standard error\n"
    "  --log-level LEVEL   -1 errors, 0 what changes, 1 control flow, 2 detail, 3 raw (1)\n"
    "  --allow-key-export  let the control socket's users read the keys of running SAs\n"
    "  --version, --help\n"
    "\n"
    "SIGHUP reads the configuration again, SIGTERM takes all tunnels down and ends.\n"
    "culvert(8) controls it, swanctl(8) does too; culvert.conf(5) describes the configuration.\n";

struct args {
    const char *config, *vici;
    bool config_given, foreground, allow_key_export;
    int log_level;
    bool log_given;
};

struct daemon {
    struct core core;
    struct server *server;
    uv_signal_t sig[3];
    size_t sig_count;
    int ready_fd; /* tells the parent of a background start, -1: none */
};

static bool parse_level(const char *s, int *out)
{
    char *end;
    long v = strtol(s, &end, 10);
    *out = (int)v;
    return *s && !*end && v >= -1 && v <= 3;
}

/* -1: go on; otherwise the exit code. */
static int parse_args(int argc, char **argv, struct args *a)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},     {"vici", required_argument, NULL, 'u'},
        {"foreground", no_argument, NULL, 'f'},       {"log-level", required_argument, NULL, 'l'},
        {"allow-key-export", no_argument, NULL, 'k'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},          {0}};
    *a = (struct args){.config = DEFAULT_CONFIG, .log_level = LEVEL_CTRL};
    int o;
    while ((o = getopt_long(argc, argv, "c:u:fl:hv", options, NULL)) != -1) {
        switch (o) {
        case 'c':
            a->config = optarg;
            a->config_given = true;
            break;
        case 'u':
            a->vici = optarg;
            break;
        case 'f':
            a->foreground = true;
            break;
        case 'k':
            a->allow_key_export = true;
            break;
        case 'l':
            a->log_given = true;
            if (parse_level(optarg, &a->log_level))
                break;
            fprintf(stderr, "culvertd: --log-level %s: expected -1, 0, 1, 2 or 3\n", optarg);
            return 2;
        case 'v':
            puts("culvertd " CULVERT_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "culvertd: unexpected argument: %s\n%s", argv[optind], usage);
    return 2;
}

static int fail(const char *text)
{
    fprintf(stderr, "culvertd: %s\n", text);
    return 1;
}

/* Keys must not end up in a core file or be read by a debugger of the same user. */
static void harden(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGPIPE, SIG_IGN);
}

/* Parent: waits until the child is ready or has failed. Child: returns the fd to tell it. */
static int go_background(int *ready_fd)
{
    int fd[2];
    char ok = 0;
    if (pipe2(fd, O_CLOEXEC))
        return fail("cannot make a pipe");
    pid_t pid = fork();
    if (pid < 0)
        return fail("cannot fork");
    if (pid > 0) {
        close(fd[1]);
        ssize_t n = read(fd[0], &ok, 1);
        _exit(n == 1 && ok == 1 ? 0 : 1);
    }
    close(fd[0]);
    setsid();
    *ready_fd = fd[1];
    return -1;
}

static void tell_ready(struct daemon *d)
{
    char ok = 1;
    if (d->ready_fd < 0)
        return;
    ssize_t n = write(d->ready_fd, &ok, 1);
    (void)n; /* the parent may be gone */
    close(d->ready_fd);
    d->ready_fd = -1;
}

static void reload(struct core *c)
{
    struct diag diag = {0};
    struct buf text = {0};
    size_t loaded, unloaded;
    err_t e = core_load_file(c, &diag, &loaded, &unloaded);
    diag_print(&diag, &text);
    if (text.n)
        core_say(c, e ? EV_CONFIG_ERROR : EV_CONFIG_WARNING, NULL, buf_str(&text));
    buf_free(&text);
    diag_free(&diag);
}

static void on_signal(uv_signal_t *s, int signum)
{
    struct daemon *d = s->data;
    if (signum == SIGHUP)
        reload(&d->core);
    else
        core_stop(&d->core);
}

static void watch_signals(struct daemon *d)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (; d->sig_count < 3; d->sig_count++) {
        uv_signal_t *s = &d->sig[d->sig_count];
        uv_signal_init(d->core.loop, s);
        s->data = d;
        uv_signal_start(s, on_signal, signals[d->sig_count]);
    }
}

static void on_client_gone(void *ctx, struct vici_client *client)
{
    struct daemon *d = ctx;
    control_client_gone(&d->core, client);
}

/* All SAs are gone: let go of everything; the loop ends by itself. */
static void on_stopped(struct core *c)
{
    struct daemon *d = container_of(c, struct daemon, core);
    uv_stop(d->core.loop);
}

/* The settings and whether the file holds together, before anything is opened. */
static err_t read_settings(struct daemon *d, const struct args *a)
{
    struct config cf = {0};
    struct diag diag = {0};
    struct buf text = {0};
    config_daemon_default(&d->core.set);
    if (!a->config_given && access(a->config, F_OK) != 0 && errno == ENOENT) {
        d->core.config_path = a->config; /* no file: everything comes by VICI */
        return E_OK;
    }
    err_t e = config_load(a->config, &cf, &diag);
    diag_print(&diag, &text);
    fputs(buf_str(&text), stderr);
    buf_free(&text);
    diag_free(&diag);
    d->core.set = cf.daemon;
    d->core.config_path = a->config;
    config_free(&cf);
    return e;
}

static err_t open_all(struct daemon *d, const struct args *a, struct io_error *err)
{
    struct core *c = &d->core;
    const char *what = NULL;
    const char *uri = a->vici ? a->vici : c->set.vici;
    snprintf(err->text, sizeof err->text, "out of memory");
    if (cr_init(&what)) {
        snprintf(err->text, sizeof err->text, "the crypto library lacks %s", what ? what : "?");
        return E_NOTSUP;
    }
    c->vici = vici_server_new(core_commands, core_command_count, core_events, core_event_count, c);
    c->sinks = c->vici ? sinks_new(a->log_given ? a->log_level : c->set.log_level, c->vici) : NULL;
    if (!c->sinks)
        return E_NOMEM;
    if (a->allow_key_export && !(c->keylog = keylog_new()))
        return E_NOMEM;
    d->server = server_open(c->loop, uri, c->vici, on_client_gone, d, err);
    return d->server ? core_open(c, err) : E_SYS;
}

static void close_all(struct daemon *d)
{
    if (d->server)
        server_close(d->server);
    core_close(&d->core);
    for (size_t i = 0; i < d->sig_count; i++)
        uv_close((uv_handle_t *)&d->sig[i], NULL);
    uv_run(d->core.loop, UV_RUN_DEFAULT); /* closes handles, collects jobs under way */
    core_free(&d->core);
    server_free(d->server);
    vici_server_free(d->core.vici);
    sinks_free(d->core.sinks);
    uv_loop_close(d->core.loop);
    cr_fini();
}

static int run(struct daemon *d)
{
    struct core *c = &d->core;
    c->started_wall_s = clock_wall_s();
    watch_signals(d);
    core_say(c, EV_DAEMON_START, NULL, "culvertd " CULVERT_VERSION);
    core_say(c, EV_DAEMON_IO, NULL, datapath_offloads(c->path));
    suites_tell(c); /* without ipsec-mb all is slower: worth knowing */
    if (access(c->config_path, F_OK) == 0)
        reload(c);
    tell_ready(d);
    uv_run(c->loop, UV_RUN_DEFAULT);
    core_say(c, EV_DAEMON_STOP, NULL, c->fatal);
    return c->fatal ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct args a;
    struct daemon d = {.ready_fd = -1};
    struct io_error err;
    int code = parse_args(argc, argv, &a);
    if (code >= 0)
        return code;
    harden();
    if (read_settings(&d, &a))
        return fail("the configuration is not usable; nothing was started");
    if (!a.foreground) {
        code = go_background(&d.ready_fd);
        if (code >= 0)
            return code;
    }
    d.core.loop = uv_default_loop();
    d.core.stopped = on_stopped;
    code = open_all(&d, &a, &err) ? fail(err.text) : run(&d);
    close_all(&d);
    return code;
}
