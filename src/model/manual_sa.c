/* SAs by hand: see manual_sa.h. */
#include "model/manual_sa.h"
#include <stdlib.h>
#include <string.h>

struct manual_sa *manual_sa_new(const char *name)
{
    struct manual_sa *m = calloc(1, sizeof *m);
    char *copy = strdup(name);
    if (!m || !copy) {
        free(m);
        free(copy);
        return NULL;
    }
    m->name = copy;
    m->local.port = m->remote.port = 4500;
    m->replay_window = 64;
    return m;
}

static void keys_free(struct child_keys *k)
{
    secret_free(&k->encr);
    secret_free(&k->integ);
}

void manual_sa_free(struct manual_sa *m)
{
    if (!m)
        return;
    keys_free(&m->in);
    keys_free(&m->out);
    secret_free(&m->bundle.in);
    secret_free(&m->bundle.out);
    free(m->name);
    free(m);
}

static bool key_eq(const struct secret *a, const struct secret *b)
{
    return a->n == b->n && secret_eq(a->p, b->p, a->n);
}

static bool keys_eq(const struct child_keys *a, const struct child_keys *b)
{
    return key_eq(&a->encr, &b->encr) && key_eq(&a->integ, &b->integ);
}

static bool ah_eq(const struct child_ah *a, const struct child_ah *b)
{
    return a->spi_in == b->spi_in && a->spi_out == b->spi_out && a->integ == b->integ &&
           a->esn == b->esn && key_eq(&a->in, &b->in) && key_eq(&a->out, &b->out);
}

/* What selectors, algorithms and the rest come to in the data plane. */
static bool child_eq(const struct child_sa *a, const struct child_sa *b)
{
    return a->proto == b->proto && a->mode == b->mode && a->spi_in == b->spi_in &&
           a->spi_out == b->spi_out && a->encr == b->encr && a->integ == b->integ &&
           a->esn == b->esn && a->replay_window == b->replay_window && a->cpi_in == b->cpi_in &&
           a->cpi_out == b->cpi_out && ah_eq(&a->ah, &b->ah) && a->udp_encap == b->udp_encap &&
           endpoint_eq(&a->local, &b->local) && endpoint_eq(&a->remote, &b->remote) &&
           ts_list_eq(&a->local_ts, &b->local_ts) && ts_list_eq(&a->remote_ts, &b->remote_ts);
}

static bool lifetime_eq(const struct lifetime *a, const struct lifetime *b)
{
    return a->rekey_s == b->rekey_s && a->life_s == b->life_s && a->rekey_bytes == b->rekey_bytes &&
           a->life_bytes == b->life_bytes && a->rekey_packets == b->rekey_packets &&
           a->life_packets == b->life_packets;
}

static bool tunnel_rules_eq(const struct tunnel_rules *a, const struct tunnel_rules *b)
{
    return a->dscp == b->dscp && a->ecn == b->ecn && a->df == b->df &&
           a->dscp_value == b->dscp_value && a->fragment == b->fragment && a->mtu == b->mtu &&
           a->mss == b->mss;
}

/* But for the numbers to begin with: these count only once. */
bool manual_sa_eq(const struct manual_sa *a, const struct manual_sa *b)
{
    struct child_sa x, y;
    manual_sa_child(a, &x);
    manual_sa_child(b, &y);
    return !strcmp(a->name, b->name) && child_eq(&x, &y) && keys_eq(&a->in, &b->in) &&
           keys_eq(&a->out, &b->out) && a->priority == b->priority &&
           lifetime_eq(&a->life, &b->life) && tunnel_rules_eq(&a->ip, &b->ip);
}

bool manual_sa_same_key(const struct manual_sa *a, const struct manual_sa *b)
{
    const struct child_ah *x = &a->bundle, *y = &b->bundle;
    return (a->spi_out == b->spi_out && keys_eq(&a->out, &b->out)) ||
           (x->spi_out && x->spi_out == y->spi_out && key_eq(&x->out, &y->out));
}

const struct proposal *manual_sa_proposal(const struct manual_sa *m)
{
    return m->esp.count ? &m->esp.p[0] : &m->ah.p[0];
}

const struct proposal *manual_sa_bundle(const struct manual_sa *m)
{
    return m->esp.count && m->ah.count ? &m->ah.p[0] : NULL;
}

static bool has_esn(const struct proposal *p)
{
    const struct transform *esn = proposal_get(p, T_ESN);
    return esn && esn->id == ESN_YES;
}

static struct child_ah ah_of(const struct manual_sa *m)
{
    const struct proposal *p = manual_sa_bundle(m);
    struct child_ah ah = m->bundle;
    if (!p)
        return (struct child_ah){0};
    ah.integ = proposal_alg(p, T_INTEG);
    ah.esn = has_esn(p);
    return ah;
}

void manual_sa_child(const struct manual_sa *m, struct child_sa *out)
{
    const struct proposal *p = manual_sa_proposal(m);
    *out = (struct child_sa){.conn = m->name,
                             .child = m->name,
                             .proto = p->proto,
                             .mode = m->mode,
                             .spi_in = m->spi_in,
                             .spi_out = m->spi_out,
                             .encr = proposal_alg(p, T_ENCR),
                             .integ = proposal_alg(p, T_INTEG),
                             .esn = has_esn(p),
                             .replay_window = m->replay_window,
                             .udp_encap = m->encap,
                             .local = m->local,
                             .remote = m->remote,
                             .in = m->in,
                             .out = m->out,
                             .cpi_in = m->cpi_in,
                             .cpi_out = m->cpi_out,
                             .ah = ah_of(m),
                             .seq_in = m->seq_in,
                             .seq_out = m->seq_out,
                             .life = m->life,
                             .ip = m->ip};
    ts_resolve(&m->local_ts, &m->local.addr, &out->local_ts);
    ts_resolve(&m->remote_ts, &m->remote.addr, &out->remote_ts);
}
