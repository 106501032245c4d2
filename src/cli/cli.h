/*
 * culvert, the operator's command: a VICI client. Words to arguments (args.c), arguments to
 * requests (run*.c), answers to screens (show_*.c) or JSON (json.c). Everything but the session
 * works on trees and buffers, so that it is tested without a daemon.
 */
#pragma once

#include <culvert/vici.h>
#include <stdio.h>

#define CLI_VICI_DEFAULT "unix:///run/culvert/culvert.vici"

enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1, /* what was asked for did not happen */
    CLI_USAGE = 2,
    CLI_UNREACHABLE = 3, /* no daemon to ask */
};

/* --- the command line: args.c, help.c --- */

enum cli_command {
    CLI_UP,
    CLI_DOWN,
    CLI_REKEY,
    CLI_SHOW,
    CLI_SA,
    CLI_RELOAD,
    CLI_CHECK,
    CLI_LOG,
    CLI_HELP,
    CLI_VERSION,
    CLI_COMMANDS,
};

enum cli_show {
    CLI_SHOW_SAS,
    CLI_SHOW_CONNS,
    CLI_SHOW_POLICIES,
    CLI_SHOW_STATS,
    CLI_SHOW_VERSION,
    CLI_SHOW_POOLS,
    CLI_SHOW_CERTS,
    CLI_SHOW_CRYPTO,
};

/* show crypto isakmp sa, and so on */
enum cli_crypto { CLI_CRYPTO_ISAKMP, CLI_CRYPTO_IKEV2, CLI_CRYPTO_IPSEC };

enum cli_sa { CLI_SA_ADD, CLI_SA_DEL, CLI_SA_LIST };

#define CLI_SETTINGS_MAX 32

struct cli_args {
    enum cli_command cmd;
    const char *vici;
    bool json;
    const char *word; /* CHILD, CONN or FILE; NULL when not given */
    const char *conn; /* up and rekey: --ike CONN */
    bool is_conn;     /* down: --ike */
    bool force;
    long timeout_s; /* 0: none */
    int level;      /* log */
    enum cli_show show;
    enum cli_crypto crypto; /* with CLI_SHOW_CRYPTO */
    bool detail;
    enum cli_sa sa;
    const char *setting[CLI_SETTINGS_MAX]; /* sa add: KEY=VALUE */
    size_t settings;
    enum cli_command topic; /* help: CLI_COMMANDS for all of it */
};

/* CLI_DONE, or CLI_USAGE with what is wrong in `why` (lines for people). Borrows from argv. */
enum cli_exit cli_parse(int argc, char *const argv[], struct cli_args *out,
                        struct buf *why) must_use;

const char *cli_command_name(enum cli_command c);
void cli_help(enum cli_command topic, struct buf *out);

/* --- screens --- */

struct screen {
    struct buf *out;
    bool colour;
};

enum tint { TINT_NONE, TINT_BOLD, TINT_GOOD, TINT_WARN, TINT_BAD, TINT_DIM };

void screen_tint(const struct screen *s, enum tint t, const char *text);
void screen_pad(const struct screen *s, enum tint t, const char *text, size_t width);
void screen_seconds(struct buf *out, const char *seconds);        /* "7385" as "2h 3m" */
void screen_bytes(struct buf *out, const char *bytes);            /* "123456" as "120.6 KiB" */
void screen_list(struct buf *out, const struct vnode *list);      /* items with spaces between */
const char *screen_get(const struct vnode *in, const char *name); /* "-" when missing */
/* A peer chooses identities and more: control characters of values must not reach a terminal. */
void screen_scrub(struct vnode *tree);

/* Each takes a root with one section per event: list-sa, list-manual-sa, list-conn, list-policy. */
void show_sas(const struct screen *s, const struct vnode *root);
void show_crypto_isakmp(const struct screen *s, const struct vnode *root);
void show_crypto_isakmp_detail(const struct screen *s, const struct vnode *root);
void show_crypto_ikev2(const struct screen *s, const struct vnode *root);
void show_crypto_ikev2_detail(const struct screen *s, const struct vnode *root);
void show_crypto_ipsec(const struct screen *s, const struct vnode *root);
void show_crypto_ipsec_detail(const struct screen *s, const struct vnode *root);
/* The counters of one CHILD SA, a section of list-sa: show_counts.c. */
void show_counts(const struct screen *s, const struct vnode *child, bool detail);
void show_manual_sas(const struct screen *s, const struct vnode *root);
void show_conns(const struct screen *s, const struct vnode *root);
void show_policies(const struct screen *s, const struct vnode *root);
void show_certs(const struct screen *s, const struct vnode *root); /* by the clock of now */
void show_pools(const struct screen *s, const struct vnode *root); /* the answer of get-pools */
/* Any answer: names and values, indented. */
void show_tree(const struct screen *s, const struct vnode *root);
/* Why `what` ("net-net is not up") is so: an answer with success=no. */
void show_failure(const struct screen *s, const char *what, const struct vnode *reply);

/* --- JSON: all values are strings, as VICI has them --- */

void json_string(struct buf *out, const char *s, size_t n);
void json_object(struct buf *out, const struct vnode *section);
/* One object for each section of the root: several may have the same name. */
void json_sections(struct buf *out, const struct vnode *root);

/* --- session: the only system calls of this room --- */

struct cli_session {
    int fd;
    bool scrub; /* what arrives is meant for a screen: screen_scrub */
    struct vici_stream in;
};

/* On failure `why` gets one line: which socket and what is likely wrong. */
err_t session_open(struct cli_session *s, const char *uri, struct buf *why) must_use;
void session_close(struct cli_session *s);
typedef void session_event(void *ctx, const char *event, const struct vnode *msg);
/* R_NOT_FOUND: the daemon does not know this event. */
err_t session_register(struct cli_session *s, const char *event) must_use;
/* `msg` may be NULL. Events that arrive before the answer go to fn. R_NOT_FOUND: unknown command.
 */
err_t session_request(struct cli_session *s, const char *cmd, const struct vnode *msg,
                      session_event *fn, void *ctx, struct vnode **reply) must_use;
/* Events to fn until the daemon hangs up (E_SYS) or breaks the stream. */
err_t session_follow(struct cli_session *s, session_event *fn, void *ctx) must_use;

/* --- running --- */

struct cli_io {
    FILE *out, *err;
    bool colour;
};

enum cli_exit cli_run(int argc, char *const argv[], const struct cli_io *io);

/* What the commands work with; run.c fills it. */
struct cli {
    const struct cli_args *args;
    const struct cli_io *io;
    struct cli_session session;
};

/* "culvert: " and the line, on the error stream. */
void cli_complain(const struct cli_io *io, const char *fmt, ...) printf_like(2, 3);
void cli_put(const struct cli_io *io, const struct buf *b); /* to the output, at once */
/* A request; a failure of the session itself is told and becomes the exit code. */
enum cli_exit cli_ask(struct cli *c, const char *cmd, const struct vnode *msg, session_event *fn,
                      void *ctx, struct vnode **reply) must_use;
/* Registers `event`, asks, and gathers the sections of all events under one root. */
enum cli_exit cli_gather(struct cli *c, const char *event, const char *cmd, const struct vnode *msg,
                         struct vnode **root) must_use;
/* Whether the daemon has such events; then a further command's go to the same root. */
bool cli_knows(struct cli *c, const char *event);
enum cli_exit cli_gather_more(struct cli *c, const char *cmd, struct vnode *root) must_use;
/* An answer on the screen or as JSON: success=no is CLI_FAILED, told as "NAME: errmsg". */
enum cli_exit cli_failed(struct cli *c, const char *what, const struct vnode *reply);
void cli_put_json(const struct cli_io *io, const struct vnode *tree);

enum cli_exit run_up(struct cli *c);
enum cli_exit run_down(struct cli *c);
enum cli_exit run_rekey(struct cli *c);
enum cli_exit run_show(struct cli *c);
/* The sections of all `event`s that `cmd` brings, by `show` or as JSON. */
enum cli_exit run_list(struct cli *c, const char *event, const char *cmd, const struct vnode *msg,
                       void (*show)(const struct screen *, const struct vnode *));
enum cli_exit run_manual(struct cli *c);
enum cli_exit run_reload(struct cli *c);
enum cli_exit run_log(struct cli *c);
enum cli_exit run_check(const struct cli_args *a, const struct cli_io *io);
