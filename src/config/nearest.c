/* "Did you mean": names that are nearly what was written. Called where a name is unknown. */
#include "config/schema.h"

static size_t min3(size_t a, size_t b, size_t c)
{
    return a < b ? (a < c ? a : c) : b < c ? b : c;
}

/* Levenshtein distance, for words below 64 bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[64];
    if (n >= 64 || m >= 64)
        return 64;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[m];
}

const char *nearest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t limit = strlen(word) > 4 ? 2 : 1;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, names[i]);
        if (d <= limit) {
            limit = d ? d - 1 : 0;
            best = names[i];
            if (d == 0)
                break;
        }
    }
    return best;
}

void cx_unknown_section(struct cx *cx, const struct vnode *n, const char *const *names,
                        size_t count)
{
    const char *near = nearest(n->name, names, count);
    if (near)
        cx_report(cx, DIAG_ERROR, n, n->name, "unknown section; did you mean `%s'?", near);
    else
        cx_report(cx, DIAG_ERROR, n, n->name, "unknown section; see culvert.conf(5)");
}

/* A key of another scope is the likeliest mistake, then one written wrong. */
void cx_unknown_key(struct cx *cx, enum scope scope, const struct vnode *n)
{
    const char *names[128] = {0};
    size_t k = 0;
    for (size_t i = 0; i < schema_count && k < 128; i++)
        if (schema[i].scope == scope)
            names[k++] = schema[i].key;
    const char *near = nearest(n->name, names, k);
    for (size_t i = 0; i < schema_count && !near; i++) {
        if (strcmp(schema[i].key, n->name) != 0 || schema[i].scope == SC_POOL ||
            schema[i].scope == SC_AUTHORITY)
            continue;
        cx_report(cx, DIAG_ERROR, n, n->name, "unknown key here; it belongs in %s",
                  scope_path[schema[i].scope]);
        return;
    }
    if (near)
        cx_report(cx, DIAG_ERROR, n, n->name, "unknown key; did you mean `%s'?", near);
    else
        cx_report(cx, DIAG_ERROR, n, n->name, "unknown key; see culvert.conf(5)");
}
