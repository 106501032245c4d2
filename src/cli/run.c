/* Runs one command line: the frame around the commands, and what they share. Called by main.c. */
#include "cli/cli.h"
#include <stdarg.h>
#include <stdlib.h>

void cli_complain(const struct cli_io *io, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("culvert: ", io->err);
    vfprintf(io->err, fmt, ap);
    fputs("\n", io->err);
    va_end(ap);
}

void cli_put(const struct cli_io *io, const struct buf *b)
{
    fwrite(buf_str(b), 1, b->n, io->out);
    fflush(io->out);
}

void cli_put_json(const struct cli_io *io, const struct vnode *tree)
{
    struct buf b = {0};
    json_object(&b, tree);
    buf_puts(&b, "\n");
    cli_put(io, &b);
    buf_free(&b);
}

/* The conversation broke: by exit codes, that is as if there were no daemon. */
static enum cli_exit lost(struct cli *c, const char *cmd, err_t e)
{
    if (e == R_NOT_FOUND) {
        cli_complain(c->io, "the daemon at %s does not know `%s'", c->args->vici, cmd);
        return CLI_FAILED;
    }
    if (e == E_NOMEM || e == E_SPACE) {
        cli_complain(c->io, "%s", err_text(e));
        return CLI_FAILED;
    }
    cli_complain(c->io, "the daemon at %s %s", c->args->vici,
                 e == E_SYS ? "closed the connection" : "sent something that is not VICI");
    return CLI_UNREACHABLE;
}

enum cli_exit cli_ask(struct cli *c, const char *cmd, const struct vnode *msg, session_event *fn,
                      void *ctx, struct vnode **reply)
{
    err_t e = session_request(&c->session, cmd, msg, fn, ctx, reply);
    return e ? lost(c, cmd, e) : CLI_DONE;
}

static void move_members(struct vnode *from, struct vnode *to)
{
    for (struct vnode *n = from->child; n; n = n->next)
        n->parent = to;
    if (to->last)
        to->last->next = from->child;
    else
        to->child = from->child;
    to->last = from->last ? from->last : to->last;
    from->child = from->last = NULL;
}

/* Moves the sections of an event to the end of the root. What has no name (list-cert) gets a
 * section of its own, whose name is its number. */
static void gather(void *ctx, const char *event, const struct vnode *msg)
{
    (void)event;
    struct vnode *root = ctx, *from = (struct vnode *)(uintptr_t)msg;
    char number[24];
    size_t count = 1;
    if (from->child && from->child->kind != VN_SECTION) {
        for (const struct vnode *n = root->child; n; n = n->next)
            count++;
        snprintf(number, sizeof number, "%zu", count);
        struct vnode *named = vnode_section(root, number);
        if (named)
            move_members(from, named);
        return;
    }
    move_members(from, root);
}

bool cli_knows(struct cli *c, const char *event)
{
    return session_register(&c->session, event) == E_OK;
}

enum cli_exit cli_gather_more(struct cli *c, const char *cmd, struct vnode *root)
{
    struct vnode *reply;
    enum cli_exit r = cli_ask(c, cmd, NULL, gather, root, &reply);
    if (!r)
        vnode_free(reply);
    return r;
}

enum cli_exit cli_gather(struct cli *c, const char *event, const char *cmd, const struct vnode *msg,
                         struct vnode **root)
{
    struct vnode *reply;
    *root = vnode_new();
    if (!*root)
        return lost(c, cmd, E_NOMEM);
    err_t e = session_register(&c->session, event);
    enum cli_exit r = e ? lost(c, event, e) : cli_ask(c, cmd, msg, gather, *root, &reply);
    if (r) {
        vnode_free(*root);
        *root = NULL;
        return r;
    }
    vnode_free(reply);
    return CLI_DONE;
}

enum cli_exit cli_failed(struct cli *c, const char *what, const struct vnode *reply)
{
    struct buf b = {0};
    struct screen s = {&b, c->io->colour};
    show_failure(&s, what, reply);
    fputs(buf_str(&b), c->io->err);
    buf_free(&b);
    return CLI_FAILED;
}

static enum cli_exit run_help(const struct cli_args *a, const struct cli_io *io)
{
    struct buf b = {0};
    cli_help(a->topic, &b);
    cli_put(io, &b);
    buf_free(&b);
    return CLI_DONE;
}

static enum cli_exit run_with_daemon(struct cli *c)
{
    static enum cli_exit (*const run[CLI_COMMANDS])(struct cli *) = {
        [CLI_UP] = run_up,     [CLI_DOWN] = run_down,     [CLI_REKEY] = run_rekey,
        [CLI_SHOW] = run_show, [CLI_RELOAD] = run_reload, [CLI_LOG] = run_log,
        [CLI_SA] = run_manual,
    };
    struct buf why = {0};
    err_t e = session_open(&c->session, c->args->vici, &why);
    enum cli_exit r = CLI_UNREACHABLE;
    if (e) {
        cli_complain(c->io, "%s", buf_str(&why));
        r = e == E_USAGE ? CLI_USAGE : CLI_UNREACHABLE;
    } else {
        c->session.scrub = !c->args->json;
        r = run[c->args->cmd](c);
        session_close(&c->session);
    }
    buf_free(&why);
    return r;
}

enum cli_exit cli_run(int argc, char *const argv[], const struct cli_io *io)
{
    struct cli_args a;
    struct buf why = {0};
    enum cli_exit r = cli_parse(argc, argv, &a, &why);
    if (r) {
        fprintf(io->err, "%s", buf_str(&why));
        fputs("`culvert help' says how it is used\n", io->err);
    }
    buf_free(&why);
    if (r)
        return r;
    struct cli c = {.args = &a, .io = io, .session = {.fd = -1}};
    switch (a.cmd) {
    case CLI_HELP:
        return run_help(&a, io);
    case CLI_VERSION:
        fprintf(io->out, "culvert %s\n", CULVERT_VERSION);
        return CLI_DONE;
    case CLI_CHECK:
        return run_check(&a, io);
    default:
        return run_with_daemon(&c);
    }
}
