/*
 * Files of a configuration: reading within bounds, and include patterns. As strongSwan has it, a
 * pattern is relative to the file it stands in, what is included lands in the section it stands in,
 * and a pattern without any file is no error (a plain name without a file is worth a warning).
 */
#include "config/file.h"
#include "config/grammar.h"
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

static bool load(struct grammar *g, const struct vsource *at, const char *path, struct buf *text)
{
    if (stream_read(path, CONFIG_FILE_MAX, text))
        return true;
    if (text->err) {
        g->d->nomem = true;
        return false;
    }
    if (errno == EFBIG)
        return grammar_error(g, at, path, "is larger than %u MiB", CONFIG_FILE_MAX >> 20);
    return grammar_error(g, at, path, "cannot read it: %s", strerror(errno));
}

static bool read_one(struct grammar *g, const struct vsource *at, const char *path,
                     struct vnode *section)
{
    struct buf text = {0};
    if (g->files == CONFIG_FILES_MAX)
        return grammar_error(g, at, path, "more than %u files are included", CONFIG_FILES_MAX);
    char *name = strdup(path);
    if (!name) {
        g->d->nomem = true;
        return false;
    }
    g->file[g->files++] = name;
    bool ok = load(g, at, path, &text) && grammar_parse(g, name, bytes_of(text.s, text.n), section);
    file_wipe(&text);
    return ok;
}

static char *absolute(const char *file, const char *pattern)
{
    char *out;
    const char *slash = strrchr(file, '/');
    if (pattern[0] == '/' || !slash)
        return strdup(pattern);
    return asprintf(&out, "%.*s/%s", (int)(slash - file), file, pattern) < 0 ? NULL : out;
}

static bool read_matches(struct grammar *g, const struct vsource *at, const char *pattern,
                         struct vnode *section)
{
    glob_t found = {0};
    bool ok = true;
    int rc = glob(pattern, 0, NULL, &found);
    if (rc == GLOB_NOSPACE) {
        g->d->nomem = true;
        ok = false;
    } else if (rc && !strpbrk(pattern, "*?[")) {
        diag_add(g->d, DIAG_WARNING, at, NULL, pattern, "no such file; nothing was included");
    }
    for (size_t i = 0; ok && rc == 0 && i < found.gl_pathc; i++)
        ok = read_one(g, at, found.gl_pathv[i], section);
    globfree(&found);
    return ok;
}

bool grammar_include(struct grammar *g, const struct vsource *at, const char *pattern,
                     struct vnode *section)
{
    if (g->from_memory)
        return grammar_error(g, at, "include", "files cannot be included here");
    if (g->include_depth == CONFIG_INCLUDE_MAX)
        return grammar_error(g, at, pattern,
                             "includes nest deeper than %u; does a file include itself?",
                             CONFIG_INCLUDE_MAX);
    char *path = absolute(at->file, pattern);
    if (!path) {
        g->d->nomem = true;
        return false;
    }
    g->include_depth++;
    bool ok = read_matches(g, at, path, section);
    g->include_depth--;
    free(path);
    return ok;
}

/* --- whole configurations --- */

/* The names move into one block that the root owns as its value, and the nodes follow. */
static bool adopt_names(struct grammar *g, struct vnode *root)
{
    size_t need = 1;
    for (size_t i = 0; i < g->files; i++)
        need += strlen(g->file[i]) + 1;
    char *block = malloc(need), *to = block;
    if (!block)
        return false;
    for (size_t i = 0; i < g->files; i++) {
        char *end = stpcpy(to, g->file[i]);
        for (struct vnode *n = root; n;) {
            if (n->src.file == g->file[i])
                n->src.file = to;
            if (n->child) {
                n = n->child;
                continue;
            }
            while (n && !n->next)
                n = n->parent;
            n = n ? n->next : NULL;
        }
        to = end + 1;
    }
    *to = 0;
    root->value = block;
    root->value_len = need - 1;
    return true;
}

/* Steps that both sources of text share; `ok`: the raw tree is complete. */
static err_t finish(struct grammar *g, struct vnode *raw, bool ok, struct vnode **out)
{
    struct vnode *flat = ok ? grammar_resolve(g, raw) : NULL;
    if (flat && !adopt_names(g, flat)) {
        vnode_free(flat);
        flat = NULL;
        g->d->nomem = true;
    }
    vnode_free(raw);
    for (size_t i = 0; i < g->files; i++)
        free(g->file[i]);
    buf_free(&g->bases);
    *out = flat;
    return flat ? E_OK : g->d->nomem ? E_NOMEM : R_CONFIG_SYNTAX;
}

err_t config_read_file(const char *path, struct vnode **out, struct diag *d)
{
    struct grammar g = {.d = d};
    struct vnode *raw = vnode_new();
    struct vsource none = {0};
    *out = NULL;
    if (!raw)
        return E_NOMEM;
    return finish(&g, raw, read_one(&g, &none, path, raw), out);
}

err_t config_read_text(const char *name, struct bytes text, struct vnode **out, struct diag *d)
{
    struct grammar g = {.d = d, .from_memory = true};
    struct vnode *raw = vnode_new();
    *out = NULL;
    if (!raw)
        return E_NOMEM;
    g.file[0] = strdup(name);
    g.files = g.file[0] ? 1 : 0;
    d->nomem = d->nomem || !g.file[0];
    bool ok = text.n <= CONFIG_FILE_MAX && g.files && grammar_parse(&g, g.file[0], text, raw);
    return finish(&g, raw, ok, out);
}
