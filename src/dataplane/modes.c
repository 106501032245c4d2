/* SAs of the other modes, installed: see modes.h. */
#include "dataplane/modes.h"
#include "dataplane/lifetime.h"
#include <stdlib.h>

void modes_close(struct modes *m)
{
    if (!m)
        return;
    ipcomp_free(m->zip);
    free(m->arena);
    free(m);
}

static err_t open_once(struct dp *d, bool zip)
{
    if (!d->modes && !(d->modes = table_new(sizeof *d->modes)))
        return E_NOMEM;
    struct modes *m = d->modes;
    if (!m->arena && !(m->arena = malloc(MODES_ARENA)))
        return E_NOMEM;
    return zip && !m->zip ? ipcomp_new(&m->zip) : E_OK;
}

uint8_t *modes_room(struct modes *m, uint32_t cap)
{
    if (MODES_ARENA - m->used < cap + DP_IP_MAX)
        return NULL;
    uint8_t *room = m->arena + m->used + DP_IP_MAX;
    m->used += DP_IP_MAX + cap;
    return room;
}

void modes_trim(struct modes *m, const uint8_t *room, uint32_t len)
{
    m->used = (size_t)(room - m->arena) + len;
}

/* BEET packets carry no addresses, so there is one on each side. */
static bool beet_ok(const struct child_sa *sa)
{
    const struct addr *l = ts_list_host(&sa->local_ts), *r = ts_list_host(&sa->remote_ts);
    return l && r && l->family == r->family;
}

err_t modes_check(const struct child_sa *sa)
{
    bool ah = sa->proto == PROTO_AH;
    if ((sa->proto != PROTO_ESP && !ah) || sa->mode > MODE_BEET)
        return E_NOTSUP;
    if (ah ? sa->encr || !sa->integ || sa->udp_encap : !sa->encr) /* AH holds the addresses */
        return E_NOTSUP;
    if (sa->ah.integ && (ah || sa->udp_encap || sa->ah.spi_in == sa->spi_in))
        return E_NOTSUP;
    if ((ah || sa->ah.integ) && (addr_any(&sa->local.addr) || addr_any(&sa->remote.addr)))
        return E_NOTSUP;
    return sa->mode != MODE_BEET || beet_ok(sa) ? E_OK : E_NOTSUP;
}

static struct framing ah_framing(const struct alg *integ, bool esn)
{
    return (struct framing){
        .hdr_len = AH_FIXED, .icv_len = integ->icv_len, .esn = esn, .kind = KIND_AH};
}

struct key_seed *mode_seed(struct mode *m, enum child_dir dir)
{
    struct key_seed *in = (struct key_seed *)m->seeds;
    return dir == DIR_IN ? in : keying_seed_next(in);
}

static err_t ah_in_new(struct dp *d, const struct child_sa *sa, struct child *c, struct mode *m)
{
    struct sa_in *in = m->ah_in = pool_get(&d->sa_in);
    if (!in)
        return E_NOMEM;
    *in = (struct sa_in){.child = c,
                         .child_id = c->id,
                         .f = ah_framing(sa->ah.integ, sa->ah.esn),
                         .remote = sa->remote};
    life_init_in(in, &sa->life);
    err_t e = replay_init(&in->replay, sa->replay_window, in->own_bits);
    if (!e)
        replay_begin(&in->replay, sa->seq_in);
    return e ? e
             : keying_keep(&d->keying, alg_find(T_ENCR, ENCR_NULL, 0), sa->ah.integ,
                           (struct bytes){0}, secret_bytes(&sa->ah.in), mode_seed(m, DIR_IN));
}

static err_t ah_out_new(struct dp *d, const struct child_sa *sa, struct child *c, struct mode *m)
{
    struct sa_out *out = m->ah_out = pool_get(&d->sa_out);
    if (!out)
        return E_NOMEM;
    *out = (struct sa_out){.gen = out->gen + 1,
                           .spi = sa->ah.spi_out,
                           .seq = sa->seq_out,
                           .child = c,
                           .child_id = c->id,
                           .f = ah_framing(sa->ah.integ, sa->ah.esn),
                           .local = sa->local,
                           .remote = sa->remote};
    life_init_out(out, &sa->life);
    return keying_keep(&d->keying, alg_find(T_ENCR, ENCR_NULL, 0), sa->ah.integ, (struct bytes){0},
                       secret_bytes(&sa->ah.out), mode_seed(m, DIR_OUT));
}

/* The SPI of a bundle's AH has a slot like any other. */
static err_t ah_slot(struct dp *d, struct mode *m, uint32_t spi)
{
    if (dp_spi_worker(spi, d->set.workers) != d->set.self)
        return E_USAGE; /* it would arrive at another worker than the ESP within */
    if (!sad_reserved(&d->sad, spi) && !sad_adopt(&d->sad, spi))
        return R_EXISTS;
    if (!sad_take(&d->sad, spi))
        return R_EXISTS;
    m->ah_spi_in = spi;
    return E_OK;
}

static err_t bundle_new(struct dp *d, const struct child_sa *sa, struct child *c)
{
    struct mode *m = c->mode;
    err_t e = ah_in_new(d, sa, c, m);
    if (!e)
        e = ah_out_new(d, sa, c, m);
    return e ? e : ah_slot(d, m, sa->ah.spi_in);
}

static const struct addr *either(const struct addr *a, const struct addr *b)
{
    return a->family ? a : b;
}

void modes_moved(struct child *c)
{
    struct mode *m = c->mode;
    const struct addr *local = &c->out->local.addr, *remote = &c->in->remote.addr;
    m->repair = m->oa_local.family || m->oa_remote.family;
    if (m->repair)
        m->csum_fix = transport_fix(either(&m->oa_remote, remote), either(&m->oa_local, local),
                                    remote, local);
    if (m->ah_in) {
        m->ah_out->local = c->out->local;
        m->ah_in->remote = m->ah_out->remote = c->in->remote;
    }
}

err_t modes_add(struct dp *d, const struct child_sa *sa, struct child *c)
{
    size_t seeds = keying_seed_size((struct bytes){0}, secret_bytes(&sa->ah.in)) +
                   keying_seed_size((struct bytes){0}, secret_bytes(&sa->ah.out));
    struct mode *m = c->mode = calloc(1, sizeof *m + seeds);
    if (!m)
        return E_NOMEM;
    *m = (struct mode){.mode = sa->mode,
                       .cpi_in = sa->cpi_in,
                       .cpi_out = sa->cpi_out,
                       .oa_local = sa->oa_local,
                       .oa_remote = sa->oa_remote};
    if (m->mode == MODE_BEET) {
        m->inner_local = sa->local_ts.ts[0].lo;
        m->inner_remote = sa->remote_ts.ts[0].lo;
    }
    err_t e = open_once(d, sa->cpi_in || sa->cpi_out);
    if (!e && sa->ah.integ)
        e = bundle_new(d, sa, c);
    if (!e)
        modes_moved(c);
    return e;
}

void modes_install(struct dp *d, struct child *c)
{
    if (c->mode && c->mode->ah_in)
        sad_slot_of(&d->sad, c->mode->ah_spi_in)->sa = c->mode->ah_in;
}

void modes_del(struct dp *d, struct child *c)
{
    struct mode *m = c->mode;
    if (!m)
        return;
    if (m->ah_spi_in)
        sad_release(&d->sad, m->ah_spi_in);
    keying_drop(&d->keying, mode_seed(m, DIR_IN), m->ah_in ? m->ah_in->key : NULL);
    keying_drop(&d->keying, mode_seed(m, DIR_OUT), m->ah_out ? m->ah_out->key : NULL);
    if (m->ah_in)
        sa_in_free(d, m->ah_in);
    if (m->ah_out)
        pool_put(&d->sa_out, m->ah_out);
    free(m);
    c->mode = NULL;
}

/* What stands between the outer header and the payload, and the payload's own padding. */
static uint32_t overhead(const struct child *c, unsigned family)
{
    const struct framing *f = &c->out->f;
    if (f->kind == KIND_AH)
        return ah_size(family, f->icv_len);
    uint32_t n = f->hdr_len + f->icv_len + (f->udp ? 8u : 0u);
    return n + (c->mode->ah_out ? ah_size(family, c->mode->ah_out->f.icv_len) : 0);
}

void modes_stats(const struct child *c, struct child_stats *out)
{
    out->compressed = c->mode->zipped;
    out->not_compressed = c->mode->not_zipped;
    out->decompressed = c->mode->unzipped;
}

/* The header of a packet, which is not part of ESP. */
static uint32_t header_saved(const struct child *c)
{
    const struct mode *m = c->mode;
    unsigned family = m->mode == MODE_BEET ? m->inner_local.family : c->out->remote.addr.family;
    return m->mode == MODE_TUNNEL ? 0 : family == 6 ? 40 : 20;
}

bool modes_dummy(const struct child *c, uint32_t *saved)
{
    *saved = header_saved(c);
    return c->out->f.kind == KIND_ESP && !c->mode->ah_out;
}

uint16_t modes_inner_mtu(const struct child *c, unsigned outer_family, uint16_t mtu)
{
    uint32_t outer = outer_family == 6 ? 40 : 20;
    uint32_t esp = c->out->f.kind == KIND_ESP ? 2 : 0, mask = c->out->f.align_mask;
    uint32_t fixed = outer + overhead(c, outer_family);
    if (mtu < fixed + mask + 1 + esp)
        return 0;
    return (uint16_t)(((mtu - fixed) & ~mask) - esp + header_saved(c));
}
