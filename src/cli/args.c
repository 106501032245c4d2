/* The command line of culvert: words and options to arguments. Called by run.c. */
#include "base/event.h"
#include "cli/cli.h"
#include <stdlib.h>

#define BIT(c)  (1u << (c))
#define ANY     (~0u)
#define NOT_YET CLI_COMMANDS /* options before the command */

enum option_id {
    OPT_VICI,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION,
    OPT_CONN,
    OPT_IS_CONN,
    OPT_FORCE,
    OPT_TIMEOUT,
    OPT_LEVEL,
};

/* An option, whether a value follows it, and the commands that know it. */
static const struct option {
    const char *name;
    enum option_id id;
    bool value;
    unsigned commands;
} options[] = {
    {"vici", OPT_VICI, true, ANY},
    {"json", OPT_JSON, false, ANY},
    {"help", OPT_HELP, false, ANY},
    {"version", OPT_VERSION, false, BIT(NOT_YET)},
    {"ike", OPT_CONN, true, BIT(CLI_UP) | BIT(CLI_REKEY)},
    {"ike", OPT_IS_CONN, false, BIT(CLI_DOWN)},
    {"force", OPT_FORCE, false, BIT(CLI_DOWN)},
    {"timeout", OPT_TIMEOUT, true, BIT(CLI_UP) | BIT(CLI_DOWN)},
    {"level", OPT_LEVEL, true, BIT(CLI_LOG)},
};

#define N_OPTIONS (sizeof options / sizeof *options)

static const char *const shows[] = {"sas",     "conns", "policies", "stats",
                                    "version", "pools", "certs",    "crypto"};

static const char *const cryptos[] = {
    [CLI_CRYPTO_ISAKMP] = "isakmp", [CLI_CRYPTO_IKEV2] = "ikev2", [CLI_CRYPTO_IPSEC] = "ipsec"};

#define N_CRYPTOS (sizeof cryptos / sizeof *cryptos)

#define N_SHOWS (sizeof shows / sizeof *shows)

static const char *const sa_words[] = {
    [CLI_SA_ADD] = "add", [CLI_SA_DEL] = "del", [CLI_SA_LIST] = "list"};

#define N_SA_WORDS (sizeof sa_words / sizeof *sa_words)

struct parser {
    int argc, at;
    char *const *argv;
    bool words_only; /* after "--" */
    bool help;
    size_t words;
    struct cli_args *out;
    struct buf *why;
};

/* Candidates for an abbreviated word: the exact one, or the only one that begins so. */
struct match {
    const char *word;
    size_t len;
    int found; /* index of the match, -1 none */
    bool exact, ambiguous;
};

static struct match match_of(const char *word, size_t len)
{
    return (struct match){word, len, -1, false, false};
}

static void match_try(struct match *m, const char *name, size_t index)
{
    if (m->exact || strncmp(name, m->word, m->len))
        return;
    m->exact = !name[m->len];
    m->ambiguous = !m->exact && m->found >= 0;
    m->found = (int)index;
}

static bool match_ok(const struct match *m, const char *kind, struct buf *why)
{
    if (m->found >= 0 && !m->ambiguous && m->len)
        return true;
    buf_printf(why, "culvert: %s %s `%.*s'\n", m->ambiguous ? "ambiguous" : "unknown", kind,
               (int)m->len, m->word);
    return false;
}

static bool find_command(struct parser *p, const char *word, enum cli_command *out)
{
    struct match m = match_of(word, strlen(word));
    for (enum cli_command c = CLI_UP; c < CLI_VERSION; c++)
        match_try(&m, cli_command_name(c), c);
    if (!match_ok(&m, "command", p->why))
        return false;
    *out = (enum cli_command)m.found;
    return true;
}

static bool find_show(struct parser *p, const char *word)
{
    struct match m = match_of(word, strlen(word));
    for (size_t i = 0; i < N_SHOWS; i++)
        match_try(&m, shows[i], i);
    if (!match_ok(&m, "thing to show", p->why)) {
        buf_puts(p->why, "    can be: sas conns policies pools certs stats version crypto\n");
        return false;
    }
    p->out->show = (enum cli_show)m.found;
    return true;
}

static const struct option *find_option(struct parser *p, const char *name, size_t len)
{
    struct match m = match_of(name, len);
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (options[i].commands & BIT(p->out->cmd))
            match_try(&m, options[i].name, i);
    return match_ok(&m, "option", p->why) ? &options[m.found] : NULL;
}

static bool number(struct parser *p, const char *what, const char *text, long min, long max,
                   long *out)
{
    char *end;
    long v = strtol(text, &end, 10);
    if (!*text || *end || v < min || v > max) {
        buf_printf(p->why, "culvert: --%s takes a number from %ld to %ld, not `%s'\n", what, min,
                   max, text);
        return false;
    }
    *out = v;
    return true;
}

static bool set_level(struct parser *p, const char *value)
{
    long v;
    if (!number(p, "level", value, LEVEL_ERROR, LEVEL_RAW, &v))
        return false;
    p->out->level = (int)v;
    return true;
}

static bool set_option(struct parser *p, const struct option *o, const char *value)
{
    struct cli_args *a = p->out;
    switch (o->id) {
    case OPT_VICI:
        a->vici = value;
        return true;
    case OPT_JSON:
        return a->json = true;
    case OPT_HELP:
        return p->help = true;
    case OPT_VERSION:
        a->cmd = CLI_VERSION;
        return true;
    case OPT_CONN:
        a->conn = value;
        return true;
    case OPT_IS_CONN:
        return a->is_conn = true;
    case OPT_FORCE:
        return a->force = true;
    case OPT_TIMEOUT:
        return number(p, "timeout", value, 1, 86400, &a->timeout_s);
    case OPT_LEVEL:
        return set_level(p, value);
    }
    return false;
}

/* --name value, --name=value, --name */
static bool take_option(struct parser *p, const char *arg)
{
    size_t len = strcspn(arg, "=");
    const char *value = arg[len] ? arg + len + 1 : NULL;
    const struct option *o = find_option(p, arg, len);
    if (!o)
        return false;
    if (!o->value && value) {
        buf_printf(p->why, "culvert: --%s takes no value\n", o->name);
        return false;
    }
    if (o->value && !value && p->at < p->argc)
        value = p->argv[p->at++];
    if (o->value && !value) {
        buf_printf(p->why, "culvert: --%s needs a value\n", o->name);
        return false;
    }
    return set_option(p, o, value);
}

static bool too_many(struct parser *p, const char *word)
{
    buf_printf(p->why, "culvert: one word too many: `%s'\n", word);
    return false;
}

/* sa add NAME KEY=VALUE... | sa del NAME | sa list */
static bool take_sa_word(struct parser *p, const char *word)
{
    struct cli_args *a = p->out;
    if (p->words++ == 0) {
        struct match m = match_of(word, strlen(word));
        for (size_t i = 0; i < N_SA_WORDS; i++)
            match_try(&m, sa_words[i], i);
        if (match_ok(&m, "thing to do with an SA", p->why)) {
            a->sa = (enum cli_sa)m.found;
            return true;
        }
        buf_puts(p->why, "    can be: add del list\n");
        return false;
    }
    if (!a->word && a->sa != CLI_SA_LIST) {
        a->word = word;
        return true;
    }
    if (a->sa != CLI_SA_ADD || a->settings == CLI_SETTINGS_MAX)
        return too_many(p, word);
    if (!strchr(word, '=') || *word == '=') {
        buf_printf(p->why, "culvert: expected KEY=VALUE, not `%s'\n", word);
        return false;
    }
    a->setting[a->settings++] = word;
    return true;
}

static bool begins(const char *word, const char *name)
{
    return *word && !strncmp(word, name, strlen(word));
}

/* crypto isakmp|ikev2|ipsec sa [detail], as Cisco's IOS has it */
static bool take_crypto_word(struct parser *p, const char *word)
{
    struct match m = match_of(word, strlen(word));
    switch (p->words++) {
    case 1:
        for (size_t i = 0; i < N_CRYPTOS; i++)
            match_try(&m, cryptos[i], i);
        p->out->crypto = (enum cli_crypto)m.found;
        if (match_ok(&m, "thing to show", p->why))
            return true;
        buf_puts(p->why, "    can be: isakmp ikev2 ipsec\n");
        return false;
    case 2:
        return begins(word, "sa") || too_many(p, word);
    case 3:
        p->out->detail = begins(word, "detail");
        return p->out->detail || too_many(p, word);
    default:
        return too_many(p, word);
    }
}

static bool take_word(struct parser *p, const char *word)
{
    struct cli_args *a = p->out;
    if (a->cmd == NOT_YET)
        return find_command(p, word, &a->cmd);
    if (a->cmd == CLI_SA)
        return take_sa_word(p, word);
    if (a->cmd == CLI_SHOW && a->show == CLI_SHOW_CRYPTO && p->words)
        return take_crypto_word(p, word);
    bool takes = a->cmd != CLI_RELOAD && a->cmd != CLI_LOG && a->cmd != CLI_VERSION;
    if (p->words++ || !takes)
        return too_many(p, word);
    if (a->cmd == CLI_SHOW)
        return find_show(p, word);
    if (a->cmd == CLI_HELP)
        return find_command(p, word, &a->topic);
    a->word = word;
    return true;
}

static bool take(struct parser *p, const char *arg)
{
    if (p->words_only || arg[0] != '-' || !arg[1])
        return take_word(p, arg);
    if (!strcmp(arg, "--"))
        return p->words_only = true;
    if (!strcmp(arg, "-h"))
        return p->help = true;
    if (arg[1] == '-')
        return take_option(p, arg + 2);
    buf_printf(p->why, "culvert: unknown option `%s'\n", arg);
    return false;
}

/* What each command cannot do without. */
static bool complete(struct parser *p)
{
    static const char *const needs[CLI_COMMANDS] = {
        [CLI_UP] = "a CHILD",
        [CLI_DOWN] = "a CHILD or CONN",
        [CLI_REKEY] = "a CHILD or --ike CONN",
        [CLI_SHOW] = "one of: sas conns policies pools certs stats version crypto",
        [CLI_CHECK] = "a FILE",
        [CLI_SA] = "one of: add del list",
    };
    const struct cli_args *a = p->out;
    if (a->cmd == NOT_YET) {
        buf_puts(p->why, "culvert: no command\n");
        return false;
    }
    if (a->cmd == CLI_SA && p->words && !a->word && a->sa != CLI_SA_LIST) {
        buf_printf(p->why, "culvert: sa %s needs a NAME\n", sa_words[a->sa]);
        return false;
    }
    if (a->cmd == CLI_SHOW && a->show == CLI_SHOW_CRYPTO && p->words == 1) {
        buf_puts(p->why, "culvert: show crypto needs one of: isakmp ikev2 ipsec\n");
        return false;
    }
    if (!needs[a->cmd] || p->words || (a->cmd == CLI_REKEY && a->conn))
        return true;
    buf_printf(p->why, "culvert: %s needs %s\n", cli_command_name(a->cmd), needs[a->cmd]);
    return false;
}

enum cli_exit cli_parse(int argc, char *const argv[], struct cli_args *out, struct buf *why)
{
    *out = (struct cli_args){
        .cmd = NOT_YET, .topic = CLI_COMMANDS, .vici = CLI_VICI_DEFAULT, .level = 1};
    struct parser p = {.argc = argc, .at = 1, .argv = argv, .out = out, .why = why};
    bool ok = true;
    while (ok && p.at < argc)
        ok = take(&p, argv[p.at++]);
    if (ok && p.help) {
        if (out->cmd != CLI_HELP)
            out->topic = out->cmd == CLI_VERSION ? CLI_COMMANDS : out->cmd;
        out->cmd = CLI_HELP;
        return CLI_DONE;
    }
    return ok && complete(&p) ? CLI_DONE : CLI_USAGE;
}
