/*
 * XAUTH, who is asked: draft-beaulieu-ike-xauth-02. Answers with the user's name and password of
 * secrets { xauth-... }, once the peer has proved itself in phase 1; then waits for the verdict.
 */
#include "ike/v1/v1.h"

static const char *user_name(struct ike *e, const struct v1_sa *v)
{
    const struct conn_auth *a = v->sa.conn->xauth_local;
    struct id own;
    if (a->xauth_id)
        return a->xauth_id;
    if (a->id_text)
        return a->id_text;
    v1_local_id(&v->sa, v->sa.conn, &own);
    return ike_str_id(e, &own);
}

static void no_secret(struct ike *e, struct v1_sa *v, const char *user)
{
    struct refusal r = {
        .reason = R_NO_SHARED,
        .what = "secret",
        .ours = ike_strf(e, "none for user %s", user),
        .hint = ike_strf(e, "add secrets { xauth-%s { id = %s, secret = ... } }", v->sa.conn->name,
                         user),
        .clause = "draft-beaulieu-ike-xauth-02 4",
    };
    ike_refused(e, &v->sa, &r);
}

static void cannot(struct ike *e, struct v1_sa *v, uint16_t type)
{
    const char *name = cfg_attr_name(type);
    struct refusal r = {
        .reason = R_AUTH_METHOD,
        .what = "xauth",
        .ours = "a user's name and password",
        .theirs = ike_strf(e, "asks for %s", name ? name : "an unknown attribute"),
        .clause = "draft-beaulieu-ike-xauth-02 6.3",
    };
    ike_refused(e, &v->sa, &r);
}

/* 4: who cannot answer says so with a status of its own */
static void give_up(struct ike *e, struct v1_sa *v, struct v1_exch *x, err_t reason)
{
    struct cfg_body c = {.type = CFG_REPLY};
    cfg_add(&c, CFG_XAUTH_STATUS, bytes_of("\0\0", 2));
    v1_trans_answer(e, v, x, &c);
    v1_conf_failed(e, v, reason);
}

static bool generic(const struct cfg_attr *a)
{
    uint16_t type;
    return cfg_u16(a, &type) && type == 0;
}

static void say_message(struct ike *e, struct v1_sa *v, struct bytes text)
{
    char *s = ike_alloc(e, text.n + 1);
    for (size_t i = 0; s && i < text.n; i++)
        s[i] = (char)(text.p[i] < ' ' || text.p[i] > 126 ? '.' : text.p[i]);
    ike_event(e, EV_XAUTH, &v->sa, NULL)->text = s ? s : "";
}

static void login(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *asked)
{
    struct id own, user;
    const char *name = user_name(e, v);
    struct cfg_body c = {.type = CFG_REPLY};
    v1_expected_peer(v, &own);
    const struct shared *s = v1_user_id(bytes_of(name, strlen(name)), &user)
                                 ? v1_user_secret(e, &own, &user, false)
                                 : NULL;
    for (size_t i = 0; i < asked->count; i++) {
        const struct cfg_attr *a = &asked->attr[i];
        if (a->type == CFG_XAUTH_USER_NAME) {
            cfg_add(&c, a->type, bytes_of(name, strlen(name)));
        } else if (a->type == CFG_XAUTH_USER_PASSWORD && s) {
            cfg_add(&c, a->type, secret_bytes(&s->secret));
        } else if (a->type == CFG_XAUTH_USER_PASSWORD) {
            no_secret(e, v, name);
            give_up(e, v, x, R_NO_SHARED);
            return;
        } else if (a->type == CFG_XAUTH_TYPE && generic(a)) {
            cfg_add(&c, a->type, a->value);
        } else if (a->type == CFG_XAUTH_MESSAGE) {
            say_message(e, v, a->value);
        } else if (a->type != CFG_XAUTH_DOMAIN) {
            cannot(e, v, a->type);
            give_up(e, v, x, R_AUTH_METHOD);
            return;
        }
    }
    v1_trans_answer(e, v, x, &c);
}

static void verdict(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c)
{
    uint16_t status = 0;
    struct cfg_body ack = {.type = CFG_ACK};
    const struct cfg_attr *message = cfg_find(c, CFG_XAUTH_MESSAGE);
    bool ok = cfg_u16(cfg_find(c, CFG_XAUTH_STATUS), &status) && status == 1;
    cfg_add(&ack, CFG_XAUTH_STATUS, bytes_of(ok ? "\0\1" : "\0\0", 2));
    v1_trans_answer(e, v, x, &ack);
    if (message)
        say_message(e, v, message->value);
    if (ok) {
        struct event *ev = ike_event(e, EV_XAUTH, &v->sa, NULL);
        ev->ours = ike_str(e, user_name(e, v));
        ev->text = "the peer accepts us";
        v1_authenticated(e, v);
        return;
    }
    struct refusal r = {
        .reason = R_PEER_XAUTH,
        .what = "xauth",
        .ours = ike_strf(e, "user %s", user_name(e, v)),
        .theirs = "(the peer does not tell which of both is wrong)",
        .hint = ike_strf(e,
                         "check connections.%s.local<suffix>.xauth_id and the secret of "
                         "secrets { xauth-... }",
                         v->sa.conn->name),
        .clause = "draft-beaulieu-ike-xauth-02 4",
    };
    ike_peer_refused(e, &v->sa, &r);
    v1_lost(e, v, r.reason);
}

/* The peer wants a login that this connection does not have. */
static void unexpected(struct ike *e, struct v1_sa *v, struct v1_exch *x)
{
    struct refusal r = {
        .reason = R_AUTH_METHOD,
        .what = "auth",
        .ours = "no XAUTH",
        .theirs = "asks for a user's name and password",
        .hint = ike_strf(e, "add connections.%s.local-xauth { auth = xauth }", v->sa.conn->name),
        .clause = "draft-beaulieu-ike-xauth-02 2",
    };
    ike_refused(e, &v->sa, &r);
    v1_exch_end(e, x);
}

void v1_xauth_asked(struct ike *e, struct v1_sa *v, struct v1_exch *x, const struct cfg_body *c)
{
    if (!v->sa.conn->xauth_local)
        unexpected(e, v, x);
    else if (v->state != V1_XAUTH)
        v1_exch_end(e, x);
    else if (c->type == CFG_REQUEST)
        login(e, v, x, c);
    else
        verdict(e, v, x, c);
}
