/* up, down and rekey: requests that change SAs and wait for the outcome. Called by run.c. */
#include "cli/cli.h"

struct progress {
    struct cli *c;
    struct vnode *json; /* where the lines are kept for --json: a root of sections */
};

/* control-log: a line of progress, while it happens */
static void progress(void *ctx, const char *event, const struct vnode *msg)
{
    struct progress *p = ctx;
    const char *text = vnode_get(msg, "msg");
    if (strcmp(event, "control-log") || !text)
        return;
    if (p->json) {
        vnode_item(p->json, text);
        return;
    }
    struct buf b = {0};
    struct screen s = {&b, p->c->io->colour};
    screen_tint(&s, TINT_DIM, "[");
    screen_tint(&s, TINT_DIM, screen_get(msg, "group"));
    screen_tint(&s, TINT_DIM, "]");
    buf_printf(&b, " %s\n", text);
    cli_put(p->c->io, &b);
    buf_free(&b);
}

/* The answer with the lines of progress added to it, when they are wanted as JSON. */
static enum cli_exit ask_with_progress(struct cli *c, const char *cmd, struct vnode *msg,
                                       struct vnode **reply)
{
    struct vnode *kept = c->args->json ? vnode_new() : NULL;
    struct progress p = {c, vnode_list(kept, "log")};
    vnode_value(msg, "loglevel", "1");
    enum cli_exit r = cli_ask(c, cmd, msg, progress, &p, reply);
    struct vnode *list = r || !kept ? NULL : vnode_list(*reply, "log");
    for (const struct vnode *i = p.json ? p.json->child : NULL; i && list; i = i->next)
        vnode_item(list, i->value);
    vnode_free(kept);
    return r;
}

/* Once per connection: charon sends an event as often as it was registered for. */
static void want_progress(struct cli *c)
{
    /* a daemon without this event does what is asked all the same, silently */
    err_t e = session_register(&c->session, "control-log");
    (void)e;
}

static void put_timeout(struct vnode *msg, const struct cli_args *a)
{
    if (a->timeout_s)
        vnode_valuef(msg, "timeout", "%ld", a->timeout_s * 1000);
}

/* --- up --- */

static enum cli_exit show_up(struct cli *c)
{
    struct vnode *msg = vnode_new(), *root;
    vnode_value(msg, "child", c->args->word);
    if (c->args->conn)
        vnode_value(msg, "ike", c->args->conn);
    enum cli_exit r = cli_gather(c, "list-sa", "list-sas", msg, &root);
    vnode_free(msg);
    if (r)
        return r;
    struct buf b = {0};
    struct screen s = {&b, c->io->colour};
    screen_tint(&s, TINT_GOOD, "up");
    buf_printf(&b, ": %s\n", c->args->word);
    if (root->child)
        show_sas(&s, root);
    cli_put(c->io, &b);
    buf_free(&b);
    vnode_free(root);
    return CLI_DONE;
}

enum cli_exit run_up(struct cli *c)
{
    const struct cli_args *a = c->args;
    struct vnode *msg = vnode_new(), *reply = NULL;
    vnode_value(msg, "child", a->word);
    if (a->conn)
        vnode_value(msg, "ike", a->conn);
    put_timeout(msg, a);
    want_progress(c);
    enum cli_exit r = ask_with_progress(c, "initiate", msg, &reply);
    vnode_free(msg);
    if (r)
        return r;
    bool ok = vnode_get_bool(reply, "success");
    if (a->json)
        cli_put_json(c->io, reply);
    if (!ok && !a->json) {
        struct buf what = {0};
        buf_printf(&what, "%s is not up", a->word);
        cli_failed(c, buf_str(&what), reply);
        buf_free(&what);
    }
    vnode_free(reply);
    if (ok && !a->json)
        return show_up(c);
    return ok ? CLI_DONE : CLI_FAILED;
}

/* --- down --- */

static enum cli_exit terminate(struct cli *c, const char *key, struct vnode **reply)
{
    struct vnode *msg = vnode_new();
    vnode_value(msg, key, c->args->word);
    if (c->args->force)
        vnode_value(msg, "force", "yes");
    put_timeout(msg, c->args);
    enum cli_exit r = ask_with_progress(c, "terminate", msg, reply);
    vnode_free(msg);
    return r;
}

static bool is_zero(const struct vnode *reply, const char *key)
{
    const char *v = vnode_get(reply, key);
    return !v || !strcmp(v, "0");
}

enum cli_exit run_down(struct cli *c)
{
    struct vnode *reply = NULL;
    const char *what = c->args->is_conn ? "ike" : "child";
    want_progress(c);
    enum cli_exit r = terminate(c, what, &reply);
    /* no child is called so: a connection may be */
    if (!r && !c->args->is_conn && !vnode_get_bool(reply, "success") && is_zero(reply, "matches")) {
        vnode_free(reply);
        what = "ike";
        r = terminate(c, what, &reply);
    }
    if (r)
        return r;
    bool ok = vnode_get_bool(reply, "success") && !is_zero(reply, "terminated");
    if (c->args->json)
        cli_put_json(c->io, reply);
    else if (ok)
        fprintf(c->io->out, "down: %s, %s %s SA%s\n", c->args->word,
                screen_get(reply, "terminated"), strcmp(what, "ike") ? "CHILD" : "IKE",
                strcmp(screen_get(reply, "terminated"), "1") ? "s" : "");
    else
        cli_failed(c, c->args->word, reply);
    vnode_free(reply);
    return ok ? CLI_DONE : CLI_FAILED;
}

/* --- rekey --- */

enum cli_exit run_rekey(struct cli *c)
{
    const struct cli_args *a = c->args;
    struct vnode *msg = vnode_new(), *reply = NULL;
    if (a->word)
        vnode_value(msg, "child", a->word);
    if (a->conn)
        vnode_value(msg, "ike", a->conn);
    enum cli_exit r = cli_ask(c, "rekey", msg, NULL, NULL, &reply);
    vnode_free(msg);
    if (r)
        return r;
    bool ok = vnode_get_bool(reply, "success");
    const char *name = a->word ? a->word : a->conn;
    if (a->json)
        cli_put_json(c->io, reply);
    else if (ok)
        fprintf(c->io->out, "rekeying: %s, %s SA%s\n", name, screen_get(reply, "matches"),
                strcmp(screen_get(reply, "matches"), "1") ? "s" : "");
    else
        cli_failed(c, name, reply);
    vnode_free(reply);
    return ok ? CLI_DONE : CLI_FAILED;
}
