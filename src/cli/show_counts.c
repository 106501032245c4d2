/*
 * The counters of `show crypto ipsec sa [detail]', after the rows of Cisco's screen, from those of
 * VICI's list-sa: packets by direction, and drops by our reasons, which are finer. What no SA was
 * there for is in `show stats'. Called by show_crypto.c.
 */
#include "cli/cli.h"
#include <stdlib.h>

#define PARTS 4

/* One count of the screen: the reasons that it stands for. */
struct count {
    const char *text, *reason[PARTS];
};

/* Two on a line; a text of NULL ends the line early. */
static const struct count lines[][2] = {
    {{"#pkts encaps failed (send)", {"dp-too-big", "dp-room", "dp-header", "dp-fragment"}},
     {"#pkts decaps failed (rcv)", {"dp-padding", "dp-inner", "dp-ecn", "dp-encap"}}},
    {{"#pkts invalid prot (recv)", {"dp-next-header"}}, {"#pkts verify failed:", {"dp-icv"}}},
    {{"#pkts invalid identity (recv)", {"dp-selector"}}, {"#pkts invalid len (rcv)", {"dp-short"}}},
    {{"#pkts replay rollover (send):", {"dp-seq-overflow"}},
     {"#pkts replay failed (rcv):", {"dp-replay", "dp-late"}}},
    {{"#pkts past the lifetime:", {"dp-expired"}}, {NULL, {NULL}}},
};

static uint64_t number(const struct vnode *in, const char *name)
{
    const char *v = in ? vnode_get(in, name) : NULL;
    return v ? strtoull(v, NULL, 10) : 0;
}

static uint64_t sum(const struct vnode *drops, const struct count *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < PARTS && c->reason[i]; i++)
        n += number(drops, c->reason[i]);
    return n;
}

static void put(const struct screen *s, const struct vnode *drops, const struct count *c)
{
    buf_printf(s->out, "%s %llu", c->text, (unsigned long long)sum(drops, c));
}

static uint64_t all(const struct vnode *drops)
{
    uint64_t n = 0;
    for (const struct vnode *d = drops ? drops->child : NULL; d; d = d->next)
        n += d->value ? strtoull(d->value, NULL, 10) : 0;
    return n;
}

/* The short screen: what the lines above call (send), and all the others. */
static uint64_t send_errors(const struct vnode *drops)
{
    uint64_t n = 0;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strstr(lines[i][0].text, "(send)"))
            n += sum(drops, &lines[i][0]);
    return n;
}

static void errors(const struct screen *s, const struct vnode *drops)
{
    uint64_t sent = send_errors(drops);
    buf_printf(s->out, "    #send errors %llu, #recv errors %llu\n", (unsigned long long)sent,
               (unsigned long long)(all(drops) - sent));
}

static void each(const struct screen *s, const struct vnode *drops)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        buf_puts(s->out, "    ");
        put(s, drops, &lines[i][0]);
        if (lines[i][1].text) {
            buf_puts(s->out, ", ");
            put(s, drops, &lines[i][1]);
        }
        buf_puts(s->out, "\n");
    }
}

static void compression(const struct screen *s, const struct vnode *c, const struct vnode *drops)
{
    buf_printf(s->out, "    #pkts compressed: %llu, #pkts decompressed: %llu\n",
               (unsigned long long)number(c, "packets-compressed"),
               (unsigned long long)number(c, "packets-decompressed"));
    buf_printf(s->out, "    #pkts not compressed: %llu, #pkts decompress failed: %llu\n",
               (unsigned long long)number(c, "packets-not-compressed"),
               (unsigned long long)number(drops, "dp-ipcomp"));
}

void show_counts(const struct screen *s, const struct vnode *c, bool detail)
{
    const struct vnode *drops = vnode_find(c, "drops");
    bool ah = !strcmp(screen_get(c, "protocol"), "AH");
    const char *out = screen_get(c, "packets-out"), *in = screen_get(c, "packets-in");
    buf_printf(s->out, "    #pkts encaps: %s, #pkts encrypt: %s, #pkts digest: %s\n", out,
               ah ? "0" : out, out);
    buf_printf(s->out, "    #pkts decaps: %s, #pkts decrypt: %s, #pkts verify: %s\n", in,
               ah ? "0" : in, in);
    compression(s, c, drops);
    if (detail)
        each(s, drops);
    else
        errors(s, drops);
}
