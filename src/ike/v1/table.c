/*
 * The states of phase 1 as rows: which message may come when, whether encrypted, what it must and
 * may carry, who handles it, and the RFC's clause. v1_packet finds the row and reads the message;
 * phase 2 and informational exchanges have their own files.
 */
#include "ike/v1/v1.h"
#include <stdlib.h>

#define B(t)      V1_BIT(t)
#define B_ANYTIME (B(P1_VENDOR) | B(P1_NOTIFY))
#define B_CERTS   (B(P1_CERT) | B(P1_CERTREQ))
#define B_VALUES  (B(P1_KE) | B(P1_NONCE))
#define B_PROOF   (B(P1_HASH) | B(P1_SIG)) /* one of them: as the method says */

enum clear { CLEAR, SEALED, EITHER };

static const struct row {
    uint8_t exchange;
    uint16_t from;
    enum clear clear;
    uint32_t must, may;
    v1_handler *handler;
    const char *clause;
} rows[] = {
    {EXCH_V1_MAIN, V1_I_MM1, CLEAR, B(P1_SA), B_ANYTIME, v1_main2, "RFC 2409 5.4"},
    {EXCH_V1_MAIN, V1_R_MM2, CLEAR, B_VALUES, B_ANYTIME | B(P1_NAT_D) | B(P1_CERTREQ), v1_main3,
     "RFC 2409 5.4"},
    {EXCH_V1_MAIN, V1_I_MM3, CLEAR, B_VALUES, B_ANYTIME | B(P1_NAT_D) | B(P1_CERTREQ), v1_main4,
     "RFC 2409 5.4"},
    {EXCH_V1_MAIN, V1_R_MM4, SEALED, B(P1_ID) | B_PROOF, B_ANYTIME | B_CERTS, v1_main5,
     "RFC 2409 5.4"},
    {EXCH_V1_MAIN, V1_I_MM5, SEALED, B(P1_ID) | B_PROOF, B_ANYTIME | B_CERTS, v1_main6,
     "RFC 2409 5.4"},
    {EXCH_V1_AGGRESSIVE, V1_I_AM1, CLEAR, B(P1_SA) | B_VALUES | B(P1_ID) | B_PROOF,
     B_ANYTIME | B(P1_NAT_D) | B_CERTS, v1_aggressive2, "RFC 2409 5.4"},
    {EXCH_V1_AGGRESSIVE, V1_R_AM2, EITHER, B_PROOF, B_ANYTIME | B(P1_NAT_D) | B_CERTS,
     v1_aggressive3, "RFC 2409 5.4"},
};

static const struct row *row_find(uint8_t exchange, uint16_t state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].exchange == exchange && rows[i].from & state)
            return &rows[i];
    return NULL;
}

err_t v1_payloads_check(const struct v1_msg *m, uint32_t must, uint32_t may)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < m->in.count; i++)
        if (m->in.p[i].known)
            seen |= B(m->in.p[i].type);
    if (seen & ~(must | may))
        return R_UNEXPECTED_PAYLOAD;
    return must & ~seen ? (err_t)R_MISSING_PAYLOAD : E_OK;
}

void v1_digest(struct bytes raw, uint8_t out[20])
{
    if (cr_sha1(raw, out))
        memset(out, 0, 20);
}

static bool repeated(struct ike *e, struct v1_sa *v, const struct ike_pkt *p)
{
    uint8_t digest[20];
    v1_digest(p->raw, digest);
    if (memcmp(digest, v->last_in, sizeof digest) != 0)
        return false;
    if (!v->last_out.p)
        return true;
    e->stats.retransmits++;
    if (v->sa.initiator) /* it may have floated to UDP 4500 since: RFC 3947 4 */
        ike_send(e, &v->sa, v1_bytes(&v->last_out));
    else
        ike_send_to(e, &p->local, &p->remote, p->natt, v1_bytes(&v->last_out));
    return true;
}

/* RFC 2409 5.1, 5.4: SIG where signatures were agreed, HASH otherwise; which of them, the second
 * message of aggressive mode only tells itself. */
static uint32_t proof(const struct v1_sa *v, const struct v1_msg *m, uint32_t must)
{
    bool sig =
        v->method ? v1_proof_of(v, !v->sa.initiator) == V1_PROOF_SIG : v1_body(m, P1_SIG).p != NULL;
    return must & B_PROOF ? must & ~(sig ? B(P1_HASH) : B(P1_SIG)) : must;
}

static bool encryption_fits(const struct row *row, const struct ike_pkt *p)
{
    bool sealed = p->flags & IKE_V1_FLAG_ENCRYPTION;
    return row->clear == EITHER || sealed == (row->clear == SEALED);
}

static void phase1(struct ike *e, struct v1_sa *v, const struct ike_pkt *p)
{
    const struct row *row = row_find(p->exchange, v->state);
    if (repeated(e, v, p))
        return;
    if (!row || !v->p1 || v->p1->resume || p->msg_id || !encryption_fits(row, p)) {
        ike_drop(e, p, R_STATE, ike_exchange_name(p->exchange));
        return;
    }
    struct v1_msg *m = v1_msg_new(e, &e->out->arena, p);
    err_t err = m ? v1_msg_read(v, m, m->encrypted ? v->iv : NULL) : E_NOMEM;
    if (!err)
        err = v1_payloads_check(m, proof(v, m, row->must), row->may);
    if (err < 0)
        ike_fail(e, err);
    else if (err && m->encrypted && !v->sa.initiator)
        v1_garbled(e, v, &m->pkt, R_DECRYPT); /* padding, syntax and hash fail alike */
    else if (err)
        ike_drop(e, p, m->encrypted ? R_DECRYPT : err, ike_exchange_name(p->exchange));
    if (err)
        return;
    v1_msg_event(e, EV_MSG_RECEIVED, &v->sa, &m->hdr, &m->in);
    row->handler(e, v, m);
}

static void known(struct ike *e, struct v1_sa *v, const struct ike_pkt *p)
{
    if (v1_keep_early(v, p))
        return;
    switch (p->exchange) {
    case EXCH_V1_MAIN:
    case EXCH_V1_AGGRESSIVE:
        phase1(e, v, p);
        break;
    case EXCH_V1_QUICK:
        v1_quick_in(e, v, p);
        break;
    case EXCH_V1_INFO:
        v1_info_in(e, v, p);
        break;
    case EXCH_V1_TRANSACTION:
        v1_trans_in(e, v, p);
        break;
    default:
        ike_drop(e, p, R_EXCHANGE, ike_exchange_name(p->exchange));
    }
}

void v1_packet(struct ike *e, struct ike_sa *sa, const struct ike_pkt *p)
{
    bool phase1_exchange = p->exchange == EXCH_V1_MAIN || p->exchange == EXCH_V1_AGGRESSIVE;
    bool first = phase1_exchange && !p->spi_r && !p->msg_id && p->spi_i;
    if (p->next == P1_FRAGMENT && !(sa && sa->state == SA_GONE))
        v1_frag_in(e, sa, p);
    else if (sa && sa->state == SA_GONE)
        ike_drop(e, p, R_STATE, ike_exchange_name(p->exchange));
    else if (sa)
        known(e, v1_of(sa), p);
    else if (first && !(p->flags & IKE_V1_FLAG_ENCRYPTION))
        v1_first(e, p);
    else
        ike_drop(e, p, R_IKE_SPI, ike_exchange_name(p->exchange));
}

/* The message that waits for an answer stays without. */
void v1_timeout(struct ike *e, struct ike_sa *sa)
{
    struct v1_sa *v = v1_of(sa);
    if (v->state & (V1_XAUTH | V1_CONF)) {
        v1_conf_silent(e, v);
        v1_lost(e, v, R_PEER_TIMEOUT);
        return;
    }
    if (v->state != V1_UP) {
        bool psk = v->state == V1_I_MM5 && v1_uses_psk(v->method);
        v1_silent(e, v);
        v1_lost(e, v, psk ? R_PSK_MISMATCH : R_PEER_TIMEOUT);
        return;
    }
    struct event *ev = ike_event(e, EV_DPD, sa, NULL);
    ev->reason = R_PEER_DEAD;
    ev->text = "no answer to quick mode";
    e->evidence = ev;
    sa_drop(e, sa, R_PEER_DEAD);
}

/* As engineers know them from other implementations' screens. */
const char *v1_state_name(const struct ike_sa *sa)
{
    const struct v1_sa *v = (const struct v1_sa *)sa;
    switch (v->state) {
    case V1_R_MM2:
    case V1_I_MM3:
        return "MM_SA_SETUP";
    case V1_R_MM4:
    case V1_I_MM5:
        return "MM_KEY_EXCH";
    case V1_R_AM1:
    case V1_R_AM2:
        return "AG_INIT_EXCH";
    case V1_XAUTH:
        return "CONF_XAUTH";
    case V1_CONF:
        return "CONF_ADDR";
    case V1_UP:
        return "QM_IDLE";
    case V1_I_AM1:
        return "AG_NO_STATE";
    default:
        return v->aggressive ? "AG_NO_STATE" : "MM_NO_STATE";
    }
}
