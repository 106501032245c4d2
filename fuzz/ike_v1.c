/*
 * libFuzzer target: two IKE engines with one IKEv1 tunnel, in a world without chance. The fuzzer's
 * bytes say what happens: raw datagrams, messages of phase 2 whose payloads are the fuzzer's but
 * hashed and encrypted with the SA's own keys (so that what is inside gets read), commands, time,
 * and in which order datagrams arrive. Nothing may crash, leak, or grow without bound.
 */
#include "ike/v1/v1.h"
#include <assert.h>

#include "ike_acts.h"

/* A header in clear and the fuzzer's chain: phase 1's first messages, unprotected notifies. */
static void clear(struct pair *p, struct rd *r, uint8_t arg)
{
    static const uint8_t exchanges[] = {EXCH_V1_MAIN, EXCH_V1_AGGRESSIVE, EXCH_V1_INFO,
                                        EXCH_V1_QUICK};
    uint8_t buf[CHAIN_MAX + IKE_HDR_LEN];
    struct wr w = wr_of(buf, sizeof buf);
    struct ike_hdr h = {.spi_i = 0x1111111111111111u + (arg >> 4), .major = 1};
    h.exchange = exchanges[arg >> 1 & 3];
    h.next = take(r);
    h.flags = take(r) & 3;
    size_t at = ike_hdr_begin(&w, &h);
    struct bytes chain = rest(r);
    wr_put(&w, chain.p, chain.n < CHAIN_MAX ? chain.n : CHAIN_MAX);
    ike_hdr_end(&w, at);
    deliver(arg & 1 ? &p->a : &p->b, wr_bytes(&w), false);
}

static struct v1_sa *some_sa(struct ike *e, uint8_t which)
{
    struct ike_sa *last = NULL;
    unsigned n = 0;
    list_each (it, &e->sas) {
        last = container_of(it, struct ike_sa, all);
        if (n++ == which % 4u)
            break;
    }
    return last ? v1_of(last) : NULL;
}

/* As from the peer of `to`, which has the same keys: the chain behind HASH is the fuzzer's. */
static bool seal(const struct v1_sa *v, uint8_t exchange, uint32_t id, uint8_t flags, uint8_t first,
                 struct bytes chain, struct wr *w)
{
    uint8_t iv[V1_BLOCK_MAX], hash[CR_HASH_MAX];
    struct ike_hdr h = {.spi_i = v->sa.spi_i, .spi_r = v->sa.spi_r, .major = 1, .msg_id = id};
    const struct v1_exch *x = v1_exch_find(v, id);
    h.exchange = exchange;
    h.flags = (uint8_t)(IKE_V1_FLAG_ENCRYPTION | (flags & IKE_V1_FLAG_COMMIT));
    h.next = P1_HASH;
    size_t at = ike_hdr_begin(w, &h), n = v->sa.prf->out_len;
    bool third = flags & 4;
    struct bytes parts[] = {x ? x->ni : bytes_of(NULL, 0), third && x ? x->nr : bytes_of(NULL, 0),
                            third ? bytes_of(NULL, 0) : chain};
    if (v1_hash_phase2(v, third, id, parts, 3, hash) || v1_iv_phase2(v, id, iv))
        return false;
    if (x)
        memcpy(iv, x->iv, sizeof iv);
    wr_u8(w, first);
    wr_u8(w, 0);
    wr_u16(w, (uint16_t)(4 + n));
    wr_put(w, hash, n);
    wr_put(w, chain.p, chain.n);
    size_t block = v->sa.encr->block, over = (wr_len(w) - IKE_HDR_LEN) % block;
    (void)wr_space(w, over ? block - over : 0);
    ike_hdr_end(w, at);
    return !w->err && !cr_cbc(v->sa.encr, v1_key_cipher(&v->keys), iv, w->start + IKE_HDR_LEN,
                              wr_len(w) - IKE_HDR_LEN, true);
}

static uint32_t message_id(const struct v1_sa *v, uint8_t arg)
{
    if (arg & 0x10 && !list_empty(&v->exchs))
        return container_of(v->exchs.next, struct v1_exch, link)->msg_id;
    return 0x1000u + (arg >> 5);
}

static void sealed(struct pair *p, struct rd *r, uint8_t arg)
{
    uint8_t buf[CHAIN_MAX + 256];
    struct side *to = arg & 1 ? &p->a : &p->b;
    struct v1_sa *v = some_sa(to->e, arg >> 2 & 3);
    uint8_t flags = take(r), first = take(r);
    uint8_t exchange = flags & 8 ? EXCH_V1_TRANSACTION : arg & 2 ? EXCH_V1_QUICK : EXCH_V1_INFO;
    struct bytes chain = rest(r);
    struct wr w = wr_of(buf, sizeof buf);
    if (v && v->sa.ver == &ike_v1 && v->keys.all.p &&
        seal(v, exchange, message_id(v, arg), flags, first, chain, &w))
        deliver(to, wr_bytes(&w), v->sa.natt);
}

static void command(struct pair *p, uint8_t arg)
{
    static const enum ike_in_kind kinds[] = {IN_INITIATE, IN_REKEY, IN_TERMINATE, IN_EXPIRE,
                                             IN_FIRST_IN};
    struct side *s = arg & 1 ? &p->a : &p->b;
    struct ike_in in = {.kind = kinds[(arg >> 1) % 5], .conn = "conn"};
    in.child = arg & 0x40 ? "net" : NULL;
    in.hard = in.force = arg & 0x20;
    in.child_id = in.kind == IN_EXPIRE || in.kind == IN_FIRST_IN ? 1 + (arg >> 4 & 7u) : 0;
    pair_step(s, &in);
}

static struct conn *conn_of(struct side *me, struct side *peer, bool aggressive)
{
    struct conn *c = pair_conn(me, peer, "aes128-sha256-ecp256", "aes128-sha256");
    c->version = 1;
    c->aggressive = aggressive;
    return c;
}

/* a logs in and wants an address, b asks and gives. */
static void travel(struct conn *c, bool a, bool push)
{
    struct conn_auth **login = a ? &c->xauth_local : &c->xauth_remote;
    *login = calloc(1, sizeof **login);
    if (!*login || !((*login)->xauth_id = strdup("alice")))
        abort();
    (*login)->kind = AUTH_XAUTH;
    c->pull = !push;
    if (a)
        c->vip[c->vip_count++] = (struct addr){.family = 4};
    else if (!(c->pool[c->pool_count++] = strdup("road")))
        abort();
}

static void password(struct side *s)
{
    struct shared *k = shared_new("xauth-1");
    if (!k || secret_set(&k->secret, bytes_of("in wonderland", 13)))
        abort();
    k->kind = SHARED_XAUTH;
    pair_step(s, &(struct ike_in){.kind = IN_SHARED_LOAD, .shared = k});
}

static void travellers(struct pair *p)
{
    struct addr_pool *pool = addr_pool_new("road");
    if (!pool || !addr_pool_parse(pool, "10.9.0.0/30") || addr_pool_attr(pool, "dns", "10.2.0.53"))
        abort();
    pair_step(&p->b, &(struct ike_in){.kind = IN_POOL_LOAD, .pool = pool});
    password(&p->a);
    password(&p->b);
}

/* AH around ESP */
static void bundle(struct conn_child *cc)
{
    struct proposal_error err;
    cc->bundle = true;
    if (proposal_parse(PROTO_AH, "sha256", &cc->esp, &err))
        abort();
}

static struct conn *conn_with(struct side *me, struct side *peer, uint8_t how)
{
    struct conn *c = conn_of(me, peer, how & 2);
    if (how & 16)
        bundle(&c->child[0]);
    if (how & 4)
        travel(c, me == &me->pair->a, how & 8);
    return c;
}

static struct pair *begin(uint8_t how)
{
    const char *what;
    struct pair *p = calloc(1, sizeof *p);
    if (!p || cr_init(&what))
        abort();
    pair_init(p, NULL);
    bool keys = how & 8 && !(how & 4);
    struct conn *a = conn_with(&p->a, &p->b, how), *b = conn_with(&p->b, &p->a, how);
    pair_load(&p->a, keys ? by_key(a, true) : a);
    pair_load(&p->b, keys ? by_key(b, false) : b);
    if (keys)
        give_keys(p);
    if (how & 4)
        travellers(p);
    pair_psk(&p->a, "secret");
    pair_psk(&p->b, "secret");
    pair_initiate(&p->a, "conn", "net", 0);
    if (!(how & 1))
        pair_run(p);
    return p;
}

static const struct acts acts = {clear, sealed, command};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(bytes_of(data, size));
    uint8_t how = take(&r);
    struct pair *p = begin(how);
    play(p, &r, &acts);
    return 0;
}
