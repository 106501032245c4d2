/*
 * The screen of certificates and revocation lists, and how many days each still has. Names are
 * those of VICI's list-cert event. Called by run_show.c.
 */
#include "cli/cli.h"
#include <time.h>

#define SOON_DAYS 30

/* Days until then, negative: since then. False: no date. */
static bool days_until(const char *text, long *days)
{
    struct tm tm = {0};
    if (!text || !strptime(text, "%b %d %H:%M:%S %Y", &tm))
        return false;
    long long left = (long long)timegm(&tm) - (long long)time(NULL);
    *days = (long)(left < 0 ? -((-left + 86399) / 86400) : left / 86400);
    return true;
}

static void lasts(const struct screen *s, const struct vnode *c, bool crl)
{
    char text[64];
    long from = 0, to = 0;
    if (days_until(vnode_get(c, "not-before"), &from) && from > 0) {
        snprintf(text, sizeof text, "not valid before %ld days", from);
        screen_tint(s, TINT_BAD, text);
        return;
    }
    if (!days_until(vnode_get(c, "not-after"), &to)) {
        buf_puts(s->out, "no end");
        return;
    }
    if (to < 0)
        snprintf(text, sizeof text, "%s %ld days ago", crl ? "was due" : "expired", -to);
    else
        snprintf(text, sizeof text, "%s in %ld days", crl ? "due" : "expires", to);
    screen_tint(s, to < 0 ? TINT_BAD : to < SOON_DAYS ? TINT_WARN : TINT_NONE, text);
    buf_printf(s->out, " (%s)", vnode_get(c, "not-after"));
}

static void kind(const struct screen *s, const struct vnode *c, bool crl)
{
    const char *flag = screen_get(c, "flag"), *key = vnode_get(c, "key");
    buf_puts(s->out, crl                     ? "revocation list"
                     : !strcmp(flag, "CA")   ? "authority"
                     : !strcmp(flag, "NONE") ? "certificate"
                                             : flag);
    if (key)
        buf_printf(s->out, ", %s", key);
    if (vnode_get_bool(c, "has_privkey"))
        buf_puts(s->out, ", with private key");
}

void show_certs(const struct screen *s, const struct vnode *root)
{
    if (!root->child)
        buf_puts(s->out, "no certificates\n");
    for (const struct vnode *c = root->child; c; c = c->next) {
        bool crl = !strcmp(screen_get(c, "type"), "X509_CRL");
        screen_tint(s, TINT_BOLD, screen_get(c, "subject"));
        buf_puts(s->out, "\n  ");
        kind(s, c, crl);
        buf_puts(s->out, "\n  ");
        lasts(s, c, crl);
        buf_printf(s->out, "\n  from %s\n", screen_get(c, "file"));
    }
}
