/*
 * What IKEv1 cannot say (RFC 2407, RFC 2409), told when a connection with version = 1 is loaded.
 * Called by conn_load.c.
 */
#include "config/schema.h"

static const struct alg *alg_of(const struct transform *t)
{
    return alg_find((enum transform_type)t->type, t->id, t->key_bits);
}

static bool hash_names_prf(const struct proposal *p, const struct transform *prf)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct alg *a = p->t[i].type == T_INTEG ? alg_prf_of_integ(p->t[i].id) : NULL;
        if (a && a->id == prf->id)
            return true;
    }
    return false;
}

/* RFC 2409 4: one hash for everything, no combined-mode ciphers */
static void check_ike(struct cx *cx, const struct vnode *at, const struct proposal *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct alg *a = alg_of(&p->t[i]);
        if (a && !a->v1_ike)
            cx_report(cx, DIAG_ERROR, at, a->name,
                      "IKEv1 has no %s in phase 1: write for example aes256-sha256-modp2048",
                      a->name);
        else if (a && a->type == T_PRF && !hash_names_prf(p, &p->t[i]))
            cx_report(cx, DIAG_ERROR, at, a->name,
                      "IKEv1 has one hash for everything: write sha256 instead of a PRF");
    }
}

static void check_esp(struct cx *cx, const struct vnode *at, const struct proposal *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct alg *a = alg_of(&p->t[i]);
        bool ah = p->proto == PROTO_AH && a && a->type == T_INTEG;
        if (a && a->type != T_ESN && !(ah ? a->v1_ah : a->v1_esp))
            cx_report(cx, DIAG_ERROR, at, a->name, "IKEv1 has no number for %s in %s", a->name,
                      ah ? "AH" : "ESP");
    }
}

/* RFC 2407 4.6.2: a quick mode speaks of one pair, with one port or all */
static void check_ts(struct cx *cx, const struct vnode *sec, const char *key,
                     const struct ts_conf_list *l)
{
    if (l->count > 1)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, key), NULL,
                  "IKEv1 negotiates one pair of selectors: give each its own child");
    for (size_t i = 0; i < l->count; i++) {
        const struct ts *t = &l->ts[i].ts;
        bool all = t->port_lo == 0 && t->port_hi == 65535;
        if (!all && (t->port_lo != t->port_hi || t->port_lo == 0))
            cx_report(cx, DIAG_ERROR, key_or_section(sec, key), NULL,
                      "IKEv1 knows one port or all of them, no ranges");
    }
}

/* RFC 2409 5.5: one key exchange for both, so only one place names it */
static void check_ah(struct cx *cx, const struct vnode *at, const struct conn_child *c,
                     const struct proposal *p)
{
    const struct alg *ke = proposal_alg(p, T_KE);
    if (c->bundle && p->proto == PROTO_AH && ke)
        cx_report(cx, DIAG_ERROR, at, ke->name,
                  "esp_proposals names the key exchange of both: take %s out here", ke->name);
}

static void check_child(struct cx *cx, const struct vnode *sec, const struct conn_child *c)
{
    static const char *const keys[] = {"esp_proposals", "ah_proposals"};
    if (c->policy != CHILD_PROTECT || !sec)
        return;
    for (size_t i = 0; i < c->esp.count; i++) {
        const struct vnode *at = key_or_section(sec, keys[c->esp.p[i].proto == PROTO_AH]);
        if (!c->esp_default)
            check_esp(cx, at, &c->esp.p[i]);
        check_ah(cx, at, c, &c->esp.p[i]);
    }
    if (c->mode == MODE_BEET) /* RFC 2407 4.5 */
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "mode"), "beet",
                  "IKEv1 has tunnel and transport, no BEET: set version = 2, or mode = tunnel");
    check_ts(cx, sec, "local_ts", &c->local_ts);
    check_ts(cx, sec, "remote_ts", &c->remote_ts);
}

void conn_v1_check(struct cx *cx, const struct vnode *sec, const struct conn *c)
{
    const struct vnode *children = vnode_find(sec, "children");
    if (c->aggressive)
        cx_report(cx, DIAG_WARNING, key_or_section(sec, "aggressive"), vnode_get(sec, "aggressive"),
                  c->version == 2
                      ? "aggressive mode is IKEv1's; without effect with version = 2"
                      : "aggressive mode with a pre-shared key shows a hash that a weak "
                        "key can be guessed from (RFC 2409 5.4, RFC 9395)");
    if (c->version != 1)
        return;
    for (size_t i = 0; !c->ike_default && i < c->ike.count; i++)
        check_ike(cx, key_or_section(sec, "proposals"), &c->ike.p[i]);
    for (size_t i = 0; children && i < c->child_count; i++)
        check_child(cx, vnode_find(children, c->child[i].name), &c->child[i]);
}
