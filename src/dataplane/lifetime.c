/* Limits: see lifetime.h. */
#include "dataplane/lifetime.h"

/* Without ESN: a soft note with a quarter of the numbers left (100 s at 10 million packets a
 * second), and never a wrap (RFC 4303 3.3.3). */
static uint64_t seq_hard(const struct sa_out *sa)
{
    return sa->f.esn ? UINT64_MAX : UINT32_MAX;
}

static uint64_t seq_soft(const struct sa_out *sa)
{
    return seq_hard(sa) / 4 * 3;
}

static uint64_t or_never(uint64_t limit)
{
    return limit ? limit : UINT64_MAX;
}

/* The limits are of packets, the threshold is a number: those used before do not count. */
static uint64_t after(uint64_t start, uint64_t packets)
{
    return packets > UINT64_MAX - start ? UINT64_MAX : start + packets;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void set_soft(struct life *l, const struct lifetime *c)
{
    l->bytes_limit = min64(or_never(c->rekey_bytes), or_never(c->life_bytes));
    l->packets_limit = min64(or_never(c->rekey_packets), or_never(c->life_packets));
}

static void set_hard(struct life *l, const struct child *c)
{
    l->bytes_limit = or_never(c->life_bytes);
    l->packets_limit = or_never(c->life_packets);
}

void life_init_in(struct sa_in *sa, const struct lifetime *limits)
{
    sa->life = (struct life){0};
    set_soft(&sa->life, limits);
}

void life_init_out(struct sa_out *sa, const struct lifetime *limits)
{
    sa->life = (struct life){0};
    set_soft(&sa->life, limits);
    sa->life.packets_limit =
        min64(after(sa->child->seq_start, sa->life.packets_limit), seq_soft(sa));
}

static bool tell(struct dp *d, const struct child *c, enum dp_note_kind kind)
{
    return notes_put(&d->notes,
                     &(struct dp_note){.kind = kind, .child_id = c->id, .policy_id = c->policy});
}

static void tell_hard(struct dp *d, struct child *c)
{
    if (!c->hard_noted)
        c->hard_noted = tell(d, c, NOTE_HARD);
}

static bool tell_soft(struct dp *d, struct child *c)
{
    if (!c->soft_noted)
        c->soft_noted = tell(d, c, NOTE_SOFT);
    return c->soft_noted;
}

void life_reached_in(struct dp *d, struct sa_in *sa)
{
    struct life hard;
    set_hard(&hard, sa->child);
    if (sa->life.bytes >= hard.bytes_limit || sa->life.packets >= hard.packets_limit) {
        sa->dead = true;
        tell_hard(d, sa->child);
    } else if (tell_soft(d, sa->child)) {
        set_hard(&sa->life, sa->child);
    }
}

void life_reached_out(struct dp *d, struct sa_out *sa)
{
    struct life hard;
    set_hard(&hard, sa->child);
    hard.packets_limit = min64(after(sa->child->seq_start, hard.packets_limit), seq_hard(sa));
    if (sa->life.bytes >= hard.bytes_limit || sa->seq >= hard.packets_limit) {
        sa->dead = true;
        tell_hard(d, sa->child);
    } else if (tell_soft(d, sa->child)) {
        sa->life.bytes_limit = hard.bytes_limit;
        sa->life.packets_limit = hard.packets_limit;
    }
}

err_t life_dead_in(struct dp *d, struct sa_in *sa)
{
    tell_hard(d, sa->child);
    return R_DP_EXPIRED;
}

err_t life_dead_out(struct dp *d, struct sa_out *sa)
{
    tell_hard(d, sa->child);
    return sa->seq >= seq_hard(sa) ? R_DP_SEQ_OVERFLOW : R_DP_EXPIRED;
}
