/*
 * IKE_AUTH for a half-open SA: RFC 7296 1.2, 2.4. Only an authentic message makes it a whole SA, so
 * who merely guesses or sees SPIs costs us a key derivation and no memory. ike_auth_r.c goes on.
 */
#include "ike/half.h"
#include "ike/v2/v2.h"
#include <stdlib.h>

static err_t keys_of(struct half *h, const struct v2_suite *s, struct v2_keys *k)
{
    return v2_keys_expand(k, s, bytes_of(half_seed(h), h->seed_len),
                          bytes_of(h->data + h->ni_at, h->ni_len), bytes_of(half_nr(h), h->nr_len),
                          h->spi_i, h->spi_r);
}

/* The first messages, for AUTH. */
static struct v2_init *init_of(struct ike *e, struct half *h)
{
    struct bytes answer;
    struct v2_init *i = calloc(1, sizeof *i);
    if (!i) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    if (!ike_msg_set(e, &i->req, bytes_of(h->data, h->req_len)) || !v2_init_answer(e, h, &answer) ||
        !ike_msg_set(e, &i->resp, answer)) {
        v2_init_free(i);
        return NULL;
    }
    memcpy(i->nonce, half_nr(h), sizeof i->nonce);
    i->ni = bytes_of(i->req.p + h->ni_at, h->ni_len);
    i->nr = bytes_of(i->nonce, sizeof i->nonce);
    return i;
}

static struct v2_sa *promote(struct ike *e, struct half *h, struct v2_keys *keys)
{
    struct proposal chosen;
    struct v2_init *i = init_of(e, h);
    struct ike_sa *sa = i ? sa_new(e, &ike_v2, false, h->spi_i, h->spi_r, h->id) : NULL;
    if (!sa) {
        v2_init_free(i);
        return NULL;
    }
    struct v2_sa *v = v2_of(sa);
    half_chosen(h, &chosen);
    v2_suite_set(sa, &chosen);
    sa->nat_local = h->nat_local;
    sa->nat_remote = h->nat_remote;
    sa->nat_fake = h->nat_fake;
    v->frags = h->frags;
    sa->vendors = h->vendors;
    sa->created_ms = h->born_ms;
    sa->die_ms = h->born_ms + e->set.half_open_timeout_ms;
    v->init = i;
    v->keys = *keys;
    *keys = (struct v2_keys){0};
    v->state = V2_AUTH_WAIT;
    v->win.next_in = 1;
    i->half = true; /* fragments may keep it waiting */
    i->from = h->remote.addr;
    half_end(e, h);
    half_count(e, &i->from, true);
    return v;
}

static void take(struct ike *e, struct half *h, const struct v2_row *row, struct v2_exch *x)
{
    err_t err;
    struct proposal chosen;
    struct v2_keys keys = {0};
    half_chosen(h, &chosen);
    const struct v2_suite s = v2_suite_of(&chosen);
    err = keys_of(h, &s, &keys);
    if (err)
        ike_fail(e, err < 0 ? err : E_CRYPTO);
    bool ok = !err && v2_msg_open(e, &s, &keys, true, h->frags, x->msg, &err);
    struct v2_sa *v = ok ? promote(e, h, &keys) : NULL;
    secret_free(&keys.all);
    if (v && v2_frag_take(e, v, &x->arena, x->msg, &err))
        v2_request_take(e, v, row, x, err);
    else
        v2_exch_free(e, x);
}

void v2_half_packet(struct ike *e, struct half *h, const struct ike_pkt *p)
{
    const struct v2_row *row = v2_row_find(p->exchange, false, V2_AUTH_WAIT);
    bool request = !(p->flags & IKE_FLAG_RESPONSE) && p->flags & IKE_FLAG_INITIATOR;
    if (!row || !request || p->msg_id != 1 || !h->ready) {
        ike_drop(e, p, R_STATE, ike_exchange_name(p->exchange));
        return;
    }
    struct v2_exch *x = v2_exch_new(e, false);
    if (x && (x->msg = v2_msg_new(e, &x->arena, p)))
        take(e, h, row, x);
    else
        v2_exch_free(e, x);
}
