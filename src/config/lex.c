/*
 * Words and strings of the grammar: strongswan.conf(5), "Syntax", and what its lexer makes of
 * values. Called by grammar.c.
 */
#include "config/lex.h"

int lex_peek(const struct lex *lx)
{
    return lx->p < lx->end ? (unsigned char)*lx->p : -1;
}

bool lex_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_comment(struct lex *lx)
{
    while (lex_peek(lx) >= 0 && lex_peek(lx) != '\n')
        lx->p++;
}

void lex_skip_blank(struct lex *lx)
{
    while (lex_blank(lex_peek(lx)))
        lx->p++;
}

void lex_skip_lines(struct lex *lx)
{
    for (;; lx->p++) {
        lex_skip_blank(lx);
        if (lex_peek(lx) == '#')
            skip_comment(lx);
        if (lex_peek(lx) != '\n')
            return;
        lx->at.line++;
    }
}

/* strongswan.conf(5): names are made of all printable characters but these. */
static bool is_name(int c)
{
    return c > 0x20 && c != 0x7f && !strchr(".,:{}=\"#", c);
}

const char *lex_here(const struct lex *lx, char out[2])
{
    int c = lex_peek(lx);
    if (c < 0)
        return "end of file";
    if (c == '\n')
        return "end of line";
    if (is_name(c))
        return "another word";
    out[0] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    out[1] = 0;
    return out;
}

bool lex_name(struct lex *lx, struct buf *out, const char *what)
{
    char word[2];
    const char *start = lx->p;
    while (is_name(lex_peek(lx)))
        lx->p++;
    buf_clear(out);
    buf_add(out, start, (size_t)(lx->p - start));
    if (lx->p == start)
        return grammar_error(lx->g, &lx->at, lex_here(lx, word), "expected %s", what);
    return true;
}

static int unescape(int c)
{
    return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
}

bool lex_string(struct lex *lx, struct buf *out)
{
    struct vsource start = lx->at;
    for (; lex_peek(lx) >= 0 && lex_peek(lx) != '"'; lx->p++) {
        char c = *lx->p;
        if (c == '\r')
            continue;
        if (c == '\\' && lx->end - lx->p > 2 && lx->p[1] == '\r' && lx->p[2] == '\n')
            lx->p++;
        if (c == '\\' && lx->end - lx->p > 1) {
            c = (char)unescape((unsigned char)*++lx->p);
            lx->at.line += *lx->p == '\n';
            if (*lx->p == '\n') /* a line that ends in a backslash goes on */
                continue;
        } else if (c == '\n') {
            lx->at.line++;
        }
        buf_add(out, &c, 1);
    }
    if (lex_peek(lx) < 0)
        return grammar_error(lx->g, &start, "\"", "the string that starts here has no closing \"");
    lx->p++;
    return true;
}

static bool ends_word(int c)
{
    return c < 0 || c == '\n' || c == '#' || c == '}' || c == '"' || lex_blank(c);
}

static void take_word(struct lex *lx, struct buf *out, const char *key)
{
    const char *start = lx->p;
    while (!ends_word(lex_peek(lx)))
        lx->p++;
    buf_add(out, start, (size_t)(lx->p - start));
    if (lex_peek(lx) == '#')
        diag_add(lx->g->d, DIAG_WARNING, &lx->at, NULL, key,
                 "a # within the value starts a comment; quote the value if the # belongs to it");
}

bool lex_value(struct lex *lx, const char *key, struct buf *out, bool *present)
{
    *present = false;
    for (;;) {
        lex_skip_blank(lx);
        int c = lex_peek(lx);
        if (c < 0 || c == '\n' || c == '#' || c == '}')
            return true;
        if (*present)
            buf_add(out, " ", 1);
        *present = true;
        if (c == '"') {
            lx->p++;
            if (!lex_string(lx, out))
                return false;
        } else {
            take_word(lx, out, key);
        }
    }
}
