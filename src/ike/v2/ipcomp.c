/*
 * IPComp inside of a CHILD SA: RFC 7296 2.22, with DEFLATE (RFC 2394). Each side names the CPI that
 * it wants to receive; an answer without one declines. Used wherever a CHILD SA is negotiated.
 */
#include "ike/v2/v2.h"

static bool told(const struct v2_exch *x, uint16_t *cpi)
{
    struct notify n;
    for (const struct payload *p = NULL; (p = payloads_next(&x->msg->in, PL_NOTIFY, p));) {
        bool is = notify_peek(p->body) == N_IPCOMP_SUPPORTED && !notify_parse(p->body, &n);
        if (is && n.data.n == 3 && n.data.p[2] == IPCOMP_DEFLATE && get_u16(n.data.p)) {
            *cpi = get_u16(n.data.p);
            return true;
        }
    }
    return false;
}

void v2_ipcomp_put(struct v2_build *b, const struct v2_exch *x)
{
    uint8_t data[3] = {[2] = IPCOMP_DEFLATE};
    put_u16(data, x->cpi_in);
    if (x->cpi_in)
        v2_put_notify(b, N_IPCOMP_SUPPORTED, bytes_of(data, sizeof data));
}

/* For the initiator. */
void v2_ipcomp_ask(struct ike *e, struct v2_exch *x)
{
    x->cpi_in = x->cc->ipcomp ? ike_cpi_new(e) : 0;
}

void v2_ipcomp_answered(struct v2_exch *x)
{
    if (!x->cpi_in || !told(x, &x->cpi_out))
        x->cpi_in = x->cpi_out = 0;
}

/* For the responder. */
void v2_ipcomp_choose(struct ike *e, struct v2_exch *x)
{
    bool both = x->cc->ipcomp && told(x, &x->cpi_out);
    x->cpi_in = both ? ike_cpi_new(e) : 0;
    if (!both)
        x->cpi_out = 0;
}
