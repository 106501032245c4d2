/*
 * Which connection a responder takes once it knows both identities: addresses, the chosen proposal
 * and identities must fit; the closest match of the peer's identity wins. RFC 7296 1.2 (IDr), 3.5.
 */
#include "ike/v2/v2.h"

void v2_local_id(const struct ike_sa *sa, const struct conn *c, struct id *out)
{
    sig_local_id(c, &sa->local.addr, out);
}

static bool suits(const struct conn *c, const struct ike_sa *sa)
{
    struct proposal p = {.proto = PROTO_IKE}; /* number 0: whichever of the list */
    const struct alg *all[] = {sa->encr, sa->integ, sa->prf, sa->ke};
    for (size_t i = 0; i < 4; i++)
        if (all[i] && proposal_add(&p, (uint8_t)all[i]->type, all[i]->id, all[i]->key_bits))
            return false;
    return proposal_check_chosen(&c->ike, &p) == E_OK;
}

#define METHOD_FITS 4 /* more than any match of identities */

/* By remote.id as configured, and by how the peer proves itself. */
static int remote_rank(const struct conn *c, const struct id *idi, bool psk)
{
    int rank = id_match(&c->auth_remote.id, idi);
    return rank && psk == (c->auth_remote.kind == AUTH_PSK) ? rank + METHOD_FITS : rank;
}

bool v2_choose(struct ike *e, const struct v2_sa *v, const struct id *idi, const struct id *idr,
               bool psk, struct v2_choice *out)
{
    struct conn **c;
    int best = 0;
    *out = (struct v2_choice){0};
    size_t n = conn_candidates(e, &v->sa.local, &v->sa.remote, 2, &c);
    for (size_t i = 0; i < n; i++) {
        struct id local;
        if (!suits(c[i], &v->sa))
            continue;
        if (!out->near)
            out->near = c[i];
        int rank = remote_rank(c[i], idi, psk);
        if (rank && !out->id_ok) {
            out->id_ok = true;
            out->near = c[i];
        }
        v2_local_id(&v->sa, c[i], &local);
        bool any_local = c[i]->auth_local.id.type == ID_ANY;
        if (idr && idr->type != ID_ANY && !id_match(&local, idr)) {
            if (!any_local)
                continue;
            local = *idr; /* no identity of our own configured: be who we are asked to be */
        }
        if (rank > best) {
            best = rank;
            out->conn = c[i];
            out->local = local;
        }
    }
    return out->conn != NULL;
}
