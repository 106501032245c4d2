/* Probes and their timers: see probe.h; the search itself is path.c. */
#include "dataplane/probe.h"
#include "dataplane/dp.h"
#include "dataplane/look.h"
#include "dataplane/modes.h"
#include "dataplane/tunnel.h"

/* A probe and its answer begin alike; the probe goes on with zeros up to the size asked about. */
static const uint8_t magic[8] = {'c', 'u', 'l', 'v', 'e', 'r', 't', 1};
enum { IS_PROBE = 1, IS_ANSWER = 2, NEXT_NONE = 59 };

enum {
    NEED_FIRST = 2,   /* rounds that must miss a size: with nothing known */
    NEED_CONFIRM = 4, /* of a size that passed before: it may be congestion */
    REFINE_MS = 1000, /* between rounds of a confirmation */
    LOOKS_MAX = 512,  /* packets looked at in vain for TCP, in a second */
    RAISES = 2,       /* attempts that come sooner than the rest */
};

/* RFC 8899 5.1.1: PMTU_RAISE_TIMER is 600 s; the first attempts come sooner, for what looked lost
 * may have been congestion. */
static uint64_t raise_after_ms(uint8_t raises)
{
    static const uint32_t s[] = {5, 60, 600};
    return 1000ull * s[raises < RAISES ? raises : RAISES];
}

void probes_init(struct probes *ps, struct pool_home *home)
{
    pool_init(&ps->pool, home, sizeof(struct probe));
    list_init(&ps->sending);
    for (size_t i = 0; i < PROBE_WHEEL; i++)
        list_init(&ps->wheel[i]);
}

/* --- timers --- */

static void unlink_probe(struct dp *d, struct probe *pr)
{
    if (!list_empty(&pr->link) && pr->due_ms)
        d->probes.timed--;
    pr->due_ms = 0;
    list_del(&pr->link);
}

static void set_due(struct dp *d, struct probe *pr, uint64_t at_ms)
{
    unlink_probe(d, pr);
    pr->due_ms = at_ms;
    d->probes.timed++;
    list_add_tail(&d->probes.wheel[at_ms / 1000 % PROBE_WHEEL], &pr->link);
}

static void send_now(struct dp *d, struct probe *pr)
{
    unlink_probe(d, pr);
    pr->waits = false;
    pr->next_rung = 0;
    list_add_tail(&d->probes.sending, &pr->link);
}

/* --- what follows for the SA --- */

uint16_t probe_inner_of(const struct child *c, uint16_t mtu)
{
    unsigned family = c->out->remote.addr.family;
    return c->mode ? modes_inner_mtu(c, family, mtu) : tunnel_inner_mtu(&c->out->f, family, mtu);
}

uint16_t probe_cap(const struct child *c)
{
    uint16_t fits = probe_inner_of(c, c->path_mtu);
    return c->plain_max && c->plain_max < fits ? c->plain_max : fits;
}

static uint16_t inner_base(const struct child *c)
{
    return probe_inner_of(c, c->out->remote.addr.family == 6 ? 1280 : 576);
}

/* Probes are for the plain tunnels of ESP; others have ICMP and what TCP does. What the operator
 * fixed is not asked about. */
static bool asks_nobody(const struct dp *d, const struct child *c)
{
    return !d->set.path_probes || c->mode || c->plain_max;
}

static bool asleep(const struct probe *pr)
{
    return list_empty(&pr->link);
}

/* What is watched for: anything large while the probe sleeps or TCP is asked, else nothing. */
static void watch(struct child *c)
{
    const struct probe *pr = c->probe;
    struct sa_out *out = c->out;
    bool any = !c->plain_max && (!pr || asleep(pr) || pr->infer.on);
    uint16_t base = inner_base(c);
    out->watch = any && base < out->inner_mtu ? base : out->inner_mtu;
    c->in->look =
        (out->mss_max == MSS_CLAMP_NO ? 0 : LOOK_SYN) | (pr && pr->infer.watching ? LOOK_ACK : 0);
}

uint16_t probe_path_mtu(const struct child *c)
{
    uint16_t less = (uint16_t)(probe_cap(c) - c->out->inner_mtu);
    if (!less || c->mode)
        return (uint16_t)(c->path_mtu - less);
    return tunnel_outer_len(&c->out->f, c->out->remote.addr.family, c->out->inner_mtu);
}

static void tell(struct dp *d, const struct child *c, enum dp_path_source why)
{
    const struct dp_note n = {.kind = NOTE_PATH_MTU,
                              .child_id = c->id,
                              .policy_id = c->policy,
                              .path_mtu = probe_path_mtu(c),
                              .path_source = why,
                              .iface = c->in->iface,
                              .local = c->out->local,
                              .remote = c->out->remote};
    (void)notes_put(&d->notes, &n);
}

static void apply(struct dp *d, struct child *c, enum dp_path_source why)
{
    uint16_t was = c->out->inner_mtu;
    c->out->inner_mtu = c->probe ? c->probe->path.mtu : probe_cap(c);
    watch(c);
    if (c->out->inner_mtu != was)
        tell(d, c, why);
}

static void forget(struct dp *d, struct child *c)
{
    struct probe *pr = c->probe;
    unlink_probe(d, pr);
    pr->infer = (struct infer){0};
    pr->mute = asks_nobody(d, c);
    pr->fresh = true;
    path_init(&pr->path, probe_cap(c), inner_base(c), (uint16_t)(c->out->f.align_mask + 1));
}

void probe_settings(struct dp *d, struct child *c)
{
    if (c->probe)
        forget(d, c);
    c->out->inner_mtu = probe_cap(c);
    watch(c);
}

void probe_link(struct dp *d, struct child *c, uint64_t now_ms)
{
    struct probe *pr = c->probe;
    uint16_t was = c->out->inner_mtu, cap = probe_cap(c);
    if (pr) {
        uint16_t known = pr->path.mtu < pr->path.cap ? pr->path.mtu : UINT16_MAX;
        bool mute = pr->mute;
        forget(d, c);
        pr->mute = mute;
        if (known < cap) {
            pr->path.mtu = known;
            pr->raise_ms = now_ms + raise_after_ms(0);
        }
    }
    c->out->inner_mtu = pr ? pr->path.mtu : cap;
    watch(c);
    if (c->out->inner_mtu != was)
        tell(d, c, DP_PATH_LINK);
}

/* --- the search --- */

static void search(struct dp *d, struct probe *pr, uint16_t goal, uint8_t need)
{
    pr->fresh = false;
    path_search(&pr->path, goal, need);
    send_now(d, pr);
    watch(pr->child);
}

static void rest(struct dp *d, struct probe *pr, uint64_t now_ms)
{
    uint64_t due = now_ms + (pr->mute ? PROBE_INFER_MS : PROBE_CONFIRM_MS);
    if (pr->path.mtu < pr->path.cap && pr->raise_ms < due)
        due = pr->raise_ms;
    pr->seq = pr->child->out->seq;
    set_due(d, pr, due);
}

static void sleep_probe(struct dp *d, struct probe *pr)
{
    unlink_probe(d, pr);
    pr->infer = (struct infer){0};
    watch(pr->child);
}

/* When to try for more than was found, the later the more often it was in vain. */
static void plan_raise(struct probe *pr, uint16_t was, uint64_t now_ms)
{
    bool lowered = pr->path.mtu < was;
    if (!lowered && pr->path.goal < pr->path.cap)
        return; /* only confirmed */
    pr->raises = lowered ? 0 : (uint8_t)(pr->raises + (pr->raises < RAISES));
    pr->raise_ms = now_ms + raise_after_ms(pr->raises);
}

static void fell_silent(struct dp *d, struct probe *pr, uint64_t now_ms)
{
    pr->mute = !pr->speaks;
    pr->infer.on = pr->mute;
    if (pr->mute)
        rest(d, pr, now_ms);
    else
        unlink_probe(d, pr); /* the peer is gone, or the SA is replaced: asks at the next packet */
    watch(pr->child);
}

static void act(struct dp *d, struct probe *pr, enum path_next next, uint64_t now_ms)
{
    bool confirms = pr->path.need == NEED_CONFIRM;
    uint16_t was = pr->path.mtu;
    switch (next) {
    case PATH_WAIT:
        break;
    case PATH_SEND:
        pr->waits = confirms;
        if (confirms)
            set_due(d, pr, now_ms + REFINE_MS);
        else
            send_now(d, pr);
        break;
    case PATH_DONE:
        apply(d, pr->child, DP_PATH_PROBED);
        plan_raise(pr, was, now_ms);
        rest(d, pr, now_ms);
        watch(pr->child);
        break;
    case PATH_MUTE:
        fell_silent(d, pr, now_ms);
        break;
    }
}

static struct probe *probe_new(struct dp *d, struct child *c)
{
    struct probe *pr = pool_get(&d->probes.pool);
    if (!pr)
        return NULL;
    *pr = (struct probe){.child = c, .mute = asks_nobody(d, c), .fresh = true};
    list_init(&pr->link);
    path_init(&pr->path, probe_cap(c), inner_base(c), (uint16_t)(c->out->f.align_mask + 1));
    c->probe = pr;
    return pr;
}

void probe_touch(struct dp *d, struct child *c, uint64_t now_ms)
{
    struct probe *pr = c->probe;
    if ((pr && !asleep(pr)) || !c->out->active || c->plain_max)
        return;
    if (!pr && !(pr = probe_new(d, c)))
        return;
    pr->infer.on = !pr->speaks;
    if (pr->mute) {
        rest(d, pr, now_ms);
        watch(c);
    } else {
        search(d, pr, pr->path.mtu, pr->fresh ? NEED_FIRST : NEED_CONFIRM);
    }
}

/* --- beliefs from elsewhere --- */

void probe_believe(struct dp *d, struct child *c, uint16_t inner_mtu, enum dp_path_source why,
                   uint64_t now_ms)
{
    struct probe *pr = c->probe ? c->probe : probe_new(d, c);
    if (!pr || inner_mtu >= c->out->inner_mtu)
        return;
    pr->path.mtu = inner_mtu > pr->path.base ? inner_mtu : pr->path.base;
    pr->raises = RAISES;
    pr->raise_ms = now_ms + raise_after_ms(RAISES);
    apply(d, c, why);
    if (!pr->mute && c->out->active)
        search(d, pr, pr->path.mtu, NEED_FIRST);
    else
        rest(d, pr, now_ms);
    watch(c);
}

/* Nearly all paths carry 1280 bytes, IPv6's minimum. */
uint16_t probe_below(const struct child *c, uint16_t len)
{
    uint16_t v6_min = probe_inner_of(c, 1280);
    return len > v6_min ? v6_min : inner_base(c);
}

/* A peer that answers is asked; with the others one segment sent again is enough, instead of two.
 */
void probe_suspect(struct dp *d, struct child *c, uint16_t mtu, uint64_t now_ms)
{
    struct probe *pr = c->probe ? c->probe : probe_new(d, c);
    if (!pr || c->plain_max || !c->out->active || probe_inner_of(c, mtu) >= c->out->inner_mtu)
        return;
    if (pr->mute) {
        pr->infer.on = pr->infer.hint = true;
        rest(d, pr, now_ms);
    } else if (!pr->path.searching || pr->waits) {
        search(d, pr, pr->path.mtu, NEED_FIRST);
    }
    watch(c);
}

/* Without a word of the peer it may have been something else: larger ones are tried again sooner.
 */
static void believe_hole(struct dp *d, struct child *c, enum infer_says says, uint64_t now_ms)
{
    struct probe *pr = c->probe;
    if (says == INFER_SILENCE && pr->infer.len <= probe_inner_of(c, 1280))
        return;
    uint8_t raises = (uint8_t)(pr->raises + (pr->raises < RAISES));
    probe_believe(d, c, probe_below(c, pr->infer.len), DP_PATH_INFERRED, now_ms);
    if (says == INFER_SILENCE) {
        pr->raises = raises;
        pr->raise_ms = now_ms + raise_after_ms(raises);
    }
}

void probe_inferred(struct dp *d, struct child *c, enum infer_says says, uint64_t now_ms)
{
    struct infer *i = &c->probe->infer;
    if (says == INFER_PASSES || ++i->looks == LOOKS_MAX)
        *i = (struct infer){.on = !c->probe->mute}; /* until the timer wants to know again */
    else if (says != INFER_NOTHING)
        believe_hole(d, c, says, now_ms);
    watch(c);
}

/* --- packets --- */

static void put_head(uint8_t *p, uint8_t kind, uint8_t round, uint8_t rung, uint16_t size)
{
    memcpy(p, magic, sizeof magic);
    p[8] = kind;
    p[9] = round;
    p[10] = rung;
    p[11] = 0;
    put_u16(p + 12, size);
    put_u16(p + 14, 0);
}

static void answer_later(struct dp *d, const struct child *c, const uint8_t *p, uint32_t n)
{
    struct probes *ps = &d->probes;
    if (ps->answers == PROBE_ANSWERS || !c->out->active || n > UINT16_MAX)
        return;
    ps->answer[(ps->answers_head + ps->answers++) % PROBE_ANSWERS] =
        (struct probe_answer){c->id, (uint16_t)n, p[9], p[10]};
}

void probe_received(struct dp *d, struct child *c, const uint8_t *p, uint32_t n, uint64_t now_ms)
{
    struct probe *pr = c->probe;
    if (n < PROBE_PAYLOAD || memcmp(p, magic, sizeof magic) != 0 || !d->set.path_probes)
        return;
    if (p[8] == IS_PROBE)
        answer_later(d, c, p, n);
    if (p[8] != IS_ANSWER || !pr)
        return;
    pr->speaks = true;
    pr->infer = (struct infer){0};
    act(d, pr, path_answer(&pr->path, p[9], p[10], get_u16(p + 12)), now_ms);
}

static bool next_answer(struct dp *d, struct dp_pkt *p, struct child **c)
{
    struct probes *ps = &d->probes;
    if (!ps->answers)
        return false;
    const struct probe_answer *a = &ps->answer[ps->answers_head];
    ps->answers_head = (ps->answers_head + 1) % PROBE_ANSWERS;
    ps->answers--;
    *c = child_find(d, a->child_id);
    put_head(p->data, IS_ANSWER, a->round, a->rung, a->size);
    p->len = PROBE_PAYLOAD;
    if (*c && (*c)->probe)
        (*c)->probe->seq++; /* no traffic: else both sides would keep each other awake */
    return true;
}

static bool next_probe(struct dp *d, struct dp_pkt *p, struct child **c, uint64_t now_ms)
{
    if (list_empty(&d->probes.sending))
        return false;
    struct probe *pr = container_of(d->probes.sending.next, struct probe, link);
    uint8_t rung = pr->next_rung++;
    p->len = pr->path.size[rung];
    memset(p->data, 0, p->len);
    put_head(p->data, IS_PROBE, pr->path.round, rung, (uint16_t)p->len);
    *c = pr->child;
    if (pr->next_rung == pr->path.rungs)
        set_due(d, pr, now_ms + PROBE_ROUND_MS);
    return true;
}

bool probe_next(struct dp *d, struct dp_pkt *p, uint64_t now_ms)
{
    struct child *c = NULL;
    while (next_answer(d, p, &c) || next_probe(d, p, &c, now_ms))
        if (c && c->out->active && esp_out_own(d, c->out, p, NEXT_NONE, now_ms))
            return true;
    return false;
}

/* --- time --- */

static void mute_due(struct dp *d, struct probe *pr, uint64_t now_ms)
{
    if (pr->path.mtu < pr->path.cap && now_ms >= pr->raise_ms) {
        pr->path.mtu = pr->path.cap; /* RFC 1191 6.3: believed again, until proven otherwise */
        apply(d, pr->child, DP_PATH_AGED);
    }
    if (!pr->infer.on)
        pr->infer = (struct infer){.on = true};
    watch(pr->child);
    rest(d, pr, now_ms);
}

/* TCP that sends again waits longer each time: between two packets there may be many seconds. */
static bool is_idle(const struct probe *pr, uint64_t now_ms)
{
    const struct sa_out *out = pr->child->out;
    if (!out->active)
        return true;
    return pr->mute ? now_ms - out->last_ms >= PROBE_CONFIRM_MS : pr->seq == out->seq;
}

static void due(struct dp *d, struct probe *pr, uint64_t now_ms)
{
    if (pr->path.searching && pr->waits)
        send_now(d, pr);
    else if (pr->path.searching)
        act(d, pr, path_timeout(&pr->path), now_ms);
    else if (is_idle(pr, now_ms))
        sleep_probe(d, pr);
    else if (pr->mute)
        mute_due(d, pr, now_ms);
    else if (pr->path.mtu < pr->path.cap && now_ms >= pr->raise_ms)
        search(d, pr, pr->path.cap, NEED_FIRST);
    else
        search(d, pr, pr->path.mtu, NEED_CONFIRM);
    watch(pr->child);
}

static void tick_slot(struct dp *d, struct list *slot, uint64_t now_ms)
{
    list_each_safe (it, nx, slot) {
        struct probe *pr = container_of(it, struct probe, link);
        if (pr->due_ms <= now_ms)
            due(d, pr, now_ms);
    }
}

void probe_tick(struct dp *d, uint64_t now_ms)
{
    struct probes *ps = &d->probes;
    uint64_t now_s = now_ms / 1000, from = ps->ticked_s;
    if (now_s - from > PROBE_WHEEL)
        from = now_s - PROBE_WHEEL;
    for (uint64_t s = from; s <= now_s && ps->timed; s++)
        tick_slot(d, &ps->wheel[s % PROBE_WHEEL], now_ms);
    ps->ticked_s = now_s;
}

/* --- an SA's life --- */

void probe_inherit(struct dp *d, struct child *c, const struct child *old)
{
    if (!old->probe)
        return;
    struct probe *pr = probe_new(d, c);
    if (!pr)
        return;
    uint16_t outer = old->mode ? probe_path_mtu(old)
                               : tunnel_outer_len(&old->out->f, old->out->remote.addr.family,
                                                  old->probe->path.mtu);
    uint16_t inner = probe_inner_of(c, outer);
    if (old->probe->path.mtu < old->probe->path.cap && inner < pr->path.cap)
        pr->path.mtu = inner > pr->path.base ? inner : pr->path.base;
    pr->fresh = old->probe->fresh;
    pr->speaks = old->probe->speaks;
    pr->mute = old->probe->mute;
    pr->raises = old->probe->raises;
    pr->raise_ms = old->probe->raise_ms;
    c->out->inner_mtu = pr->path.mtu;
    watch(c);
}

void probe_free(struct dp *d, struct child *c)
{
    if (!c->probe)
        return;
    unlink_probe(d, c->probe);
    pool_put(&d->probes.pool, c->probe);
    c->probe = NULL;
}
