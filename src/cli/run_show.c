/* show, reload and log: what the daemon has and says. Called by run.c. */
#include "cli/cli.h"
#include <time.h>

static void put_list(const struct cli *c, const struct vnode *root,
                     void (*show)(const struct screen *, const struct vnode *))
{
    struct buf b = {0};
    struct screen s = {&b, c->io->colour};
    if (c->args->json) {
        json_sections(&b, root);
        buf_puts(&b, "\n");
    } else {
        show(&s, root);
    }
    cli_put(c->io, &b);
    buf_free(&b);
}

enum cli_exit run_list(struct cli *c, const char *event, const char *cmd, const struct vnode *msg,
                       void (*show)(const struct screen *, const struct vnode *))
{
    struct vnode *root;
    enum cli_exit r = cli_gather(c, event, cmd, msg, &root);
    if (r)
        return r;
    put_list(c, root, show);
    vnode_free(root);
    return CLI_DONE;
}

/* Those of IKE, and from culvertd those by hand. */
static enum cli_exit list_sas(struct cli *c,
                              void (*show)(const struct screen *, const struct vnode *))
{
    struct vnode *root;
    enum cli_exit r = cli_gather(c, "list-sa", "list-sas", NULL, &root);
    if (!r && cli_knows(c, "list-manual-sa"))
        r = cli_gather_more(c, "list-manual-sas", root);
    if (!r)
        put_list(c, root, show);
    vnode_free(root);
    return r;
}

static enum cli_exit list_policies(struct cli *c)
{
    struct vnode *msg = vnode_new();
    vnode_value(msg, "trap", "yes");
    vnode_value(msg, "drop", "yes");
    vnode_value(msg, "pass", "yes");
    enum cli_exit r = run_list(c, "list-policy", "list-policies", msg, show_policies);
    vnode_free(msg);
    return r;
}

static enum cli_exit answer(struct cli *c, const char *cmd, const struct vnode *msg,
                            void (*show)(const struct screen *, const struct vnode *))
{
    struct vnode *reply;
    enum cli_exit r = cli_ask(c, cmd, msg, NULL, NULL, &reply);
    if (r)
        return r;
    struct buf b = {0};
    struct screen s = {&b, c->io->colour};
    if (c->args->json)
        cli_put_json(c->io, reply);
    else
        show(&s, reply);
    cli_put(c->io, &b);
    buf_free(&b);
    vnode_free(reply);
    return CLI_DONE;
}

static enum cli_exit list_pools(struct cli *c)
{
    struct vnode *msg = vnode_new();
    vnode_value(msg, "leases", "yes");
    enum cli_exit r = answer(c, "get-pools", msg, show_pools);
    vnode_free(msg);
    return r;
}

static enum cli_exit crypto(struct cli *c)
{
    static void (*const screens[3][2])(const struct screen *, const struct vnode *) = {
        [CLI_CRYPTO_ISAKMP] = {show_crypto_isakmp, show_crypto_isakmp_detail},
        [CLI_CRYPTO_IKEV2] = {show_crypto_ikev2, show_crypto_ikev2_detail},
        [CLI_CRYPTO_IPSEC] = {show_crypto_ipsec, show_crypto_ipsec_detail}};
    void (*show)(const struct screen *, const struct vnode *) =
        screens[c->args->crypto][c->args->detail];
    return c->args->crypto == CLI_CRYPTO_IPSEC ? list_sas(c, show)
                                               : run_list(c, "list-sa", "list-sas", NULL, show);
}

enum cli_exit run_show(struct cli *c)
{
    switch (c->args->show) {
    case CLI_SHOW_SAS:
        return list_sas(c, show_sas);
    case CLI_SHOW_CONNS:
        return run_list(c, "list-conn", "list-conns", NULL, show_conns);
    case CLI_SHOW_POLICIES:
        return list_policies(c);
    case CLI_SHOW_STATS:
        return answer(c, "stats", NULL, show_tree);
    case CLI_SHOW_VERSION:
        return answer(c, "version", NULL, show_tree);
    case CLI_SHOW_CRYPTO:
        return crypto(c);
    case CLI_SHOW_POOLS:
        return list_pools(c);
    case CLI_SHOW_CERTS:
        return run_list(c, "list-cert", "list-certs", NULL, show_certs);
    }
    return CLI_USAGE;
}

/* --- reload --- */

/* Errors and warnings, one per line as `culvert check' prints them: editors can jump there. */
static bool put_lines(struct cli *c, const struct vnode *list)
{
    for (const struct vnode *e = list ? list->child : NULL; e; e = e->next)
        if (e->value)
            fprintf(c->io->err, "%s\n", e->value);
    return list && list->child;
}

enum cli_exit run_reload(struct cli *c)
{
    struct vnode *reply;
    enum cli_exit r = cli_ask(c, "reload", NULL, NULL, NULL, &reply);
    if (r)
        return r;
    bool ok = vnode_get_bool(reply, "success");
    if (c->args->json) {
        cli_put_json(c->io, reply);
    } else {
        bool told = put_lines(c, vnode_find(reply, "errors"));
        (void)put_lines(c, vnode_find(reply, "warnings"));
        if (ok)
            fputs("reloaded\n", c->io->out);
        else if (told)
            cli_complain(c->io, "nothing of it is taken, what ran runs on");
        else
            cli_failed(c, "not reloaded, what ran runs on", reply);
    }
    vnode_free(reply);
    return ok ? CLI_DONE : CLI_FAILED;
}

/* --- log --- */

static int level_of(const struct vnode *msg)
{
    const char *v = vnode_get(msg, "level");
    return !v ? 0 : v[0] == '-' ? -1 : v[0] - '0';
}

static void log_text(const struct screen *s, const struct vnode *msg)
{
    char when[16];
    time_t now = time(NULL);
    struct tm tm;
    strftime(when, sizeof when, "%H:%M:%S", localtime_r(&now, &tm));
    const char *name = vnode_get(msg, "ikesa-name");
    buf_printf(s->out, "%s [%s] ", when, screen_get(msg, "group"));
    if (name) {
        screen_tint(s, TINT_BOLD, name);
        buf_printf(s->out, "[%s] ", screen_get(msg, "ikesa-uniqueid"));
    }
    screen_tint(s, level_of(msg) < 0 ? TINT_BAD : TINT_NONE, screen_get(msg, "msg"));
    buf_puts(s->out, "\n");
}

static void log_event(void *ctx, const char *event, const struct vnode *msg)
{
    struct cli *c = ctx;
    if (strcmp(event, "log") || level_of(msg) > c->args->level)
        return;
    struct buf b = {0};
    struct screen s = {&b, c->io->colour};
    if (c->args->json) {
        json_object(&b, msg);
        buf_puts(&b, "\n");
    } else {
        log_text(&s, msg);
    }
    cli_put(c->io, &b);
    buf_free(&b);
}

enum cli_exit run_log(struct cli *c)
{
    err_t e = session_register(&c->session, "log");
    if (e == R_NOT_FOUND) {
        cli_complain(c->io, "the daemon at %s has no log to follow", c->args->vici);
        return CLI_FAILED;
    }
    if (!e)
        e = session_follow(&c->session, log_event, c);
    cli_complain(c->io, "the daemon at %s %s", c->args->vici,
                 e == E_SYS ? "closed the connection" : "sent something that is not VICI");
    return CLI_UNREACHABLE;
}
