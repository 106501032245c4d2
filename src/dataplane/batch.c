/* The data plane's face: making one, packets in batches, notes, time and counters. */
#include "dataplane/frags.h"
#include "dataplane/modes.h"
#include <stdlib.h>

void dp_settings_default(struct dp_settings *s)
{
    *s = (struct dp_settings){.sa_max = 131072,
                              .hold_max = 1024,
                              .hold_per_policy = 32,
                              .hold_ms = 30000,
                              .mtu = 1500,
                              .path_probes = true,
                              .crypto = CR_AUTO,
                              .workers = 1};
}

static err_t init(struct dp *d)
{
    err_t e;
    flow_key_init(&d->flow_key, d->set.seed);
    pool_init(&d->sa_in, &d->home, sizeof(struct sa_in));
    pool_init(&d->sa_out, &d->home, sizeof(struct sa_out));
    pool_init(&d->late, &d->home, sizeof(struct lateness));
    pool_init(&d->drops, &d->home, sizeof(struct sa_drops));
    keying_init(&d->keying, &d->home, d->set.crypto);
    probes_init(&d->probes, &d->home);
    if ((e = cr_esp_ctx_new((enum cr_impl)d->set.crypto, &d->crypto)) ||
        (e = sad_init(&d->sad, d->set.sa_max, d->set.seed)) ||
        (e = hash_init(&d->children, d->set.seed)) || (e = hash_init(&d->outs, d->set.seed)) ||
        (e = hash_init(&d->binds, d->set.seed)) || (e = flow_cache_init(&d->flows)) ||
        (e = notes_init(&d->notes)) ||
        (e = hold_init(&d->hold, d->set.hold_max, d->set.hold_per_policy)) ||
        (e = early_init(&d->early)))
        return e;
    sad_tag(&d->sad, dp_tag_bits(d->set.workers), d->set.self);
    return view_init(d);
}

struct dp *dp_new(const struct dp_settings *s)
{
    struct dp *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->set = *s;
    if (init(d)) {
        dp_free(d);
        return NULL;
    }
    return d;
}

void dp_free(struct dp *d)
{
    if (!d)
        return;
    children_free(d);
    view_fini(d);
    hash_fini(&d->children);
    hash_fini(&d->binds);
    hash_fini(&d->outs);
    hold_fini(&d->hold);
    early_fini(&d->early);
    notes_fini(&d->notes);
    flow_cache_fini(&d->flows);
    frag_out_fini(&d->frag_out);
    frags_free(d->frags);
    modes_close(d->modes);
    pool_home_fini(&d->home);
    slab_fini(&d->slab);
    sad_fini(&d->sad);
    cr_esp_ctx_free(d->crypto);
    free(d);
}

uint32_t dp_spi_alloc(struct dp *d)
{
    return sad_alloc(&d->sad);
}

void dp_spi_free(struct dp *d, uint32_t spi)
{
    if (sad_reserved(&d->sad, spi) && !sad_taken(&d->sad, spi))
        sad_release(&d->sad, spi);
}

static size_t min_batch(size_t n)
{
    return n < DP_BATCH ? n : DP_BATCH;
}

void dp_outbound(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms)
{
    for (size_t i = 0; i < n; i += DP_BATCH)
        esp_out_batch(d, pkts + i, min_batch(n - i), now_ms);
}

void dp_inbound(struct dp *d, struct dp_pkt *const *pkts, size_t n, uint64_t now_ms)
{
    modes_begin(d->modes);
    for (size_t i = 0; i < n; i += DP_BATCH)
        esp_in_batch(d, pkts + i, min_batch(n - i), now_ms);
}

bool dp_held_next(struct dp *d, struct dp_pkt *p, uint8_t *buf, size_t cap, uint64_t now_ms)
{
    if (cap < DP_HEADROOM + DP_TAILROOM)
        return false;
    for (;;) {
        *p = (struct dp_pkt){.data = buf + DP_HEADROOM};
        if (early_take(&d->early, p, cap - DP_HEADROOM - DP_TAILROOM)) {
            dp_inbound(d, &p, 1, now_ms);
            if (p->verdict == DP_TO_HOST)
                return true;
            continue;
        }
        size_t room = cap - DP_HEADROOM - DP_TAILROOM;
        if (probe_next(d, p, now_ms) || frag_out_next(d, p, now_ms) ||
            frags_next(d, p, room, now_ms))
            return true;
        if (!hold_take(&d->hold, p->data, room, &p->len, &p->iface))
            return false;
        d->releasing = true;
        esp_out_batch(d, &p, 1, now_ms);
        d->releasing = false;
        if (p->verdict == DP_TO_NET || p->verdict == DP_TO_HOST || p->verdict == DP_ELSEWHERE)
            return true;
    }
}

void dp_hold_drop(struct dp *d, uint32_t policy_id)
{
    struct bind *b = bind_find(&d->binds, policy_id);
    if (b)
        d->stats.drops[R_DP_HOLD] += hold_drop(&d->hold, b);
}

bool dp_held_ready(const struct dp *d)
{
    return !list_empty(&d->hold.ready) || d->early.ready || !list_empty(&d->probes.sending) ||
           d->probes.answers || d->frag_out.count || frags_ready(d);
}

uint32_t dp_policy_held(const struct dp *d, uint32_t policy_id)
{
    const struct bind *b = bind_find(&d->binds, policy_id);
    return b ? hold_of(&d->hold, b) : 0;
}

bool dp_notes(const struct dp *d)
{
    return d->notes.count != 0;
}

bool dp_note_next(struct dp *d, struct dp_note *n)
{
    return notes_get(&d->notes, n);
}

void dp_tick(struct dp *d, uint64_t now_ms)
{
    if (now_ms > d->set.hold_ms)
        d->stats.drops[R_DP_HOLD] += hold_expire(&d->hold, now_ms - d->set.hold_ms);
    d->stats.drops[R_DP_NO_SA] += early_expire(&d->early, now_ms);
    frags_tick(d, now_ms);
    probe_tick(d, now_ms);
}

bool dp_ticks(const struct dp *d)
{
    return d->hold.held || d->early.count || d->probes.timed || frags_waiting(d);
}

void dp_count_drop(struct dp *d, err_t reason)
{
    d->stats.drops[reason]++;
}

void dp_stats_get(const struct dp *d, struct dp_stats *out)
{
    *out = d->stats;
    out->held = d->hold.held + d->early.count;
}
