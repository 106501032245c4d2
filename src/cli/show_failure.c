/*
 * Why something did not happen: an answer with success=no. errmsg is what VICI has; culvertd adds
 * reason, what, ours, theirs, hint and clause. Called by run.c.
 */
#include "cli/cli.h"

/*
 * culvertd names reasons by their stable word ("no-proposal"); people get the sentence. errmsg is
 * the better one where the reason says nothing that it does not.
 */
static const char *reason_text(const char *reason, const char *errmsg)
{
    if (!reason || !strcmp(reason, err_name(E_OK)))
        return errmsg;
    if (errmsg && !strcmp(reason, err_name(R_NOT_FOUND)))
        return errmsg;
    for (err_t e = 1; e < R_COUNT; e++)
        if (!strcmp(err_name(e), reason))
            return err_text(e);
    return reason;
}

static const char *given(const struct vnode *reply, const char *key)
{
    const char *v = vnode_get(reply, key);
    return v && *v ? v : NULL;
}

static void row(const struct screen *s, const char *a, const char *b, const char *value)
{
    buf_printf(s->out, "    %-13s ", a);
    if (*b)
        buf_printf(s->out, "%-7s ", b);
    buf_printf(s->out, "%s\n", value);
}

void show_failure(const struct screen *s, const char *what, const struct vnode *reply)
{
    const char *reason = given(reply, "reason"), *errmsg = given(reply, "errmsg");
    const char *param = given(reply, "what"), *ours = given(reply, "ours");
    const char *theirs = given(reply, "theirs"), *hint = given(reply, "hint");
    const char *clause = given(reply, "clause");
    screen_tint(s, TINT_BAD, "culvert:");
    const char *why = reason_text(reason, errmsg);
    buf_printf(s->out, " %s: %s\n", what, why ? why : "the daemon does not say why");
    if (ours)
        row(s, param ? param : "", "ours", ours);
    if (theirs)
        row(s, ours || !param ? "" : param, "theirs", theirs);
    if (param && !ours && !theirs)
        row(s, "concerns", "", param);
    if (hint)
        row(s, "change", "", hint);
    if (clause)
        row(s, "source", "", clause);
}
