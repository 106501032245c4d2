/*
 * The grammar of swanctl.conf and strongswan.conf (strongswan.conf(5), "Syntax"), by recursive
 * descent into a raw tree:
 *
 *   statements := (section | setting | include)*
 *   section    := NAME [':' ref (',' ref)*] '{' statements '}'      ref := NAME ('.' NAME)*
 *   setting    := NAME '=' (WORD | STRING)*                         to the end of the line, # or }
 *   include    := 'include' PATTERN
 *
 * As strongSwan has it: words and strings of a value are joined by one blank; repeated sections are
 * merged; a repeated key replaces the value; "key =" clears it. Called by config_read_*.
 */
#include "base/secret.h"
#include "config/lex.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A section's braces: a name that comes twice between the same pair is worth a warning. */
struct body {
    struct vnode *section;
    unsigned line;
    unsigned depth;
};

bool grammar_error(struct grammar *g, const struct vsource *src, const char *word, const char *fmt,
                   ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_add(g->d, DIAG_ERROR, src, NULL, word, "%s", text);
    return false;
}

/* --- words that may be a piece of a secret --- */

static bool in_secrets(const struct vnode *n)
{
    for (; n; n = n->parent)
        if (n->name && !strcmp(n->name, "secrets"))
            return true;
    return false;
}

/* The name of a statement for a report: NULL where it may be a piece of a secret. */
static const char *shown(const struct lex *lx, const struct body *b, const struct vsource *at,
                         const struct buf *name)
{
    return in_secrets(b->section) || at->line == lx->secret_line ? NULL : buf_str(name);
}

/* --- nodes --- */

static bool count_node(struct lex *lx)
{
    if (++lx->g->nodes <= CONFIG_NODES_MAX)
        return true;
    return grammar_error(lx->g, &lx->at, NULL, "more than %u settings", CONFIG_NODES_MAX);
}

static bool nomem(struct lex *lx)
{
    lx->g->d->nomem = true;
    return false;
}

static bool same_body(const struct lex *lx, const struct body *b, const struct vnode *n)
{
    return b->depth && n->src.file == lx->at.file && n->src.line >= b->line;
}

static void warn_twice(struct lex *lx, const char *name, const struct vnode *first,
                       const char *result)
{
    diag_add(lx->g->d, DIAG_WARNING, &lx->at, NULL, name, "stands in line %u as well; %s",
             first->src.line, result);
}

static bool wrong_kind(struct lex *lx, const struct vnode *n)
{
    return grammar_error(lx->g, &lx->at, n->name, "is %s in line %u and %s here",
                         n->kind == VN_SECTION ? "a section" : "a setting", n->src.line,
                         n->kind == VN_SECTION ? "a setting" : "a section");
}

static bool put_value(struct lex *lx, const struct body *b, const char *name,
                      const struct vsource *at, const struct buf *value, bool present)
{
    struct vnode *n = vnode_find(b->section, name);
    if (n && n->kind != VN_VALUE)
        return wrong_kind(lx, n);
    if (n && same_body(lx, b, n))
        warn_twice(lx, name, n, "the last one counts");
    if (!n && !count_node(lx))
        return false;
    if (!n && !(n = vnode_value(b->section, name, "")))
        return nomem(lx);
    if (n->value)
        secret_wipe(n->value, n->value_len);
    free(n->value);
    n->value = present ? strdup(buf_str(value)) : NULL;
    n->value_len = n->value ? strlen(n->value) : 0;
    n->src = *at;
    return !present || n->value || nomem(lx);
}

static struct vnode *open_section(struct lex *lx, const struct body *b, const char *name,
                                  const struct vsource *at)
{
    struct vnode *n = vnode_find(b->section, name);
    if (n && n->kind != VN_SECTION) {
        wrong_kind(lx, n);
        return NULL;
    }
    if (n && same_body(lx, b, n))
        warn_twice(lx, name, n, "both are merged into one section");
    if (n)
        return n;
    if (!count_node(lx))
        return NULL;
    n = vnode_section(b->section, name);
    if (!n)
        nomem(lx);
    else
        n->src = *at;
    return n;
}

static bool add_refs(struct lex *lx, struct vnode *n, const struct buf *refs)
{
    if (refs->n == 0)
        return true;
    char *all = NULL;
    if (asprintf(&all, "%s%s%s", n->value ? n->value : "", n->value ? "," : "", buf_str(refs)) < 0)
        return nomem(lx);
    free(n->value);
    n->value = all;
    n->value_len = strlen(all);
    return true;
}

/* --- statements --- */

static bool parse_statements(struct lex *lx, const struct body *b);

/* Remembers that a top-level section is there to be inherited from. */
static bool note_base(struct lex *lx, const struct buf *name)
{
    struct buf *all = &lx->g->bases;
    struct buf word = {0};
    buf_printf(&word, ",%s,", buf_str(name));
    if (!strstr(buf_str(all), buf_str(&word)))
        buf_puts(all, buf_str(&word));
    bool failed = word.err || all->err;
    buf_free(&word);
    if (failed)
        return nomem(lx);
    return all->n <= GRAMMAR_BASES_MAX ||
           grammar_error(lx->g, &lx->at, NULL, "too many references");
}

static bool parse_ref(struct lex *lx, struct buf *name, struct buf *refs)
{
    bool first = true;
    for (;;) {
        if (!lex_name(lx, name, "the name of the section to inherit from"))
            return false;
        if (first && !note_base(lx, name))
            return false;
        first = false;
        buf_puts(refs, buf_str(name));
        if (lex_peek(lx) != '.')
            return true;
        lx->p++;
        buf_puts(refs, ".");
    }
}

static bool parse_refs(struct lex *lx, struct buf *name, struct buf *refs)
{
    do {
        lx->p++; /* the : or , before it */
        lex_skip_lines(lx);
        if (!parse_ref(lx, name, refs))
            return false;
        lex_skip_lines(lx);
        if (lex_peek(lx) == ',')
            buf_puts(refs, ",");
    } while (lex_peek(lx) == ',');
    char word[2];
    if (lex_peek(lx) != '{')
        return grammar_error(lx->g, &lx->at, lex_here(lx, word),
                             "expected { or , after a reference");
    return true;
}

static bool parse_section(struct lex *lx, const struct body *b, const char *name,
                          const struct vsource *at, const struct buf *refs)
{
    struct vnode *n = open_section(lx, b, name, at);
    if (!n || !add_refs(lx, n, refs))
        return false;
    struct body inner = {n, at->line, b->depth + 1};
    if (inner.depth > CONFIG_DEPTH_MAX)
        return grammar_error(lx->g, at, name, "sections nest deeper than %u", CONFIG_DEPTH_MAX);
    lx->p++; /* { */
    if (!parse_statements(lx, &inner))
        return false;
    if (lex_peek(lx) != '}')
        return grammar_error(lx->g, at, name, "the section that starts here has no closing }");
    lx->p++;
    return true;
}

static bool parse_setting(struct lex *lx, const struct body *b, const char *name,
                          const struct vsource *at)
{
    struct buf value = {0};
    bool present;
    lx->p++; /* = */
    bool ok = lex_value(lx, name, &value, &present) &&
              (value.err ? nomem(lx) : put_value(lx, b, name, at, &value, present));
    if (value.s)
        secret_wipe(value.s, value.cap);
    buf_free(&value);
    return ok;
}

static bool take_pattern(struct lex *lx, struct buf *out)
{
    if (lex_peek(lx) == '"') {
        lx->p++;
        return lex_string(lx, out);
    }
    for (int c; (c = lex_peek(lx)) >= 0 && c != '\n' && c != '#' && c != '}' && !lex_blank(c);
         lx->p++) {
        if (c == '\\' && lx->end - lx->p > 1 && strchr("\"#} ", lx->p[1]))
            lx->p++;
        buf_add(out, lx->p, 1);
    }
    return true;
}

static bool parse_include(struct lex *lx, const struct body *b)
{
    struct buf pattern = {0};
    lex_skip_blank(lx);
    bool ok = take_pattern(lx, &pattern);
    if (ok && pattern.err)
        ok = nomem(lx);
    else if (ok && pattern.n == 0)
        ok = grammar_error(lx->g, &lx->at, "include", "expected a file name or pattern");
    ok = ok && grammar_include(lx->g, &lx->at, buf_str(&pattern), b->section);
    buf_free(&pattern);
    return ok;
}

/* "include" is a key as well if a = follows. */
static bool is_include(const struct lex *lx, const char *name)
{
    const char *p = lx->p;
    if (strcmp(name, "include") != 0 || !lex_blank(lex_peek(lx)))
        return false;
    while (p < lx->end && lex_blank((unsigned char)*p))
        p++;
    return p < lx->end && !strchr("=\n", *p);
}

static bool parse_statement(struct lex *lx, const struct body *b, struct buf *name,
                            struct buf *word, struct buf *refs)
{
    char bad[2];
    struct vsource at = lx->at;
    if (!lex_name(lx, name, "a section or a setting"))
        return false;
    if (is_include(lx, buf_str(name)))
        return parse_include(lx, b);
    if (lex_peek(lx) == '.')
        return grammar_error(lx->g, &at, shown(lx, b, &at, name),
                             "a name cannot hold a dot; use - or _");
    lex_skip_lines(lx);
    if (lex_peek(lx) == '=')
        return parse_setting(lx, b, buf_str(name), &at);
    buf_clear(refs);
    if (lex_peek(lx) == ':' && !parse_refs(lx, word, refs))
        return false;
    if (lex_peek(lx) == '{')
        return parse_section(lx, b, buf_str(name), &at, refs);
    return grammar_error(lx->g, &at, shown(lx, b, &at, name),
                         "expected =, : or { after the name, found %s", lex_here(lx, bad));
}

static bool parse_statements(struct lex *lx, const struct body *b)
{
    struct buf name = {0}, word = {0}, refs = {0};
    bool ok = true;
    for (;;) {
        lex_skip_lines(lx);
        if (!ok || lex_peek(lx) < 0 || lex_peek(lx) == '}')
            break;
        if (in_secrets(b->section))
            lx->secret_line = lx->at.line;
        ok = parse_statement(lx, b, &name, &word, &refs);
    }
    if (name.err || word.err || refs.err)
        ok = nomem(lx);
    buf_free(&name);
    buf_free(&word);
    buf_free(&refs);
    return ok;
}

bool grammar_parse(struct grammar *g, const char *file, struct bytes text, struct vnode *section)
{
    const char *s = text.n ? (const char *)text.p : ""; /* an empty file may come as NULL */
    struct lex lx = {g, s, s + text.n, {file, 1}};
    struct body b = {section, 1, 0};
    const char *nul = text.n ? memchr(s, 0, text.n) : NULL;
    if (nul) {
        for (; s < nul; s++)
            lx.at.line += *s == '\n';
        return grammar_error(g, &lx.at, NULL, "a zero byte: this is not a text file");
    }
    if (!parse_statements(&lx, &b))
        return false;
    if (lex_peek(&lx) == '}')
        return grammar_error(g, &lx.at, "}", "there is no open section to close");
    return true;
}
