/*
 * The mode of a CHILD SA: RFC 7296 1.3.1, and through a NAT 2.23.1. Transport mode is asked for
 * with USE_TRANSPORT_MODE, and declined by leaving that out of the answer; then the SA is one of
 * tunnel mode, which an initiator that wants none deletes at once. BEET is no standard: it is
 * strongSwan's USE_BEET_MODE, used in the same way. Both protect the same, so where the peer has
 * none, tunnel mode it is. Used wherever a CHILD SA is negotiated.
 */
#include "ike/v2/v2.h"
#include "wire/vendor.h"

static bool has(const struct v2_exch *x, uint16_t type)
{
    struct notify n;
    return v2_notify_find(x->msg, type, &n);
}

/* A private number is anybody's (3.10.1). But it counts only where mode = beet is configured, and
 * strongSwan does not say by default who it is, though it expects that of others. */
enum ipsec_mode v2_mode_told(const struct v2_exch *x)
{
    if (has(x, N_USE_TRANSPORT_MODE))
        return MODE_TRANSPORT;
    return has(x, N_USE_BEET_MODE) ? MODE_BEET : MODE_TUNNEL;
}

void v2_mode_put(struct v2_build *b, const struct v2_exch *x)
{
    if (x->mode == MODE_TRANSPORT)
        v2_put_notify(b, N_USE_TRANSPORT_MODE, bytes_of(NULL, 0));
    if (x->mode == MODE_BEET)
        v2_put_notify(b, N_USE_BEET_MODE, bytes_of(NULL, 0));
}

bool v2_mode_private(const struct conn *c)
{
    for (size_t i = 0; i < c->child_count; i++)
        if (c->child[i].policy == CHILD_PROTECT && c->child[i].mode == MODE_BEET)
            return true;
    return false;
}

/* 3.12: whose private numbers we speak. */
void v2_mode_put_vendor(struct v2_build *b)
{
    payload_put(&b->c, PL_VENDOR, vendor_id("strongSwan"));
}

/* The peer's selectors as seen from here; what they said is where checksums were made. */
void v2_mode_as_seen(const struct v2_sa *v, struct v2_exch *x, struct ts_list *local,
                     struct ts_list *remote)
{
    const struct ike_sa *sa = &v->sa;
    if (!sa_udp(sa) || !local->count || !remote->count)
        return;
    x->oa_local = local->ts[0].lo;
    x->oa_remote = remote->ts[0].lo;
    if (sa->nat_local)
        mode_replace_host(local, &sa->local.addr);
    if (sa->nat_remote)
        mode_replace_host(remote, &sa->remote.addr);
}

static bool beet_fits(const struct v2_exch *x)
{
    return ts_list_host(x->tsi) && ts_list_host(x->tsr);
}

static void say(struct ike *e, const struct v2_sa *v, const struct v2_exch *x, const char *theirs)
{
    struct event *ev = ike_event(e, EV_CHILD_MODE, &v->sa, NULL);
    ev->child = ike_str(e, x->cc->name);
    ev->what = "mode";
    ev->ours = mode_name(x->cc->mode);
    ev->theirs = theirs;
    ev->clause = "RFC 7296 1.3.1";
    if (x->cc->mode != MODE_BEET)
        return;
    ev->text = ike_strf(e, "and tunnel mode is used for %s === %s", ike_str_ts(e, x->tsi),
                        ike_str_ts(e, x->tsr));
    ev->hint = "set mode = beet at the peer too, with one address on each side";
}

/* --- for the responder --- */

/* Child and selectors are chosen. The peer decides what it makes of our answer; the event tells why
 * it may end the SA again. */
void v2_mode_choose(struct ike *e, const struct v2_sa *v, struct v2_exch *x)
{
    enum ipsec_mode told = v2_mode_told(x);
    bool have = told == x->cc->mode && (told != MODE_BEET || beet_fits(x));
    x->mode = have ? told : MODE_TUNNEL;
    if (!have)
        say(e, v, x, told ? ike_strf(e, "%s, if we like", mode_name(told)) : mode_name(told));
}

/* --- for the initiator, when the answer is here --- */

static void beet_for_many(struct ike *e, const struct v2_exch *x, struct refusal *r)
{
    *r = (struct refusal){
        .reason = R_MODE,
        .what = "mode",
        .ours = "beet",
        .theirs = ike_strf(e, "beet for %s === %s", ike_str_ts(e, x->tsi), ike_str_ts(e, x->tsr)),
        .text = "packets of BEET carry no addresses, so it joins one with one",
        .hint = ike_strf(e,
                         "write one address each in connections.%s.children.%s.local_ts and "
                         "remote_ts, or set mode = tunnel there",
                         x->conn->name, x->cc->name),
        .child = x->cc->name,
    };
}

err_t v2_mode_accept(struct ike *e, const struct v2_sa *v, struct v2_exch *x, struct refusal *r)
{
    enum ipsec_mode told = v2_mode_told(x);
    if (told == MODE_BEET && x->mode != MODE_BEET)
        told = MODE_TUNNEL; /* the number is somebody else's: 3.10.1 has it ignored */
    if (told == MODE_BEET && !beet_fits(x)) {
        beet_for_many(e, x, r);
        return r->reason;
    }
    if (told == x->mode)
        return E_OK;
    if (told == MODE_TUNNEL && x->mode == MODE_BEET) {
        say(e, v, x, mode_name(told));
        x->mode = told;
        return E_OK;
    }
    mode_differs(e, x->conn, x->cc, told, r);
    r->clause = "RFC 7296 1.3.1";
    return r->reason;
}

/* What the peer has installed already and we do not want. */
void v2_child_unwanted(struct ike *e, struct v2_sa *v, struct v2_exch *x)
{
    x->unwanted = true;
    struct child *c = v2_child_install(e, v, x, DIR_IN);
    if (!c)
        return;
    c->redundant = true;
    task_add(e, &v->sa, TASK_CHILD_DEL, c->id);
}
