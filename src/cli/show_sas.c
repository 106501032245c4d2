/*
 * The screen of `culvert show sas`: an IKE SA, its ends, suite and times, and its CHILD SAs with
 * selectors and counters. Names are those of VICI's list-sa event. Called by run_show.c and
 * run_up.c.
 */
#include "cli/cli.h"
#include "model/alg.h"

static enum tint state_tint(const char *state)
{
    if (!strcmp(state, "ESTABLISHED") || !strcmp(state, "INSTALLED"))
        return TINT_GOOD;
    return !strncmp(state, "DELET", 5) || !strcmp(state, "DESTROYING") ? TINT_BAD : TINT_WARN;
}

/* ALG-128/INTEG/PRF/GROUP: what there is of it; what no default would take is called weak. */
static void suite(struct buf *out, const struct vnode *sa)
{
    static const struct {
        const char *key;
        enum transform_type type;
    } parts[] = {
        {"encr-alg", T_ENCR}, {"integ-alg", T_INTEG}, {"prf-alg", T_PRF}, {"dh-group", T_KE}};
    const char *sep = "", *size = vnode_get(sa, "encr-keysize");
    bool in_ike = vnode_get(sa, "version") != NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *v = vnode_get(sa, parts[i].key);
        if (!v)
            continue;
        const struct alg *a = alg_by_iana(parts[i].type, v);
        buf_printf(out, "%s%s", sep, v);
        if (i == 0 && size)
            buf_printf(out, "-%s", size);
        if (a && alg_weakness(a, in_ike))
            buf_puts(out, " (weak)");
        sep = "/";
    }
    if (vnode_get(sa, "esn"))
        buf_puts(out, ", ESN");
}

static void time_part(struct buf *out, const struct vnode *sa, const char *key, const char *before,
                      const char *after)
{
    const char *v = vnode_get(sa, key);
    if (!v)
        return;
    buf_printf(out, "%s%s", out->n ? ", " : "", before);
    screen_seconds(out, v);
    buf_puts(out, after);
}

static void line(const struct screen *s, const char *label, const struct buf *text)
{
    if (text->n)
        buf_printf(s->out, "%s%s\n", label, buf_str(text));
}

static void ike_head(const struct screen *s, const struct vnode *sa)
{
    const char *state = screen_get(sa, "state");
    screen_tint(s, TINT_BOLD, sa->name);
    buf_printf(s->out, " #%s  ", screen_get(sa, "uniqueid"));
    screen_tint(s, state_tint(state), state);
    buf_printf(s->out, "  IKEv%s", screen_get(sa, "version"));
    if (vnode_get(sa, "v1-mode")) /* IKEv1 alone has modes and names of states */
        buf_printf(s->out, " %s mode  %s", screen_get(sa, "v1-mode"), screen_get(sa, "v1-state"));
    buf_printf(s->out, "  %s\n", vnode_get_bool(sa, "initiator") ? "initiator" : "responder");
}

/* Who logged in, and addresses that were assigned. */
static void travel(const struct screen *s, const struct vnode *sa, const char *side)
{
    char key[32];
    const struct vnode *dns = vnode_find(sa, "dns");
    snprintf(key, sizeof key, "%s-xauth-id", side);
    if (vnode_get(sa, key))
        buf_printf(s->out, "  user %s", vnode_get(sa, key));
    snprintf(key, sizeof key, "%s-vips", side);
    const struct vnode *vips = vnode_find(sa, key);
    if (vips) {
        buf_puts(s->out, "  virtual ");
        screen_list(s->out, vips);
    }
    if (vips && dns && !strcmp(side, "local")) {
        buf_puts(s->out, "  name servers ");
        screen_list(s->out, dns);
    }
}

/* One end's line; width aligns the addresses of both. */
static void ike_end(const struct screen *s, const struct vnode *sa, const char *side, size_t width)
{
    char key[32];
    const char *part[3];
    static const char *const names[] = {"id", "host", "port"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "%s-%s", side, names[i]);
        part[i] = screen_get(sa, key);
    }
    buf_printf(s->out, "  %-7s ", side);
    screen_pad(s, TINT_NONE, part[0], width);
    buf_printf(s->out, "  %s[%s]", part[1], part[2]);
    snprintf(key, sizeof key, "auth-%s", side);
    if (vnode_get(sa, key))
        buf_printf(s->out, "  %s", screen_get(sa, key));
    snprintf(key, sizeof key, "nat-%s", side);
    if (vnode_get_bool(sa, key))
        buf_puts(s->out, "  behind NAT");
    travel(s, sa, side);
    buf_puts(s->out, "\n");
}

static void ike_body(const struct screen *s, const struct vnode *sa)
{
    size_t l = strlen(screen_get(sa, "local-id")), r = strlen(screen_get(sa, "remote-id"));
    ike_end(s, sa, "local", l > r ? l : r);
    ike_end(s, sa, "remote", l > r ? l : r);
    struct buf b = {0};
    suite(&b, sa);
    line(s, "  suite   ", &b);
    buf_clear(&b);
    time_part(&b, sa, "established", "established ", " ago");
    time_part(&b, sa, "rekey-time", "rekeys in ", "");
    time_part(&b, sa, "reauth-time", "reauthenticates in ", "");
    line(s, "  times   ", &b);
    buf_clear(&b);
    if (vnode_find(sa, "vendor-ids")) {
        screen_list(&b, vnode_find(sa, "vendor-ids"));
        line(s, "  vendor  ", &b);
    }
    buf_free(&b);
    buf_printf(s->out, "  spis    %s_i %s_r\n", screen_get(sa, "initiator-spi"),
               screen_get(sa, "responder-spi"));
}

/* AH around ESP: its own algorithm and SPIs. */
static void bundle(const struct screen *s, const struct vnode *c)
{
    if (!vnode_get(c, "ah-spi-in"))
        return;
    buf_printf(s->out, "    AH  %s%s, in %s out %s\n", screen_get(c, "ah-integ-alg"),
               vnode_get(c, "ah-esn") ? ", ESN" : "", screen_get(c, "ah-spi-in"),
               screen_get(c, "ah-spi-out"));
}

static void child_head(const struct screen *s, const struct vnode *c)
{
    const char *name = vnode_get(c, "name"), *state = screen_get(c, "state");
    struct buf b = {0};
    suite(&b, c);
    buf_puts(s->out, "  ");
    screen_tint(s, TINT_BOLD, name ? name : c->name);
    buf_printf(s->out, " #%s  ", screen_get(c, "uniqueid"));
    screen_tint(s, state_tint(state), state);
    buf_printf(s->out, "  %s %s%s%s  %s\n", screen_get(c, "mode"), screen_get(c, "protocol"),
               vnode_get(c, "ah-spi-in") ? " in AH" : "",
               vnode_get_bool(c, "encap") ? " in UDP" : "", buf_str(&b));
    buf_free(&b);
}

static void selectors(const struct screen *s, const struct vnode *c)
{
    buf_puts(s->out, "    ");
    screen_list(s->out, vnode_find(c, "local-ts"));
    buf_puts(s->out, " === ");
    screen_list(s->out, vnode_find(c, "remote-ts"));
    buf_puts(s->out, "\n");
}

static void direction(const struct screen *s, const struct vnode *c, const char *dir)
{
    char key[4][16];
    static const char *const names[] = {"spi", "bytes", "packets", "use"};
    for (size_t i = 0; i < 4; i++)
        snprintf(key[i], sizeof key[i], "%s-%s", names[i], dir);
    struct buf b = {0};
    screen_bytes(&b, screen_get(c, key[1]));
    buf_printf(s->out, "    %-3s %8s  %11s  %9s packets", dir, screen_get(c, key[0]), buf_str(&b),
               screen_get(c, key[2]));
    const char *use = vnode_get(c, key[3]);
    if (use) {
        buf_puts(s->out, "  last ");
        screen_seconds(s->out, use);
        buf_puts(s->out, " ago");
    }
    buf_puts(s->out, "\n");
    buf_free(&b);
}

/* Packets out of order, and what a wider window would do about them. */
static void lateness(const struct screen *s, const struct vnode *c)
{
    if (!vnode_get(c, "late-in"))
        return;
    buf_printf(s->out, "    late: %s dropped, %s seen before; window %s, %s would do; behind: ",
               screen_get(c, "late-in"), screen_get(c, "duplicate-in"),
               screen_get(c, "replay-window"), screen_get(c, "replay-window-advice"));
    screen_list(s->out, vnode_find(c, "lateness"));
    buf_puts(s->out, "\n");
}

static void child(const struct screen *s, const struct vnode *c)
{
    child_head(s, c);
    selectors(s, c);
    direction(s, c, "in");
    direction(s, c, "out");
    bundle(s, c);
    lateness(s, c);
    struct buf b = {0};
    time_part(&b, c, "install-time", "installed ", " ago");
    time_part(&b, c, "rekey-time", "rekeys in ", "");
    time_part(&b, c, "life-time", "expires in ", "");
    line(s, "    ", &b);
    buf_free(&b);
}

/* Where to go on after a restart: seq_in and seq_out of the section. */
static void sequence(const struct screen *s, const struct vnode *c)
{
    if (vnode_get(c, "seq-out"))
        buf_printf(s->out, "    sequence numbers: in %s, out %s\n", screen_get(c, "seq-in"),
                   screen_get(c, "seq-out"));
}

static void by_hand(const struct screen *s, const struct vnode *sa)
{
    buf_printf(s->out, "%s === %s  manual\n", screen_get(sa, "local-host"),
               screen_get(sa, "remote-host"));
    child(s, sa);
    sequence(s, sa);
}

static void by_ike(const struct screen *s, const struct vnode *sa)
{
    ike_head(s, sa);
    ike_body(s, sa);
    const struct vnode *children = vnode_find(sa, "child-sas");
    for (const struct vnode *c = children ? children->child : NULL; c; c = c->next)
        child(s, c);
}

void show_sas(const struct screen *s, const struct vnode *root)
{
    if (!root->child)
        buf_puts(s->out, "no SAs\n");
    for (const struct vnode *sa = root->child; sa; sa = sa->next) {
        (vnode_get(sa, "protocol") ? by_hand : by_ike)(s, sa);
        buf_puts(s->out, sa->next ? "\n" : "");
    }
}

void show_manual_sas(const struct screen *s, const struct vnode *root)
{
    if (!root->child)
        buf_puts(s->out, "no SAs by hand\n");
    for (const struct vnode *sa = root->child; sa; sa = sa->next) {
        by_hand(s, sa);
        buf_puts(s->out, sa->next ? "\n" : "");
    }
}
