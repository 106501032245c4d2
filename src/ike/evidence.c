/*
 * The last refusal of an IKE SA, kept in one piece of memory so that a command which fails steps
 * later still tells what differed and what to change. Called by report.c, cmd.c and sa_table.c.
 */
#include "ike/engine.h"
#include <stdlib.h>

#define TEXTS 7

struct evidence {
    uint8_t kind;
    err_t reason;
    uint16_t at[TEXTS]; /* offset in text plus one; 0: none */
    char text[];
};

static void texts_of(const struct event *ev, const char *t[TEXTS])
{
    t[0] = ev->child;
    t[1] = ev->what;
    t[2] = ev->ours;
    t[3] = ev->theirs;
    t[4] = ev->hint;
    t[5] = ev->clause;
    t[6] = ev->text;
}

/* A lack of memory loses the evidence, not the command. */
struct evidence *evidence_new(const struct event *ev)
{
    const char *t[TEXTS];
    size_t n = 0;
    texts_of(ev, t);
    for (size_t i = 0; i < TEXTS; i++)
        n += t[i] ? strlen(t[i]) + 1 : 0;
    struct evidence *k = n < UINT16_MAX ? calloc(1, sizeof *k + n) : NULL;
    if (!k)
        return NULL;
    k->kind = (uint8_t)ev->kind;
    k->reason = ev->reason;
    n = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        if (!t[i])
            continue;
        size_t len = strlen(t[i]) + 1;
        memcpy(k->text + n, t[i], len);
        k->at[i] = (uint16_t)(n + 1);
        n += len;
    }
    return k;
}

static const char *text(struct ike *e, const struct evidence *k, size_t i)
{
    return k->at[i] ? ike_str(e, k->text + k->at[i] - 1) : NULL;
}

err_t evidence_reason(const struct evidence *k)
{
    return k ? k->reason : E_OK;
}

void evidence_fill(struct ike *e, const struct evidence *k, struct event *ev)
{
    ev->kind = (enum event_kind)k->kind;
    ev->reason = k->reason;
    ev->child = text(e, k, 0);
    ev->what = text(e, k, 1);
    ev->ours = text(e, k, 2);
    ev->theirs = text(e, k, 3);
    ev->hint = text(e, k, 4);
    ev->clause = text(e, k, 5);
    ev->text = text(e, k, 6);
}
