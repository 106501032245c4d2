/* Words and strings of the grammar; inside of config. Functions that fail have reported. */
#pragma once

#include "config/grammar.h"

struct lex {
    struct grammar *g;
    const char *p, *end;
    struct vsource at;
    unsigned secret_line; /* the last line of a statement within secrets { } */
};

int lex_peek(const struct lex *lx); /* -1 at the end */
bool lex_blank(int c);              /* within a line */
void lex_skip_blank(struct lex *lx);
void lex_skip_lines(struct lex *lx); /* blanks, comments and ends of lines */
/* What stands here, for a report. A word may be a piece of a secret and is not shown. */
const char *lex_here(const struct lex *lx, char out[2]);
/* A name replaces what is in `out`; `what` was expected. */
bool lex_name(struct lex *lx, struct buf *out, const char *what);
/* Behind the opening quote to behind the closing one. */
bool lex_string(struct lex *lx, struct buf *out);
/* A setting's value, joined. *present: anything at all, were it "". */
bool lex_value(struct lex *lx, const char *key, struct buf *out, bool *present);
