/* What culvert says about itself: one row per command. Called by args.c and run.c. */
#include "cli/cli.h"

static const struct row {
    const char *name, *usage, *brief, *more;
} rows[CLI_COMMANDS] = {
    [CLI_UP] = {"up", "up CHILD [--ike CONN] [--timeout SECONDS]", "bring a tunnel up and wait",
                "Negotiates the child configuration CHILD and prints what happens on the way.\n"
                "Ends with 0 only when the tunnel is up; otherwise says why not and what to\n"
                "change. --ike names the connection when several have such a child.\n"},
    [CLI_DOWN] = {"down", "down CHILD|CONN [--ike] [--force] [--timeout SECONDS]",
                  "take a tunnel or a connection down",
                  "Closes all SAs of the child CHILD; when there is none, all of the connection\n"
                  "of that name. --ike: the name is that of a connection. --force: does not wait\n"
                  "for the peer. Ends with 0 only when something was taken down.\n"},
    [CLI_REKEY] = {"rekey", "rekey CHILD | rekey --ike CONN", "replace keys now",
                   "Starts the rekeying of the SAs of CHILD, or of the IKE SA of CONN.\n"},
    [CLI_SHOW] =
        {"show", "show sas|conns|policies|pools|certs|stats|version|crypto",
         "show what the daemon has",
         "sas: security associations with ages, counters and algorithms, of IKE and by hand\n"
         "conns: loaded connections    policies: installed policies\n"
         "pools: virtual addresses and who has them\n"
         "certs: certificates and revocation lists, and how long they last\n"
         "stats: the daemon's figures  version: the daemon's version\n"
         "crypto isakmp|ikev2|ipsec sa [detail]: SAs as on Cisco's screens\n"},
    [CLI_SA] =
        {"sa", "sa add NAME KEY=VALUE... | sa del NAME | sa list",
         "SAs and a policy by hand, without IKE",
         "The keys are those of culvert.conf's section sas { NAME { } }, for example\n"
         "  culvert sa add net local=192.0.2.1 remote=192.0.2.2 spi_in=0x1000\n"
         "      spi_out=0x1001 esp_proposals=aes128-sha256 key_in=@in.key key_out=@out.key\n"
         "      auth_in=@in.auth auth_out=@out.auth local_ts=10.1.0.0/16 remote_ts=10.2.0.0/16\n"
         "KEY=@FILE takes the first line of FILE, so that keys are in no list of processes.\n"
         "They last until they are taken back or the daemon ends.\n"},
    [CLI_RELOAD] = {"reload", "reload", "have the daemon read its configuration again",
                    "All of it is taken or nothing: errors are listed and what runs keeps\n"
                    "running.\n"},
    [CLI_CHECK] = {"check", "check FILE", "check a configuration file, without a daemon",
                   "Names file, line, word and what was expected. Ends with 0 when it is fine.\n"},
    [CLI_LOG] = {"log", "log [--level N]", "follow the daemon's log",
                 "Until interrupted. N: 0 audit, 1 control flow (default), -1 errors only.\n"},
    [CLI_HELP] = {"help", "help [COMMAND]", "this, or more on a command", NULL},
    [CLI_VERSION] = {"--version", "--version", "the version of this command", NULL},
};

const char *cli_command_name(enum cli_command c)
{
    return rows[c].name;
}

static void all(struct buf *out)
{
    buf_puts(out, "usage: culvert [--vici URI] [--json] COMMAND ...\n\n");
    for (enum cli_command c = CLI_UP; c < CLI_COMMANDS; c++)
        buf_printf(out, "  %-10s %s\n", rows[c].name, rows[c].brief);
    buf_puts(out, "\n"
                  "  --vici URI  unix:///PATH or tcp://HOST:PORT of the daemon's VICI socket,\n"
                  "              " CLI_VICI_DEFAULT " by default\n"
                  "  --json      answers as JSON, with VICI's names and values\n"
                  "\n"
                  "Words may be abbreviated: culvert sh sa. `culvert help COMMAND' says more.\n"
                  "Exit codes: 0 done, 1 not done, 2 usage, 3 the daemon cannot be reached.\n");
}

void cli_help(enum cli_command topic, struct buf *out)
{
    if (topic >= CLI_COMMANDS) {
        all(out);
        return;
    }
    buf_printf(out, "usage: culvert %s\n", rows[topic].usage);
    if (rows[topic].more)
        buf_printf(out, "\n%s", rows[topic].more);
}
