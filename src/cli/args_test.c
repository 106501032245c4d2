/* Command lines: abbreviations, options in every place, and what is refused with which words. */
#include "cli/cli_test.h"

#define ARGV_MAX 16

static int split(char *text, char *argv[ARGV_MAX])
{
    int n = 0;
    for (char *w = strtok(text, " "); w && n < ARGV_MAX; w = strtok(NULL, " "))
        argv[n++] = w;
    return n;
}

/* only what differs from the defaults */
static void describe(const struct cli_args *a, struct buf *out)
{
    buf_puts(out, cli_command_name(a->cmd));
    if (a->cmd == CLI_SHOW)
        buf_printf(out, " show=%d", (int)a->show);
    if (a->cmd == CLI_SHOW && a->show == CLI_SHOW_CRYPTO)
        buf_printf(out, " crypto=%d%s", (int)a->crypto, a->detail ? " detail" : "");
    if (a->cmd == CLI_SA)
        buf_printf(out, " sa=%d", (int)a->sa);
    if (a->word)
        buf_printf(out, " word=%s", a->word);
    for (size_t i = 0; i < a->settings; i++)
        buf_printf(out, " %s", a->setting[i]);
    if (a->conn)
        buf_printf(out, " conn=%s", a->conn);
    if (a->is_conn)
        buf_puts(out, " is_conn");
    if (a->force)
        buf_puts(out, " force");
    if (a->json)
        buf_puts(out, " json");
    if (a->timeout_s)
        buf_printf(out, " timeout=%ld", a->timeout_s);
    if (a->level != 1)
        buf_printf(out, " level=%d", a->level);
    if (strcmp(a->vici, CLI_VICI_DEFAULT))
        buf_printf(out, " vici=%s", a->vici);
    if (a->topic != CLI_COMMANDS)
        buf_printf(out, " topic=%s", cli_command_name(a->topic));
}

static void run_parse(const char *line, enum cli_exit want, const char *text)
{
    char copy[256], *argv[ARGV_MAX];
    snprintf(copy, sizeof copy, "%s", line);
    struct cli_args a;
    struct buf out = {0};
    enum cli_exit got = cli_parse(split(copy, argv), argv, &a, &out);
    if (got == CLI_DONE)
        describe(&a, &out);
    if (got != want || strcmp(buf_str(&out), text))
        fail_msg("%s: %d, %s", line, (int)got, buf_str(&out));
    buf_free(&out);
}

static void understands(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"culvert up net", "up word=net"},
        {"culvert sa add n local=192.0.2.1 key_in=@f", "sa sa=0 word=n local=192.0.2.1 key_in=@f"},
        {"culvert sa d n", "sa sa=1 word=n"},
        {"culvert sa l --json", "sa sa=2 json"},
        {"culvert u net --ike gw --timeout 5", "up word=net conn=gw timeout=5"},
        {"culvert up --ike=gw --timeout=86400 net", "up word=net conn=gw timeout=86400"},
        {"culvert --vici tcp://h:1 --json up net", "up word=net json vici=tcp://h:1"},
        {"culvert up net --js --vic unix:///x", "up word=net json vici=unix:///x"},
        {"culvert down net", "down word=net"},
        {"culvert d gw --ike --force --timeout 3", "down word=gw is_conn force timeout=3"},
        {"culvert rek net", "rekey word=net"},
        {"culvert rekey --ike gw", "rekey conn=gw"},
        {"culvert show sas", "show show=0"},
        {"culvert sh sa", "show show=0"},
        {"culvert sh co", "show show=1"},
        {"culvert show crypto isakmp sa", "show show=7 crypto=0"},
        {"culvert show crypto ips sa detail", "show show=7 crypto=2 detail"},
        {"culvert sh cr ik sa det", "show show=7 crypto=1 detail"},
        {"culvert show pol", "show show=2"},
        {"culvert show st", "show show=3"},
        {"culvert show v", "show show=4"},
        {"culvert rel", "reload"},
        {"culvert check f.conf", "check word=f.conf"},
        {"culvert c -", "check word=-"},
        {"culvert log --level -1", "log level=-1"},
        {"culvert log --level=0 --json", "log json level=0"},
        {"culvert log --level 3", "log level=3"},
        {"culvert up -- --odd", "up word=--odd"},
        {"culvert help", "help"},
        {"culvert help up", "help topic=up"},
        {"culvert up --help", "help topic=up"},
        {"culvert --help", "help"},
        {"culvert -h", "help"},
        {"culvert help --help", "help"},
        {"culvert --version", "--version"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_parse(cases[i].line, CLI_DONE, cases[i].text);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"culvert", "culvert: no command\n"},
        {"culvert dig", "culvert: unknown command `dig'\n"},
        {"culvert re x", "culvert: ambiguous command `re'\n"},
        {"culvert upp x", "culvert: unknown command `upp'\n"},
        {"culvert show",
         "culvert: show needs one of: sas conns policies pools certs stats version crypto\n"},
        {"culvert show s", "culvert: ambiguous thing to show `s'\n"
                           "    can be: sas conns policies pools certs stats version crypto\n"},
        {"culvert show sas now", "culvert: one word too many: `now'\n"},
        {"culvert up", "culvert: up needs a CHILD\n"},
        {"culvert down", "culvert: down needs a CHILD or CONN\n"},
        {"culvert rekey", "culvert: rekey needs a CHILD or --ike CONN\n"},
        {"culvert check", "culvert: check needs a FILE\n"},
        {"culvert up a b", "culvert: one word too many: `b'\n"},
        {"culvert show crypto", "culvert: show crypto needs one of: isakmp ikev2 ipsec\n"},
        {"culvert show crypto i sa",
         "culvert: ambiguous thing to show `i'\n    can be: isakmp ikev2 ipsec\n"},
        {"culvert show crypto ipsec policy", "culvert: one word too many: `policy'\n"},
        {"culvert sa", "culvert: sa needs one of: add del list\n"},
        {"culvert sa dig", "culvert: unknown thing to do with an SA `dig'\n"
                           "    can be: add del list\n"},
        {"culvert sa add", "culvert: sa add needs a NAME\n"},
        {"culvert sa add n local", "culvert: expected KEY=VALUE, not `local'\n"},
        {"culvert sa del n x=y", "culvert: one word too many: `x=y'\n"},
        {"culvert sa list n", "culvert: one word too many: `n'\n"},
        {"culvert reload now", "culvert: one word too many: `now'\n"},
        {"culvert up a --force", "culvert: unknown option `force'\n"},
        {"culvert up a -x", "culvert: unknown option `-x'\n"},
        {"culvert --force down a", "culvert: unknown option `force'\n"},
        {"culvert up a --timeout", "culvert: --timeout needs a value\n"},
        {"culvert up a --timeout 5s",
         "culvert: --timeout takes a number from 1 to 86400, not `5s'\n"},
        {"culvert up a --timeout 0",
         "culvert: --timeout takes a number from 1 to 86400, not `0'\n"},
        {"culvert up a --json=yes", "culvert: --json takes no value\n"},
        {"culvert log --level 9", "culvert: --level takes a number from -1 to 3, not `9'\n"},
        {"culvert log --level 4", "culvert: --level takes a number from -1 to 3, not `4'\n"},
        {"culvert up a --=x", "culvert: ambiguous option `'\n"},
        {"culvert help dig", "culvert: unknown command `dig'\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_parse(cases[i].line, CLI_USAGE, cases[i].text);
}

static void helps_with_every_command(void **state)
{
    (void)state;
    for (enum cli_command c = CLI_UP; c <= CLI_COMMANDS; c++) {
        struct buf b = {0};
        cli_help(c, &b);
        assert_int_equal(strncmp(buf_str(&b), "usage: culvert ", 15), 0);
        if (c < CLI_COMMANDS)
            assert_non_null(strstr(buf_str(&b), cli_command_name(c)));
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands),
        cmocka_unit_test(refuses),
        cmocka_unit_test(helps_with_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
