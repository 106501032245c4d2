/* culvert(8), the operator's command. */
#include "cli/cli.h"
#include <stdlib.h>
#include <unistd.h>

/* https://no-color.org: any value but the empty one means no */
static bool colours(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) && !(no && *no) && term &&
           strcmp(term, "dumb") != 0;
}

int main(int argc, char *argv[])
{
    const struct cli_io io = {stdout, stderr, colours()};
    enum cli_exit r = cli_run(argc, argv, &io);
    if (r == CLI_DONE && (fflush(stdout) || ferror(stdout))) {
        cli_complain(&io, "cannot write the output");
        return CLI_FAILED;
    }
    return (int)r;
}
