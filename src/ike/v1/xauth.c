/*
 * XAUTH, who asks: draft-beaulieu-ike-xauth-02, type generic (name and password).
 *
 *     REQUEST(name, password) -->
 *                             <--  REPLY(name, password)
 *     SET(status)             -->
 *                             <--  ACK(status)
 *
 * An unknown user and a wrong password get the same answer after the same work.
 */
#include "ike/v1/v1.h"
#include "ike/vip.h"

void v1_xauth_ask(struct ike *e, struct v1_sa *v)
{
    const struct bytes none = bytes_of(NULL, 0);
    struct cfg_body c = {.type = CFG_REQUEST};
    cfg_add(&c, CFG_XAUTH_USER_NAME, none);
    cfg_add(&c, CFG_XAUTH_USER_PASSWORD, none);
    v1_trans_ask(e, v, &c);
}

/* --- who that is --- */

static bool printable(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] < ' ' || b.p[i] == 127)
            return false;
    return b.n > 0 && b.n < ID_MAX;
}

bool v1_user_id(struct bytes name, struct id *out)
{
    char text[ID_MAX];
    if (!printable(name))
        return id_set(out, ID_KEY_ID, name);
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    return id_parse(out, text) && out->type != ID_ANY ? true : id_set(out, ID_KEY_ID, name);
}

const struct shared *v1_user_secret(const struct ike *e, const struct id *own,
                                    const struct id *user, bool claimed)
{
    static const enum shared_kind kinds[] = {SHARED_XAUTH, SHARED_EAP}; /* one to swanctl.conf */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct shared *s =
            claimed ? shared_of_claim(e, kinds[i], own, user) : shared_find(e, kinds[i], user, own);
        if (s)
            return s;
    }
    return NULL;
}

/* Digests under a key of this SA are compared, so neither the password's length nor where it
 * differs shows; without a secret the comparison is with nothing. */
static bool password_holds(struct ike *e, const struct v1_sa *v, const struct shared *s,
                           struct bytes password)
{
    static const uint8_t nothing[16];
    uint8_t got[CR_HASH_MAX], want[CR_HASH_MAX];
    struct bytes ours = s ? secret_bytes(&s->secret) : bytes_of(nothing, sizeof nothing);
    struct bytes key = v1_key_a(&v->keys);
    err_t err = cr_prf(v->sa.prf, key, &password, 1, got);
    if (!err)
        err = cr_prf(v->sa.prf, key, &ours, 1, want);
    if (err)
        ike_fail(e, err < 0 ? err : E_CRYPTO);
    bool same = !err && secret_eq(got, want, v->sa.prf->out_len);
    secret_wipe(want, sizeof want);
    secret_wipe(got, sizeof got);
    return same & (s != NULL);
}

static bool user_fits(const struct conn_auth *a, const struct id *user)
{
    struct id want;
    return !a->xauth_id || (id_parse(&want, a->xauth_id) && id_match(&want, user));
}

static void refused(struct ike *e, struct v1_sa *v, const struct id *user)
{
    struct refusal r = {
        .reason = R_XAUTH,
        .what = "xauth",
        .theirs = ike_strf(e, "user %s", ike_str_id(e, user)),
        .ours = "no such user, or another password",
        .hint = ike_strf(e, "check secrets { xauth-... { id = %s, secret = ... } }",
                         ike_str_id(e, user)),
        .clause = "draft-beaulieu-ike-xauth-02 4",
    };
    ike_refused(e, &v->sa, &r);
}

static void say_status(struct ike *e, struct v1_sa *v, bool ok)
{
    uint8_t *status = ike_alloc(e, 2);
    struct cfg_body c = {.type = CFG_SET};
    if (!status)
        return;
    put_u16(status, ok);
    cfg_add(&c, CFG_XAUTH_STATUS, bytes_of(status, 2));
    v1_trans_ask(e, v, &c);
}

static struct bytes value_of(const struct cfg_body *c, uint16_t type)
{
    const struct cfg_attr *a = cfg_find(c, type);
    return a ? a->value : bytes_of(NULL, 0);
}

static void credentials(struct ike *e, struct v1_sa *v, const struct cfg_body *c)
{
    struct id own, user = {0};
    v1_local_id(&v->sa, v->sa.conn, &own);
    bool named = v1_user_id(value_of(c, CFG_XAUTH_USER_NAME), &user);
    const struct shared *s = v1_user_secret(e, &own, &user, true);
    bool ok = password_holds(e, v, s, value_of(c, CFG_XAUTH_USER_PASSWORD));
    ok &= named & user_fits(v->sa.conn->xauth_remote, &user);
    v->xauth_ok = ok && vip_user_set(e, &v->sa, &user);
    if (!v->xauth_ok) {
        refused(e, v, &user);
    } else if (v1_must_keep(e, v)) {
        v->xauth_ok = false;
    } else {
        struct event *ev = ike_event(e, EV_XAUTH, &v->sa, NULL);
        ev->theirs = ike_str_id(e, &user);
        ev->text = "logged in";
    }
    say_status(e, v, v->xauth_ok);
}

void v1_xauth_answered(struct ike *e, struct v1_sa *v, uint8_t question, const struct cfg_body *c)
{
    if (question == CFG_REQUEST)
        credentials(e, v, c);
    else if (v->xauth_ok)
        v1_authenticated(e, v);
    else
        v1_conf_failed(e, v, R_XAUTH);
}
