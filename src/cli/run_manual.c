/* sa: SAs by hand, over load-sa, unload-sa and list-manual-sas. Called by run.c. */
#include "cli/cli.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 4096

/* The first line of a file, into `line`. */
static bool read_line(struct cli *c, const char *path, char line[LINE_MAX_BYTES])
{
    FILE *f = fopen(path, "re");
    if (!f) {
        cli_complain(c->io, "%s: %s", path, strerror(errno));
        return false;
    }
    setvbuf(f, NULL, _IONBF, 0); /* no copy of a key is left in a buffer */
    bool ok = fgets(line, LINE_MAX_BYTES, f) != NULL;
    fclose(f);
    if (!ok || !strcspn(line, "\r\n"))
        cli_complain(c->io, "%s: its first line is empty", path);
    line[ok ? strcspn(line, "\r\n") : 0] = 0;
    return line[0] != 0;
}

static bool put_setting(struct cli *c, struct vnode *in, const char *text)
{
    char key[64], line[LINE_MAX_BYTES];
    size_t n = strcspn(text, "=");
    if (n >= sizeof key) {
        cli_complain(c->io, "`%s' is no KEY=VALUE", text);
        return false;
    }
    memcpy(key, text, n);
    key[n] = 0;
    const char *value = text + n + 1;
    if (*value != '@') {
        vnode_value(in, key, value);
        return true;
    }
    bool ok = read_line(c, value + 1, line);
    if (ok)
        vnode_value(in, key, line);
    secret_wipe(line, sizeof line);
    return ok;
}

static void say_done(struct cli *c, const struct vnode *reply, const char *done)
{
    const char *warning = vnode_get(reply, "warning");
    fprintf(c->io->out, "%s: %s\n", done, c->args->word);
    if (warning)
        cli_complain(c->io, "%s", warning);
}

static enum cli_exit ask(struct cli *c, const char *cmd, const struct vnode *msg, const char *done)
{
    struct vnode *reply = NULL;
    enum cli_exit r = cli_ask(c, cmd, msg, NULL, NULL, &reply);
    if (r)
        return r;
    bool ok = vnode_get_bool(reply, "success");
    if (c->args->json)
        cli_put_json(c->io, reply);
    else if (ok)
        say_done(c, reply, done);
    else
        cli_failed(c, c->args->word, reply);
    vnode_free(reply);
    return ok ? CLI_DONE : CLI_FAILED;
}

static enum cli_exit add(struct cli *c)
{
    struct vnode *msg = vnode_new();
    struct vnode *sec = vnode_section(msg, c->args->word);
    bool ok = true;
    for (size_t i = 0; i < c->args->settings && ok; i++)
        ok = put_setting(c, sec, c->args->setting[i]);
    enum cli_exit r = ok ? ask(c, "load-sa", msg, "added") : CLI_FAILED;
    vnode_free(msg);
    return r;
}

static enum cli_exit del(struct cli *c)
{
    struct vnode *msg = vnode_new();
    vnode_value(msg, "name", c->args->word);
    enum cli_exit r = ask(c, "unload-sa", msg, "taken back");
    vnode_free(msg);
    return r;
}

enum cli_exit run_manual(struct cli *c)
{
    switch (c->args->sa) {
    case CLI_SA_ADD:
        return add(c);
    case CLI_SA_DEL:
        return del(c);
    case CLI_SA_LIST:
        return run_list(c, "list-manual-sa", "list-manual-sas", NULL, show_manual_sas);
    }
    return CLI_USAGE;
}
