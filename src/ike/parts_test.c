/*
 * Messages in parts against a naive model: any order, doubled, contradicting, of other messages,
 * too many, too large. Then two engines whose messages do not fit: both roles, every setting, parts
 * lost and forged.
 */
#include "crypto/crypto.h"
#include "ike/pair.h"
#include "ike/parts.h"
#include "wire/frag_v1.h"
#include "wire/ike_hdr.h"
#include "wire/payload.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* --- parts themselves --- */

static struct ike *engine(struct ike_out *out)
{
    static struct ike e;
    e = (struct ike){.out = out};
    return &e;
}

static enum parts_state put(struct ike *e, struct ike_parts **p, uint16_t number, uint16_t total,
                            const char *text)
{
    const struct ike_part q = {.msg_id = 1,
                               .exchange = 2,
                               .id = 3,
                               .number = number,
                               .total = total,
                               .data = bytes_of(text, strlen(text))};
    return parts_add(e, p, &q);
}

static void orders(void **state)
{
    static const struct {
        const char *name;
        struct {
            uint16_t number, total;
            const char *text;
            enum parts_state want;
        } in[6];
        const char *all;
    } t[] = {
        {"in order",
         {{1, 0, "ab", PARTS_WAIT}, {2, 0, "cd", PARTS_WAIT}, {3, 3, "e", PARTS_DONE}},
         "abcde"},
        {"backwards",
         {{3, 3, "e", PARTS_WAIT}, {2, 0, "cd", PARTS_WAIT}, {1, 0, "ab", PARTS_DONE}},
         "abcde"},
        {"doubled",
         {{1, 2, "ab", PARTS_WAIT}, {1, 2, "ab", PARTS_AGAIN}, {2, 2, "c", PARTS_DONE}},
         "abc"},
        {"alone", {{1, 1, "x", PARTS_DONE}}, "x"},
        {"other bytes: anew",
         {{1, 0, "ab", PARTS_WAIT}, {1, 0, "xy", PARTS_WAIT}, {2, 2, "z", PARTS_DONE}},
         "xyz"},
        {"another end: anew",
         {{1, 3, "ab", PARTS_WAIT}, {1, 2, "ab", PARTS_WAIT}, {2, 2, "c", PARTS_DONE}},
         "abc"},
        {"behind the end: anew",
         {{2, 2, "b", PARTS_WAIT},
          {3, 0, "c", PARTS_WAIT},
          {1, 0, "a", PARTS_WAIT},
          {2, 0, "b", PARTS_WAIT},
          {4, 4, "d", PARTS_DONE}},
         "abcd"},
        {"an end before what is there: anew",
         {{3, 0, "c", PARTS_WAIT}, {2, 2, "b", PARTS_WAIT}, {1, 0, "a", PARTS_DONE}},
         "ab"},
        {"nonsense",
         {{0, 2, "a", PARTS_BAD},
          {3, 2, "a", PARTS_BAD},
          {1, 2, "", PARTS_BAD},
          {65, 0, "a", PARTS_BAD},
          {1, 65, "a", PARTS_BAD},
          {1, 1, "b", PARTS_DONE}},
         "b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct ike_out out = {0};
        struct ike *e = engine(&out);
        struct ike_parts *p = NULL;
        enum parts_state last = PARTS_WAIT;
        for (size_t k = 0; k < 6 && t[i].in[k].text; k++) {
            last = put(e, &p, t[i].in[k].number, t[i].in[k].total, t[i].in[k].text);
            if (last != t[i].in[k].want)
                fail_msg("%s: part %zu gives %d", t[i].name, k, last);
        }
        assert_int_equal(last, PARTS_DONE);
        assert_true(bytes_eq(parts_join(e, &out.arena, &p), bytes_of(t[i].all, strlen(t[i].all))));
        assert_null(p);
        arena_free(&out.arena);
    }
}

static void bounded(void **state)
{
    static char big[2001];
    struct ike_out out = {0};
    struct ike *e = engine(&out);
    struct ike_parts *p = NULL;
    uint16_t n = 0;
    (void)state;
    memset(big, 'x', sizeof big - 1);
    while (put(e, &p, ++n, 0, big) == PARTS_WAIT)
        assert_true(n < 40);
    assert_int_equal(n, 33); /* 65535 bytes */
    assert_null(p);
    arena_free(&out.arena);
}

/* Peers without SA have a few places, and the oldest goes. */
static void strangers(void **state)
{
    struct ike_out out = {0};
    struct ike *e = engine(&out);
    struct ike_pkt pkt = {.spi_i = 1};
    (void)state;
    list_init(&e->strangers);
    struct ike_parts **first = parts_of_stranger(e, &pkt);
    assert_int_equal(put(e, first, 1, 2, "a"), PARTS_WAIT);
    assert_ptr_equal(parts_of_stranger(e, &pkt), first);
    for (uint64_t i = 2; i < 1000; i++) {
        pkt.spi_i = i;
        assert_int_equal(put(e, parts_of_stranger(e, &pkt), 1, 2, "a"), PARTS_WAIT);
        assert_true(e->stranger_count <= 32);
    }
    pkt.spi_i = 1;
    assert_null(*parts_of_stranger(e, &pkt));
    e->now = 100000;
    pkt.spi_i = 5000;
    (void)parts_of_stranger(e, &pkt);
    assert_int_equal(e->stranger_count, 1);
    parts_strangers_free(e);
    arena_free(&out.arena);
}

/* --- two engines --- */

struct setup {
    enum frag_use a, b;
    bool aggressive;
    uint16_t size; /* fragment_size */
    uint8_t version;
};

static struct conn *conn_of(struct side *me, struct side *peer, const struct setup *x, bool a)
{
    struct conn *c = pair_conn(me, peer, "aes128-sha256-modp3072", "aes128-sha256-modp3072");
    c->version = x->version ? x->version : 1;
    c->aggressive = x->aggressive;
    c->fragmentation = a ? x->a : x->b;
    return c;
}

static void set_up(struct pair *p, const struct setup *x)
{
    struct ike_settings set;
    ike_settings_default(&set);
    set.fragment_size = x->size;
    pair_init(p, &set);
    pair_load(&p->a, conn_of(&p->a, &p->b, x, true));
    pair_load(&p->b, conn_of(&p->b, &p->a, x, false));
    pair_psk(&p->a, "correct horse");
    pair_psk(&p->b, "correct horse");
}

static size_t largest, cut;

static bool measure(struct pair *p, bool to_a, struct bytes msg)
{
    (void)p;
    (void)to_a;
    largest = msg.n > largest ? msg.n : largest;
    cut += msg.p[16] == 132 || msg.p[16] == PL_SKF;
    return false;
}

static void roles(void **state)
{
    static const struct {
        const char *name;
        struct setup x;
        size_t cut; /* fragments, 0: none */
        bool all_fit;
    } t[] = {
        {"both", {FRAG_YES, FRAG_YES, false, 300}, 1, false}, /* the first two come before */
        {"neither", {FRAG_NO, FRAG_NO, false, 300}, 0, false},
        {"the responder only reads", {FRAG_YES, FRAG_ACCEPT, false, 300}, 1, false},
        {"the initiator only reads", {FRAG_ACCEPT, FRAG_YES, false, 300}, 1, false},
        {"forced from the first message on", {FRAG_FORCE, FRAG_FORCE, true, 300}, 1, true},
        {"forced, main mode", {FRAG_FORCE, FRAG_YES, false, 300}, 1, true},
        {"aggressive", {FRAG_YES, FRAG_YES, true, 576}, 1, false},
        {"all fit anyhow", {FRAG_YES, FRAG_YES, false, 1280}, 0, false},
        {"one refuses", {FRAG_YES, FRAG_NO, false, 300}, 0, false},
        {"IKEv2", {FRAG_YES, FRAG_YES, false, 200, 2}, 1, false},
        {"IKEv2, only reads", {FRAG_ACCEPT, FRAG_FORCE, false, 200, 2}, 1, false},
        {"IKEv2, all fit", {FRAG_YES, FRAG_YES, false, 1280, 2}, 0, false},
        {"IKEv2, one refuses", {FRAG_NO, FRAG_YES, false, 200, 2}, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        static struct pair p;
        set_up(&p, &t[i].x);
        largest = cut = 0;
        p.lose = measure;
        pair_initiate(&p.a, "conn", "net", 7);
        pair_run(&p);
        bool fits = largest <= (size_t)t[i].x.size - 28;
        if (pair_result(&p.a, 7) != E_OK || (cut != 0) != (t[i].cut != 0) ||
            (t[i].all_fit && !fits) || p.a.child_count != 1)
            fail_msg("%s: result %d, %zu fragments, largest %zu", t[i].name, pair_result(&p.a, 7),
                     cut, largest);
        pair_fini(&p);
    }
}

static unsigned lost;

static bool lose_some(struct pair *p, bool to_a, struct bytes msg)
{
    (void)p;
    (void)to_a;
    bool v1 = msg.p[16] == 132 && msg.p[IKE_HDR_LEN + 6] == 2;
    bool v2 = msg.p[16] == PL_SKF && msg.p[IKE_HDR_LEN + 5] == 2;
    return (v1 || v2) && lost++ < 3;
}

/* A lost part costs a repetition of the message, no more. */
static void part_lost(void **state)
{
    (void)state;
    for (uint8_t version = 1; version <= 2; version++) {
        static struct pair p;
        const struct setup x = {FRAG_YES, FRAG_YES, false, version == 1 ? 300 : 200, version};
        set_up(&p, &x);
        lost = 0;
        p.lose = lose_some;
        pair_initiate(&p.a, "conn", "net", 7);
        pair_run(&p);
        pair_pass(&p, 60000);
        assert_int_equal(pair_result(&p.a, 7), E_OK);
        assert_int_equal(p.b.child_count, 1);
        assert_true(lost >= 3);
        pair_fini(&p);
    }
}

/* RFC 7383 2.6: a life in small fragments: rekeying of both SAs, a Delete, in both directions. */
static void life(void **state)
{
    static struct pair p;
    const struct setup x = {FRAG_YES, FRAG_YES, false, 160, 2};
    (void)state;
    set_up(&p, &x);
    pair_initiate(&p.a, "conn", "net", 7);
    pair_run(&p);
    for (uint32_t i = 0; i < 4; i++) {
        struct ike_in in = {.kind = IN_REKEY, .cmd = 8 + i};
        in.conn = i % 2 ? "conn" : NULL;
        in.child = i % 2 ? NULL : "net";
        struct side *s = i / 2 ? &p.a : &p.b;
        cut = 0;
        p.lose = measure;
        pair_step(s, &in);
        pair_run(&p);
        pair_pass(&p, 1000);
        assert_int_equal(pair_result(s, 8 + i), E_OK);
        assert_true(cut > 4);
        assert_int_equal(p.a.child_count, 1);
        assert_int_equal(pair_sas(&p.b), 1);
    }
    pair_fini(&p);
}

/* Who does not know the keys changes nothing, and a smaller total comes too late. */
static bool alter(struct pair *p, bool to_a, struct bytes msg)
{
    static unsigned n;
    uint8_t raw[512];
    if (msg.p[16] != PL_SKF || to_a || msg.n > sizeof raw)
        return false;
    for (size_t k = 0; k < 4; k++) { /* number, total, text, ICV */
        static const size_t at[] = {IKE_HDR_LEN + 5, IKE_HDR_LEN + 7, 60, 0};
        memcpy(raw, msg.p, msg.n);
        raw[at[k] ? at[k] : msg.n - 1] ^= (uint8_t)(1 + n++ % 7);
        struct ike_in in = {
            .kind = IN_PACKET, .local = p->b.ep, .remote = p->a.ep, .data = bytes_of(raw, msg.n)};
        pair_step(&p->b, &in);
    }
    return false;
}

static void altered(void **state)
{
    static struct pair p;
    const struct setup x = {FRAG_YES, FRAG_YES, false, 200, 2};
    (void)state;
    set_up(&p, &x);
    p.lose = alter;
    pair_initiate(&p.a, "conn", "net", 7);
    pair_run(&p);
    assert_int_equal(pair_result(&p.a, 7), E_OK);
    assert_true(pair_events(&p.b, EV_MSG_DROPPED) > 4);
    pair_fini(&p);
}

/* --- hostile fragments --- */

struct forged {
    const char *name;
    uint64_t spi_i, spi_r;
    uint8_t exchange, flags;
    struct frag_v1 f;
    const char *data;
};

static void forge(struct pair *p, const struct forged *x)
{
    uint8_t raw[256];
    struct wr w = wr_of(raw, sizeof raw);
    struct ike_hdr h = {.spi_i = x->spi_i,
                        .spi_r = x->spi_r,
                        .major = 1,
                        .exchange = x->exchange,
                        .flags = x->flags};
    struct frag_v1 f = x->f;
    size_t at = ike_hdr_begin(&w, &h);
    wr_patch_u8(&w, 16, 132);
    f.data = bytes_of(x->data, strlen(x->data));
    frag_v1_write(&w, &f);
    ike_hdr_end(&w, at);
    struct ike_in in = {
        .kind = IN_PACKET, .local = p->b.ep, .remote = p->a.ep, .data = wr_bytes(&w)};
    pair_step(&p->b, &in);
}

static void hostile(void **state)
{
    static const struct forged t[] = {
        {"a message that is none", 9, 0, EXCH_V1_MAIN, 0, {1, 1, true}, "not a message at all"},
        {"no SA of that kind", 9, 8, EXCH_V1_MAIN, 0, {1, 1, true}, "x"},
        {"no cookie", 0, 0, EXCH_V1_MAIN, 0, {1, 1, true}, "x"},
        {"number 0", 9, 0, EXCH_V1_MAIN, 0, {1, 0, true}, "x"},
        {"number 255", 9, 0, EXCH_V1_MAIN, 0, {1, 255, true}, "x"},
        {"nothing in it", 9, 0, EXCH_V1_MAIN, 0, {1, 1, true}, ""},
        {"for quick mode", 9, 0, EXCH_V1_QUICK, 1, {1, 1, true}, "x"},
    };
    static struct pair p;
    const struct setup x = {FRAG_YES, FRAG_YES, false, 300};
    (void)state;
    set_up(&p, &x);
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        size_t before = pair_events(&p.b, EV_MSG_DROPPED);
        forge(&p, &t[i]);
        if (pair_events(&p.b, EV_MSG_DROPPED) != before + 1 || pair_sas(&p.b))
            fail_msg("%s: not dropped", t[i].name);
    }
    pair_initiate(&p.a, "conn", "net", 7);
    pair_run(&p);
    assert_int_equal(pair_result(&p.a, 7), E_OK);
    pair_fini(&p);
}

int main(void)
{
    const char *what;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders),  cmocka_unit_test(bounded),   cmocka_unit_test(strangers),
        cmocka_unit_test(roles),   cmocka_unit_test(part_lost), cmocka_unit_test(life),
        cmocka_unit_test(altered), cmocka_unit_test(hostile),
    };
    if (cr_init(&what))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cr_fini();
    return failed;
}
