/*
 * Writes culvert.conf(5) from the schema's rows to standard output. Run by the build; a test holds
 * the committed docs/culvert.conf.5 against it.
 */
#include "config/schema.h"
#include <stdio.h>

static const char head[] =
    ".TH CULVERT.CONF 5 \"\" \"culvert\" \"culvert\"\n"
    ".\\\" Written by config-manpage from src/config/schema.c: do not edit.\n"
    ".SH NAME\n"
    "culvert.conf \\- configuration of culvertd\n"
    ".SH DESCRIPTION\n"
    "culvertd reads /etc/culvert/culvert.conf at start and on reload. The file has the grammar and "
    "the\n"
    "keys of strongSwan's swanctl.conf. It is taken whole or not at all; \\fBculvert check\\fR\n"
    "\\fIFILE\\fR names the file, the line and the word of every mistake.\n"
    ".SH SYNTAX\n"
    ".nf\n"
    "statements := (section | setting | include)*\n"
    "section    := NAME [: REFERENCE, REFERENCE ...] { statements }\n"
    "setting    := NAME = VALUE          to the end of the line, # or }\n"
    "include    := include PATTERN\n"
    ".fi\n"
    ".PP\n"
    "Names hold any printable character but . , : { } = \" #. A comment starts with # and ends "
    "with its\n"
    "line. A value is made of words and of strings in double quotes, joined by one blank; within "
    "a\n"
    "string \\en, \\er, \\et, \\e\\e and \\e\" are known, and a backslash at the end of a line "
    "joins it with the\n"
    "next. Lists are separated by commas.\n"
    ".PP\n"
    "Sections of the same name are merged, a repeated key replaces the value, and a key without a "
    "value\n"
    "(\\fIkey\\fR =) goes back to its default. A section inherits all settings and sections of "
    "the\n"
    "sections that it refers to by their absolute name (connections.base), behind its own, from "
    "left to\n"
    "right. Unlike strongSwan, a reference to nowhere or to itself is an error.\n"
    ".PP\n"
    "\\fBinclude\\fR reads files into the section where it stands. The pattern may hold the "
    "shell's wildcards\n"
    "and is relative to the file it stands in. A pattern without files is fine; a plain name "
    "without a file\n"
    "is a warning.\n"
    ".PP\n"
    "Times are seconds, or numbers followed by s, m, h or d. Bytes may be followed by k, m or g "
    "(powers of\n"
    "1024). Algorithms that RFC 8221 or RFC 8247 advise against are never in a default; naming one "
    "permits\n"
    "it, with a warning.\n"
    ".SH FILES\n"
    "Keys and certificates lie in folders beside the configuration, as swanctl(8) has them, each "
    "file "
    "in\n"
    "PEM or DER: \\fBx509\\fR certificates of ours and of peers, \\fBx509ca\\fR authorities that "
    "are "
    "trusted if\n"
    "they are self-signed, and intermediates, \\fBx509crl\\fR revocation lists, \\fBprivate\\fR, "
    "\\fBrsa\\fR,\n"
    "\\fBecdsa\\fR and \\fBpkcs8\\fR private keys; \\fBx509aa\\fR and \\fBx509ocsp\\fR are read "
    "and "
    "listed only. A\n"
    "file that cannot be used is a warning. \\fBculvert check\\fR also names keys without "
    "certificate,\n"
    "certificates that have ended or will within 30 days, and lists out of date.\n"
    ".SH EXAMPLE\n"
    ".nf\n"
    "connections {\n"
    "    gw-gw {\n"
    "        local_addrs = 192.0.2.1\n"
    "        remote_addrs = 192.0.2.2\n"
    "        local { auth = psk }\n"
    "        remote { auth = psk }\n"
    "        children {\n"
    "            net {\n"
    "                local_ts = 10.1.0.0/16\n"
    "                remote_ts = 10.2.0.0/16\n"
    "                start_action = trap\n"
    "            }\n"
    "        }\n"
    "    }\n"
    "}\n"
    "secrets { ike-gw { secret = \"a long and random text\" } }\n"
    ".fi\n"
    ".PP\n"
    "With certificates, where x509/gw.pem, its key private/gw.key and x509ca/ca.pem lie beside the "
    "file:\n"
    ".PP\n"
    ".nf\n"
    "        local {\n"
    "            certs = gw.pem\n"
    "            id = gw.example.org\n"
    "        }\n"
    "        remote {\n"
    "            cacerts = ca.pem\n"
    "            id = *.example.org\n"
    "            revocation = strict\n"
    "        }\n"
    ".fi\n";

static const char tail[] = ".SH SEE ALSO\n"
                           "culvert(1), culvertd(8), swanctl.conf(5), strongswan.conf(5)\n";

/* Dashes and leading dots mean something to troff. */
static void put(const char *s)
{
    if (*s == '.' || *s == '\'')
        fputs("\\&", stdout);
    for (; *s; s++) {
        if (*s == '-' || *s == '\\')
            putchar('\\');
        putchar(*s == '\\' ? 'e' : *s);
    }
}

static void put_words(const struct row *r)
{
    for (const struct word *w = r->words; w && w->name; w++) {
        bool alias = false;
        for (const struct word *before = r->words; before < w; before++)
            alias = alias || before->value == w->value;
        if (!alias) {
            fputs(w == r->words ? " One of " : ", ", stdout);
            put(w->name);
        }
    }
    if (r->words)
        putchar('.');
}

static void put_limits(const struct row *r)
{
    if (r->type == V_COUNT && r->max < UINT32_MAX)
        printf(" From %llu to %llu.", (unsigned long long)r->min, (unsigned long long)r->max);
    if (r->type == V_FIXED)
        fputs(r->def[0] ? " Other values are not supported yet." : " Not supported yet.", stdout);
    if (r->type == V_ANY && r->scope == SC_AUTHORITY)
        fputs(" Accepted, not used yet.", stdout);
}

static void put_row(const struct row *r)
{
    fputs(".TP\n.B ", stdout);
    put(r->key);
    printf(" \\fR(%s%s", value_type_text[r->type], r->def[0] ? "; default " : "");
    put(r->def);
    fputs(")\n", stdout);
    put(r->help);
    put_words(r);
    put_limits(r);
    putchar('\n');
}

static void put_scope(enum scope s)
{
    fputs(".SH ", stdout);
    put(scope_path[s]);
    putchar('\n');
    for (size_t i = 0; i < schema_count; i++)
        if (schema[i].scope == s && schema[i].type != V_REFUSED)
            put_row(&schema[i]);
    bool any = false;
    for (size_t i = 0; i < schema_count; i++) {
        if (schema[i].scope != s || schema[i].type != V_REFUSED)
            continue;
        fputs(any ? ", " : ".PP\nKnown and refused, because not supported yet: ", stdout);
        put(schema[i].key);
        any = true;
    }
    if (any)
        fputs(".\n", stdout);
}

int main(void)
{
    fputs(head, stdout);
    for (int s = 0; s < SC_COUNT; s++)
        put_scope((enum scope)s);
    fputs(tail, stdout);
    return fflush(stdout) ? 1 : 0;
}
