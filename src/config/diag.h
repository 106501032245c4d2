/*
 * What is wrong with a configuration, as a list: level, file, line, path, the offending word, and
 * what was expected or can be done. Texts never hold a secret: reports on secrets name the key.
 */
#pragma once

#include "base/buf.h"
#include "culvert/vici.h"

enum diag_level { DIAG_WARNING, DIAG_ERROR };

struct diag_item {
    struct diag_item *next;
    enum diag_level level;
    char *file;    /* NULL: not from a file (VICI) */
    unsigned line; /* 0: unknown */
    char *path;    /* "connections.gw.proposals", "" when there is none */
    char *word;    /* the offending word as written, NULL: the whole line or section */
    char *text;    /* what is wrong; what was expected or what to do */
};

struct diag {
    struct diag_item *first, *last;
    size_t errors, warnings;
    bool nomem; /* a report was lost: the caller must not take the configuration */
};

/* Adds a report at `src` (may be NULL). word may be NULL; path is copied. At most 1000 are kept. */
void diag_add(struct diag *d, enum diag_level level, const struct vsource *src, const char *path,
              const char *word, const char *fmt, ...) printf_like(6, 7);
void diag_free(struct diag *d);

/* "file:12: connections.gw.proposals: `aes127': unknown algorithm; ..." and for warnings
 * "file:12: warning: ...", one per line. */
void diag_item_print(const struct diag_item *i, struct buf *out); /* without newline */
void diag_print(const struct diag *d, struct buf *out);
/* For --json and VICI: sections "1", "2", ... of level, file, line, path, word, text in `in`. */
void diag_tree(const struct diag *d, struct vnode *in);
