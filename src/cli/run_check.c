/* check: a configuration file without a daemon. Called by run.c. */
#include "cli/cli.h"
#include "config/config.h"

enum cli_exit run_check(const struct cli_args *a, const struct cli_io *io)
{
    struct buf text = {0};
    struct vnode *tree = a->json ? vnode_new() : NULL;
    err_t e = config_check_file(a->word, &text, tree);
    if (tree)
        cli_put_json(io, tree);
    else
        cli_put(io, &text);
    if (e < 0)
        cli_complain(io, "%s: %s", a->word, err_text(e));
    vnode_free(tree);
    buf_free(&text);
    return e ? CLI_FAILED : CLI_DONE;
}
