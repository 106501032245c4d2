/*
 * Virtual addresses in IKE_AUTH: RFC 7296 2.19, 3.15. The initiator asks before it knows its
 * selectors; the responder assigns first and narrows by what it assigned.
 */
#include "ike/v2/v2.h"
#include "ike/vip.h"

void v2_cp_put(struct v2_build *b, const struct cfg_body *c)
{
    payload_begin(&b->c, PL_CP);
    cfg_write(&b->w, false, c);
    payload_end(&b->c);
}

void v2_cp_ask(struct ike *e, const struct v2_sa *v, struct v2_build *b)
{
    struct cfg_body c = {.type = CFG_REQUEST};
    if (!v->sa.conn->vip_count)
        return;
    vip_ask(e, &v->sa, false, &c);
    v2_cp_put(b, &c);
}

static err_t read(struct ike *e, const struct v2_msg *m, uint8_t type, struct cfg_body **out)
{
    struct bytes body = v2_body(m, PL_CP);
    *out = ike_alloc(e, sizeof **out);
    if (!*out)
        return E_NOMEM;
    if (!body.p || cfg_parse(body, false, *out) || (*out)->type != type)
        **out = (struct cfg_body){0}; /* 3.15: what makes no sense is as if it were not there */
    return E_OK;
}

err_t v2_cp_take(struct ike *e, struct v2_sa *v, const struct v2_msg *m)
{
    struct cfg_body *c;
    if (!v->sa.conn->vip_count)
        return E_OK;
    err_t err = read(e, m, CFG_REPLY, &c);
    return err ? err : vip_take(e, &v->sa, c);
}

static bool wants_address(const struct cfg_body *c)
{
    return cfg_find(c, CFG_IP4_ADDRESS) || cfg_find(c, CFG_IP6_ADDRESS);
}

/* 3.15.4: FAILED_CP_REQUIRED, where all peers of the connection get an address. */
static err_t required(struct ike *e, struct v2_sa *v)
{
    struct refusal r = {
        .reason = R_CP_REQUIRED,
        .what = "vips",
        .ours = "addresses of our pools only",
        .theirs = "none was asked for",
        .hint = "set vips = 0.0.0.0 at the peer",
        .clause = "RFC 7296 3.15.4",
    };
    ike_refused(e, &v->sa, &r);
    return r.reason;
}

err_t v2_cp_give(struct ike *e, struct v2_sa *v, const struct v2_msg *m, struct cfg_body **reply)
{
    struct cfg_body *asked;
    bool pools = v->sa.conn->pool_count > 0;
    *reply = NULL;
    err_t err = read(e, m, CFG_REQUEST, &asked);
    if (err || (!pools && !wants_address(asked)))
        return err;
    if (!wants_address(asked))
        return required(e, v);
    *reply = ike_alloc(e, sizeof **reply);
    if (!*reply)
        return E_NOMEM;
    **reply = (struct cfg_body){.type = CFG_REPLY};
    err = vip_give(e, &v->sa, asked, false, *reply);
    if (err)
        *reply = NULL;
    return err;
}
