/*
 * How packets of a CHILD SA are wrapped, as both versions negotiate it: tunnel or transport mode
 * (RFC 4301 4.1), in UDP or not, AH or ESP; and what a NAT forbids (RFC 3715 2.1).
 */
#include "ike/engine.h"

bool sa_udp(const struct ike_sa *sa)
{
    return sa->natt && (sa->nat_local || sa->nat_remote || sa->nat_fake);
}

const char *mode_name(enum ipsec_mode mode)
{
    static const char *const names[] = {"tunnel", "transport", "beet"};
    return (size_t)mode < sizeof names / sizeof *names ? names[mode] : "unknown";
}

static bool only_host(const struct ts_list *l, const struct addr *a)
{
    const struct addr *host = ts_list_host(l);
    return host && addr_eq(host, a);
}

/* RFC 4301 4.1: what transport mode protects is the two peers' own. */
static bool hosts_only(struct ike *e, const struct ike_sa *sa, const struct conn *c,
                       const struct conn_child *cc, struct refusal *r)
{
    struct ts_list l, q;
    ts_resolve(&cc->local_ts, &sa->local.addr, &l);
    ts_resolve(&cc->remote_ts, &sa->remote.addr, &q);
    if (only_host(&l, &sa->local.addr) && only_host(&q, &sa->remote.addr))
        return true;
    *r = (struct refusal){
        .reason = R_MODE,
        .what = "mode",
        .ours = ike_strf(e, "transport for %s === %s", ike_str_ts(e, &l), ike_str_ts(e, &q)),
        .text = "transport mode joins the two peers themselves, not what lies behind them",
        .hint = ike_strf(e,
                         "leave connections.%s.children.%s.local_ts and remote_ts away, or set "
                         "mode = tunnel there",
                         c->name, cc->name),
        .clause = "RFC 4301 4.1",
        .child = cc->name,
    };
    return false;
}

/* A NAT changes what AH protects. */
static bool passes_nat(struct ike *e, const struct ike_sa *sa, const struct conn *c,
                       const struct conn_child *cc, struct refusal *r)
{
    if (!sa_udp(sa))
        return true;
    for (size_t i = 0; i < cc->esp.count && !cc->bundle; i++)
        if (cc->esp.p[i].proto != PROTO_AH)
            return true;
    *r = (struct refusal){
        .reason = R_NO_PROPOSAL,
        .what = "protocol",
        .ours = cc->bundle ? "AH and ESP" : "AH",
        .text = "there is a NAT between the peers, and AH covers the addresses that it changes",
        .hint = ike_strf(e, "use connections.%s.children.%s.esp_proposals %s ah_proposals", c->name,
                         cc->name, cc->bundle ? "without" : "instead of"),
        .clause = "RFC 3715 2.1",
        .child = cc->name,
    };
    return false;
}

bool mode_fits(struct ike *e, const struct ike_sa *sa, const struct conn *c,
               const struct conn_child *cc, struct refusal *r)
{
    return (cc->mode != MODE_TRANSPORT || hosts_only(e, sa, c, cc, r)) &&
           passes_nat(e, sa, c, cc, r);
}

bool mode_usable(const struct ike_sa *sa, const struct proposal *p)
{
    return p->proto != PROTO_AH || !sa_udp(sa);
}

void mode_differs(struct ike *e, const struct conn *c, const struct conn_child *cc,
                  enum ipsec_mode theirs, struct refusal *r)
{
    *r = (struct refusal){
        .reason = R_MODE,
        .what = "mode",
        .ours = mode_name(cc->mode),
        .theirs = mode_name(theirs),
        .hint = ike_strf(e, "set connections.%s.children.%s.mode = %s, or mode = %s at the peer",
                         c->name, cc->name, mode_name(theirs), mode_name(cc->mode)),
        .clause = "RFC 4301 4.1",
        .child = cc->name,
    };
}

/* It means something only within its SA, so it need not be unique. */
uint16_t ike_cpi_new(struct ike *e)
{
    return (uint16_t)(256 + ike_random_below(e, 61440 - 256));
}

/* RFC 7296 2.23.1, RFC 3947 5.2: seen from here, a host behind a NAT has another address. */
void mode_replace_host(struct ts_list *l, const struct addr *seen)
{
    for (size_t i = 0; i < l->count; i++)
        if (addr_eq(&l->ts[i].lo, &l->ts[i].hi) && l->ts[i].lo.family == seen->family)
            l->ts[i].lo = l->ts[i].hi = *seen;
}
