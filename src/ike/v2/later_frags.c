/*
 * Later fragments on SAs whose selectors name ports: RFC 7296 1.3.1, RFC 4301 7.3. They have no
 * ports themselves, so both must say with NON_FIRST_FRAGMENTS_ALSO that they tell by the first
 * fragment where they belong. A peer that says nothing gets whole datagrams, and none of its later
 * fragments are taken. Used wherever a CHILD SA is negotiated.
 */
#include "ike/v2/v2.h"

static bool names_ports(const struct ts_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (!ts_any_port(&l->ts[i]) && !ts_opaque(&l->ts[i]))
            return true;
    return false;
}

static bool is_told(const struct v2_exch *x)
{
    struct notify n;
    return v2_notify_find(x->msg, N_NON_FIRST_FRAGMENTS_ALSO, &n);
}

void v2_later_frags_put(struct v2_build *b, const struct v2_exch *x)
{
    if (x->later_frags)
        v2_put_notify(b, N_NON_FIRST_FRAGMENTS_ALSO, bytes_of(NULL, 0));
}

/* 7.1, 7.2: where any port will do, or none, there is nothing to agree on. */
void v2_later_frags_ask(struct v2_exch *x)
{
    x->later_frags = x->mode == MODE_TUNNEL && (names_ports(x->tsi) || names_ports(x->tsr));
}

void v2_later_frags_answered(struct v2_exch *x)
{
    x->later_frags = x->later_frags && is_told(x);
}

void v2_later_frags_choose(struct v2_exch *x)
{
    x->later_frags = x->mode == MODE_TUNNEL && is_told(x);
}
