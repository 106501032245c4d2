/* Flows and the flow cache: see flow.h. */
#include "dataplane/flow.h"
#include "base/hash.h"
#include "dataplane/pool.h"
#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(struct flow) == 40, "compared and hashed as five words");
static_assert(sizeof(struct flow_entry) == 64, "one cache line");

void flow_key_init(struct flow_key *k, const uint64_t seed[2])
{
    for (uint8_t i = 0; i < 5; i++) {
        uint8_t label[] = {'f', 'l', 'o', 'w', i};
        k->k[i] = siphash(seed, label, sizeof label);
    }
    k->k[4] |= 1;
}

static void addr_to_words(const struct addr *a, uint64_t w[2])
{
    w[0] = a->family == 6 ? get_u64(a->ip) : 0;
    w[1] = a->family == 6 ? get_u64(a->ip + 8) : get_u32(a->ip);
}

static struct addr addr_from_words(unsigned family, const uint64_t w[2])
{
    struct addr a = {.family = (uint8_t)family};
    if (family == 6) {
        put_u64(a.ip, w[0]);
        put_u64(a.ip + 8, w[1]);
    } else {
        put_u32(a.ip, (uint32_t)w[1]);
    }
    return a;
}

static struct ts side_to_ts(const struct flow *f, const uint64_t addr[2], uint16_t port)
{
    struct addr a = addr_from_words(flow_family(f), addr);
    bool ports = f->meta & FLOW_PORTS;
    return (struct ts){.proto = (uint8_t)flow_proto(f),
                       .port_lo = ports ? port : 0,
                       .port_hi = ports ? port : 0xffff,
                       .lo = a,
                       .hi = a};
}

void flow_to_ts(const struct flow *f, struct ts *local, struct ts *remote)
{
    *local = side_to_ts(f, f->l, flow_lport(f));
    *remote = side_to_ts(f, f->r, flow_rport(f));
}

void flow_from_ts(struct flow *f, const struct ts *local, const struct ts *remote)
{
    addr_to_words(&local->lo, f->l);
    addr_to_words(&remote->lo, f->r);
    f->meta = flow_meta(local->lo.family, local->proto ? local->proto : remote->proto);
    if (local->port_lo == local->port_hi && remote->port_lo == remote->port_hi)
        f->meta |= flow_meta_ports(local->port_lo, remote->port_lo);
}

err_t flow_cache_init(struct flow_cache *c)
{
    size_t n = (size_t)FLOW_SETS * FLOW_WAYS * sizeof(struct flow_entry);
    c->e = table_new(n);
    if (!c->e)
        return E_NOMEM;
    c->epoch = 1;
    return E_OK;
}

void flow_cache_fini(struct flow_cache *c)
{
    free(c->e);
    c->e = NULL;
}

void flow_cache_forget(struct flow_cache *c)
{
    if (++c->epoch)
        return;
    memset(c->e, 0, (size_t)FLOW_SETS * FLOW_WAYS * sizeof(struct flow_entry));
    c->epoch = 1;
}

struct flow_entry *flow_cache_add(struct flow_cache *c, uint64_t hash, const struct flow *f)
{
    struct flow_entry *e = flow_cache_find(c, hash, f);
    if (!e) {
        e = flow_cache_set(c, hash);
        memmove(e + 1, e, (FLOW_WAYS - 1) * sizeof *e);
        e->flow = *f;
        e->epoch = c->epoch;
    }
    return e;
}
