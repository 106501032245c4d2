/*
 * What main and aggressive mode, initiator and responder share: nonces, keys, HASH_I and HASH_R,
 * vendor ids, sending, the end with success and without. RFC 2409 5, RFC 2408 5.
 */
#include "ike/v1/v1.h"
#include "wire/vendor.h"
#include <stdlib.h>

#define REPEAT_MS 60000 /* how long the last answer of phase 1 may be asked for again */

struct v1_phase1 *v1_p1_new(struct ike *e, struct v1_sa *v)
{
    v->p1 = calloc(1, sizeof *v->p1);
    if (!v->p1) {
        ike_fail(e, E_NOMEM);
        return NULL;
    }
    v->p1->serial = ++e->next_exch;
    return v->p1;
}

void v1_p1_free(struct v1_phase1 *p)
{
    if (!p)
        return;
    struct ike_msg *all[] = {&p->sa_i, &p->id_i, &p->id_r,   &p->ke_i, &p->ke_r,
                             &p->ni,   &p->nr,   &p->chosen, &p->proof};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ike_msg_free(all[i]);
    if (p->ke)
        cr_ke_free(p->ke);
    secret_free(&p->shared);
    secret_free(&p->psk);
    sig_own_free(p->own);
    sig_work_free(p->sig);
    v1_peer_conn_set(p, NULL);
    arena_free(&p->arena);
    arena_free(&p->asking);
    free(p);
}

bool v1_p1_nonce(struct ike *e, struct ike_msg *to)
{
    uint8_t nonce[V1_NONCE_LEN];
    e->env.random(e->env.ctx, nonce, sizeof nonce);
    return ike_msg_set(e, to, bytes_of(nonce, sizeof nonce));
}

static void bad_value(struct ike *e, struct v1_sa *v)
{
    struct refusal r = {.reason = R_KE_VALUE,
                        .what = "key exchange",
                        .clause = "RFC 6989 2",
                        .text = "public value of the peer"};
    ike_refused(e, &v->sa, &r);
    v1_lost(e, v, R_KE_VALUE);
}

/* The shared secret is there: SKEYID and all that follows from it. */
bool v1_p1_keys(struct ike *e, struct v1_sa *v)
{
    struct v1_phase1 *p = v->p1;
    struct v1_seeds s = {.prf = v->sa.prf,
                         .encr = v->sa.encr,
                         .psk = secret_bytes(&p->psk),
                         .shared = secret_bytes(&p->shared),
                         .ni = v1_bytes(&p->ni),
                         .nr = v1_bytes(&p->nr),
                         .cky_i = v->sa.spi_i,
                         .cky_r = v->sa.spi_r};
    if (p->job_err) {
        bad_value(e, v);
        return false;
    }
    err_t err = v1_keys_make(&v->keys, &s);
    if (!err)
        err = v1_iv_phase1(s.prf, v1_bytes(&p->ke_i), v1_bytes(&p->ke_r), v->iv);
    if (!err)
        return true;
    ike_fail(e, err < 0 ? err : E_CRYPTO);
    v1_lost(e, v, R_KE_VALUE);
    return false;
}

/* --- vendor ids: RFC 3706 5.1, RFC 3947 3.1 --- */

/* draft-beaulieu-ike-xauth-02 3; Cisco Unity says that we know its attributes of Mode Config */
static void put_travel_vendors(struct v1_build *b, const struct conn *c)
{
    if (c->xauth_local || c->xauth_remote)
        payload_put(&b->c, P1_VENDOR, vendor_id("XAuth"));
    if (!c->vip_count && !c->pool_count)
        return;
    payload_begin(&b->c, P1_VENDOR);
    wr_bytes_put(&b->w, vendor_id("Cisco Unity"));
    wr_u16(&b->w, 0x0100); /* version 1.0 */
    payload_end(&b->c);
}

void v1_put_vendors(struct v1_build *b, const struct v1_sa *v)
{
    put_travel_vendors(b, v->sa.conn);
    payload_put(&b->c, P1_VENDOR, vendor_id("DPD"));
    payload_put(&b->c, P1_VENDOR, vendor_id("NAT-T (RFC 3947)"));
    if (v->sa.conn->fragmentation != FRAG_NO)
        payload_put(&b->c, P1_VENDOR, vendor_id("FRAGMENTATION"));
}

void v1_read_vendors(struct ike *e, struct v1_sa *v, const struct v1_msg *m)
{
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, P1_VENDOR, p));) {
        const char *name = vendor_name(p->body);
        v->sa.vendors |= vendor_bit(p->body);
        v->peer_unity |= name && !strcmp(name, "Cisco Unity");
        v->peer_dpd |= bytes_eq(p->body, vendor_id("DPD"));
        v->peer_natt |= bytes_eq(p->body, vendor_id("NAT-T (RFC 3947)"));
        v->peer_frag |= name && !strcmp(name, "FRAGMENTATION");
        ike_event(e, EV_MSG_VENDOR, &v->sa, NULL)->text = name ? name : "unknown";
    }
}

/* --- identities and hashes --- */

void v1_local_id(const struct ike_sa *sa, const struct conn *c, struct id *out)
{
    sig_local_id(c, &sa->local.addr, out);
}

bool v1_id_body(struct ike *e, const struct id *id, struct ike_msg *out)
{
    uint8_t body[ID_MAX + 8];
    struct wr w = wr_of(body, sizeof body);
    id_v1_write(&w, id);
    if (!w.err)
        return ike_msg_set(e, out, wr_bytes(&w));
    ike_fail(e, w.err);
    return false;
}

bool v1_hash_ok(struct ike *e, const struct v1_sa *v, bool initiators, struct bytes got)
{
    uint8_t want[CR_HASH_MAX];
    size_t n = v->sa.prf->out_len;
    err_t err = v1_hash_phase1(v, v->sa.prf, initiators, want);
    if (err < 0)
        ike_fail(e, err);
    return !err && got.n == n && secret_eq(got.p, want, n);
}

/* RFC 2407 4.6.3.3: only when we have no other SA with that peer. */
bool v1_first_contact(struct ike *e, struct v1_sa *v)
{
    enum unique u = v->sa.conn->unique;
    return (u == UNIQUE_REPLACE || u == UNIQUE_KEEP) && v->sa.ids && !sa_peer_next(e, &v->sa, NULL);
}

void v1_read_contact(struct v1_sa *v, const struct v1_msg *m)
{
    struct notify_v1 n;
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, P1_NOTIFY, p));)
        if (!notify_v1_parse(p->body, &n) && n.type == N1_INITIAL_CONTACT)
            v->p1->initial_contact = true;
}

/* --- sending --- */

void v1_p1_ask(struct ike *e, struct v1_sa *v, struct ike_msg *m)
{
    ike_msg_free(&v->last_out);
    retransmit_start(e, &v->sa, 0, v1_bytes(m));
    ike_msg_free(m);
}

void v1_p1_answer(struct ike *e, struct v1_sa *v, struct ike_msg *m)
{
    ike_msg_free(&v->last_out);
    v->last_out = *m;
    *m = (struct ike_msg){0};
    v->forget_at = e->now + REPEAT_MS;
    ike_send(e, &v->sa, v1_bytes(&v->last_out));
}

void v1_p1_accept(struct v1_sa *v, const struct v1_msg *m)
{
    v1_digest(m->pkt.raw, v->last_in);
    if (m->encrypted)
        memcpy(v->iv, m->iv, sizeof v->iv);
}

/* RFC 2408 3.14: without an SA, so nothing protects it; one for each message that came */
void v1_refuse_clear(struct ike *e, const struct ike_pkt *p, uint16_t type)
{
    struct ike_msg out = {0};
    struct v1_build b;
    struct v1_sa nobody = {.sa.spi_i = p->spi_i, .sa.spi_r = p->spi_r};
    if (!v1_build_begin(e, &nobody, &b, EXCH_V1_INFO, (uint32_t)ike_random_u64(e)))
        return;
    v1_put_notify_sa(&b, &nobody, type, bytes_of(NULL, 0));
    ike_hdr_end(&b.w, 0);
    if (!b.w.err && ike_msg_set(e, &out, wr_bytes(&b.w)))
        ike_send_to(e, &p->local, &p->remote, p->natt, v1_bytes(&out));
    ike_msg_free(&out);
}

/* --- the end --- */

static struct v1_sa *renewed_by(const struct ike *e, const struct v1_sa *v)
{
    struct ike_sa *old = v->replaces ? sa_by_id(e, v->replaces) : NULL;
    return old && old->state == SA_ESTABLISHED ? v1_of(old) : NULL;
}

#define RENEW_RETRY_MS 15000

/* The negotiation failed: another attempt, or the end; an SA that was to be renewed stays. */
void v1_lost(struct ike *e, struct v1_sa *v, err_t reason)
{
    struct v1_sa *old = renewed_by(e, v);
    if (old) {
        old->successor = 0;
        old->sa.rekey_ms = e->now + RENEW_RETRY_MS + ike_random_below(e, RENEW_RETRY_MS);
        sa_dirty(e, &old->sa);
    } else if (reason == R_PEER_TIMEOUT && v->sa.initiator) {
        ike_retry(e, &v->sa);
    }
    sa_drop(e, &v->sa, reason);
}

/* RFC 2407 4.5.4: the shorter lifetime counts; we renew before it ends. */
static void set_times(struct ike *e, struct v1_sa *v)
{
    struct ike_sa *sa = &v->sa;
    sa_times_set(e, sa);
    if (sa->reauth_ms < sa->rekey_ms) /* with IKEv1 renewing always authenticates anew */
        sa->rekey_ms = sa->reauth_ms;
    sa->reauth_ms = UINT64_MAX;
    if (!v->life_s)
        return;
    uint64_t end = e->now + v->life_s * 1000, soft = e->now + v->life_s * 900;
    sa->over_ms = sa->over_ms < end ? sa->over_ms : end;
    sa->rekey_ms = sa->rekey_ms < soft ? sa->rekey_ms : soft;
}

bool v1_keep_early(struct v1_sa *v, const struct ike_pkt *p)
{
    struct v1_phase1 *p1 = v->p1;
    bool last = v->state & (V1_R_AM2 | V1_I_MM5) && p1 && p1->resume;
    if (!last || p->exchange == EXCH_V1_MAIN || p->exchange == EXCH_V1_AGGRESSIVE)
        return false;
    if (!p1->early.raw.p) {
        p1->early = *p;
        p1->early.raw = arena_copy(&p1->arena, p->raw);
    }
    return true;
}

void v1_up(struct ike *e, struct v1_sa *v)
{
    struct ike_sa *sa = &v->sa;
    v->state = V1_UP;
    v->conf_at = 0;
    sa->state = SA_ESTABLISHED;
    sa->established_ms = sa->seen_ms = e->now;
    sa->die_ms = UINT64_MAX;
    sa->attempt = 1;
    set_times(e, v);
    ike_event(e, EV_IKE_ESTABLISHED, sa, NULL)->text =
        v->aggressive ? "IKEv1 aggressive mode" : "IKEv1 main mode";
    v1_renewed(e, v);
    sa_peers_add(e, sa);
    waiters_done(e, &sa->up, E_OK);
    v1_p1_free(v->p1);
    v->p1 = NULL;
}

/* How far the negotiation came tells where to look. */
void v1_silent(struct ike *e, struct v1_sa *v)
{
    char to[ENDPOINT_STR_MAX];
    struct ike_sa *sa = &v->sa;
    bool auth = v->state == V1_I_MM5 || v->state == V1_R_AM2;
    bool first = v->state & (V1_I_MM1 | V1_I_AM1);
    if (auth && v->state == V1_I_MM5) {
        (void)v1_unbelieved(e, v,
                            v1_uses_psk(v->method)
                                ? "no answer to the first encrypted message: a peer with another "
                                  "secret cannot read it"
                                : "no answer to our certificate and signature");
        return;
    }
    endpoint_str(&sa->remote, to);
    struct refusal r = {
        .reason = R_PEER_TIMEOUT,
        .what = v->aggressive ? "aggressive mode" : "main mode",
        .ours = ike_strf(e, "message sent %u times to %s in %llu s", sa->rtx->sent, to,
                         (unsigned long long)(e->now - sa->created_ms) / 1000),
        .theirs = first ? "no answer at all" : "answered before, then no more",
        .hint = ike_strf(e,
                         "check that an IKEv1 daemon runs there and has a connection for our "
                         "address and mode, that UDP 500 and 4500 pass firewalls both ways, and "
                         "connections.%s.remote_addrs",
                         sa->conn ? sa->conn->name : "?"),
        .clause = "RFC 2408 5.1",
    };
    ike_peer_refused(e, sa, &r);
}
