/*
 * libFuzzer target: two IKE engines on one wire. They establish a tunnel in a world without chance;
 * then the fuzzer's bytes say what happens: raw datagrams, messages whose payloads are the fuzzer's
 * but sealed with the SA's own keys (so that what is inside gets read), commands, time, and in
 * which order datagrams and jobs arrive. Nothing may crash, leak, or grow without bound.
 */
#include "crypto/crypto.h"
#include "ike/v2/v2.h"
#include <assert.h>

#include "ike_acts.h"

static struct ike_sa *some_sa(struct ike *e, uint8_t which)
{
    struct ike_sa *last = NULL;
    unsigned n = 0;
    list_each (it, &e->sas) {
        last = container_of(it, struct ike_sa, all);
        if (n++ == which % 4u)
            break;
    }
    return last;
}

static void raw(struct pair *p, struct rd *r, uint8_t arg)
{
    struct bytes b = rest(r);
    uint8_t *copy = malloc(b.n + 1); /* exact, so that reading beyond shows */
    if (copy && b.n)
        memcpy(copy, b.p, b.n);
    if (copy)
        deliver(arg & 1 ? &p->a : &p->b, bytes_of(copy, b.n), arg & 2);
    free(copy);
}

/* As from the peer of `to`, which has the same keys: the payload chain is the fuzzer's. */
static bool seal(struct v2_sa *v, uint8_t exchange, uint8_t flags, uint8_t first,
                 struct bytes chain, struct wr *w)
{
    static uint64_t iv = 1u << 20;
    struct sk_sizes z;
    struct sk_layout l;
    struct cr_sk *sk = NULL;
    bool by_initiator = !v->sa.initiator, response = flags & 1;
    struct ike_hdr h = {.spi_i = v->sa.spi_i,
                        .spi_r = v->sa.spi_r,
                        .major = 2,
                        .exchange = exchange,
                        .msg_id = response ? (v->sa.rtx ? v->sa.rtx->id : 0)
                                           : v->win.next_in - (flags >> 1 & 1)};
    h.flags =
        (uint8_t)((by_initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0));
    size_t at = ike_hdr_begin(w, &h);
    struct payload_chain c = payload_chain_of_msg(w, at);
    const struct v2_suite s = {v->sa.encr, v->sa.integ, v->sa.prf};
    v2_sk_sizes(&s, &z);
    size_t start = sk_begin(&c, &z);
    wr_put(w, chain.p, chain.n);
    sk_end(&c, at, start, &z, &l);
    ike_hdr_end(w, at);
    if (w->err)
        return false;
    l.first = first;
    w->start[l.aad_len - 4] = first;
    memset(w->start + l.aad_len, 0, z.iv_len);
    put_u64(w->start + l.aad_len + z.iv_len - 8, ++iv);
    if (cr_sk_new(v->sa.encr, v->sa.integ, v2_key_e(&v->keys, by_initiator),
                  v2_key_a(&v->keys, by_initiator), &sk))
        return false;
    err_t err = cr_sk_seal(sk, w->start, l.aad_len, l.text_len);
    cr_sk_free(sk);
    return !err;
}

static void sealed(struct pair *p, struct rd *r, uint8_t arg)
{
    uint8_t buf[CHAIN_MAX + 256];
    struct side *to = arg & 1 ? &p->a : &p->b;
    struct ike_sa *sa = some_sa(to->e, arg >> 1);
    uint8_t exchange = (uint8_t)(EXCH_IKE_AUTH + take(r) % 4), flags = take(r), first = take(r);
    struct bytes chain = rest(r);
    struct wr w = wr_of(buf, sizeof buf);
    if (sa && v2_of(sa)->keys.all.p && seal(v2_of(sa), exchange, flags, first, chain, &w))
        deliver(to, wr_bytes(&w), sa->natt);
}

static void command(struct pair *p, uint8_t arg)
{
    static const enum ike_in_kind kinds[] = {IN_INITIATE, IN_REKEY,   IN_TERMINATE,
                                             IN_EXPIRE,   IN_ACQUIRE, IN_FIRST_IN};
    struct side *s = arg & 1 ? &p->a : &p->b;
    struct ike_in in = {.kind = kinds[(arg >> 1) % 6], .conn = "conn"};
    in.child = arg & 0x40 ? "net" : NULL;
    in.hard = in.force = arg & 0x20;
    in.child_id = in.kind == IN_EXPIRE || in.kind == IN_FIRST_IN ? 1 + (arg >> 4 & 7u) : 0;
    if (in.kind == IN_ACQUIRE) {
        in.child = "net";
        addr_parse(&in.flow_local.lo, s == &p->a ? "10.1.0.5" : "10.2.0.5");
        addr_parse(&in.flow_remote.lo, s == &p->a ? "10.2.0.7" : "10.1.0.7");
        in.flow_local.hi = in.flow_local.lo;
        in.flow_remote.hi = in.flow_remote.lo;
    }
    pair_step(s, &in);
}

static struct pair *begin(bool up, bool keys)
{
    const char *what;
    struct pair *p = calloc(1, sizeof *p);
    if (!p || cr_init(&what))
        abort();
    pair_init(p, NULL);
    struct conn *a = pair_conn(&p->a, &p->b, "aes128-sha256-x25519", "aes128gcm16");
    struct conn *b = pair_conn(&p->b, &p->a, "aes128-sha256-x25519", "aes128gcm16");
    pair_load(&p->a, keys ? by_key(a, true) : a);
    pair_load(&p->b, keys ? by_key(b, false) : b);
    if (keys)
        give_keys(p);
    pair_psk(&p->a, "secret");
    pair_psk(&p->b, "secret");
    if (up) {
        pair_initiate(&p->a, "conn", "net", 0);
        pair_run(p);
    }
    return p;
}

static const struct acts acts = {raw, sealed, command};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(bytes_of(data, size));
    uint8_t how = take(&r);
    struct pair *p = begin(!(how & 1), how & 2);
    play(p, &r, &acts);
    return 0;
}
