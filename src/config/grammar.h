/* Inside of the grammar: what reading, parsing and resolving share. Callers use config.h. */
#pragma once

#include "config/config.h"

/*
 * One reading of a configuration. The raw tree is a vnode tree with two peculiarities until it is
 * resolved: a section's `value` holds the references it was written with ("a.b,c"), and a value
 * that was cleared ("key =") has a NULL `value`.
 */
struct grammar {
    struct diag *d;
    bool from_memory; /* includes are an error */
    unsigned include_depth;
    size_t nodes;
    char *file[CONFIG_FILES_MAX]; /* names of the files, pointed to by the nodes' src */
    size_t files;
    struct buf bases; /* top-level names that references start with: ",a,b," */
};

#define GRAMMAR_BASES_MAX 65536u

/* False after reporting; a report without a word or path passes NULL. */
bool grammar_error(struct grammar *g, const struct vsource *src, const char *word, const char *fmt,
                   ...) printf_like(4, 5);
/* Parses one file's text into `section`. */
bool grammar_parse(struct grammar *g, const char *file, struct bytes text, struct vnode *section);
/* include.c: reads the file(s) of a pattern, which is relative to the including file. */
bool grammar_include(struct grammar *g, const struct vsource *at, const char *pattern,
                     struct vnode *section);
/* refs.c: the flat tree of a raw one; NULL after reporting. */
struct vnode *grammar_resolve(struct grammar *g, const struct vnode *raw);
