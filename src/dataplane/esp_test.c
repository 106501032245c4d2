/* ESP there and back between two data planes: every suite, size and family, and what must be
 * refused. RFC 4303 3.3, 3.4; RFC 3948; RFC 6040. */
#include "dataplane/testkit.h"
#include <stdlib.h>

static uint8_t buf[KIT_BUF], want[65536];

/* Sends one inner packet from A to B and compares. */
static void one_trip(struct kit *k, uint32_t len, unsigned family)
{
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, len, family, true));
    memcpy(want, p.data, len);
    kit_out(k->a, &p);
    assert_int_equal(p.verdict, DP_TO_NET);
    assert_int_equal(p.udp, k->sa_a.udp_encap);
    assert_true(endpoint_eq(&p.remote, &k->sa_a.remote));
    kit_cross(&p);
    kit_in(k->b, &p);
    assert_int_equal(p.verdict, DP_TO_HOST);
    assert_int_equal(p.len, len);
    assert_memory_equal(p.data, want, len);
}

static void all_sizes(struct kit *k)
{
    for (uint32_t n = 20; n <= 300; n++)
        one_trip(k, n, 4);
    for (uint32_t n = 40; n <= 300; n++)
        one_trip(k, n, 6);
    static const uint32_t big[] = {1280, 1420, 1438, 1439, 1500, 4000, 8999, 9000};
    for (size_t i = 0; i < sizeof big / sizeof *big; i++)
        one_trip(k, big[i], 4);
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (size_t s = 0; s < kit_suite_count; s++) {
        for (unsigned v = 0; v < 8; v++) {
            struct kit k;
            struct kit_opts o = {
                .esn = v & 1, .udp = v & 2, .outer6 = v & 4, .ip = {.fragment = FRAGMENT_AFTER}};
            kit_up(&k, &kit_suites[s], &o);
            all_sizes(&k);
            struct child_stats st;
            assert_true(dp_child_stats(k.b, 1, &st));
            assert_int_equal(st.in.packets, 281 + 261 + 8);
            assert_int_equal(st.in.last_ms, 1000);
            kit_down(&k);
        }
    }
}

#define MANY 150

static void batch_of(struct dp_pkt *p, struct dp_pkt **pp, uint8_t *bufs)
{
    for (uint32_t i = 0; i < MANY; i++) {
        uint8_t *b = bufs + i * 2112;
        p[i] = kit_pkt(b, kit_inner(b + DP_HEADROOM, 60 + i * 7, i % 3 ? 4 : 6, true));
        pp[i] = &p[i];
    }
}

static void test_batch(void **state)
{
    (void)state;
    static uint8_t bufs[MANY * 2112], plain[2112];
    for (size_t s = 0; s < kit_suite_count; s++) {
        struct kit k;
        kit_up(&k, &kit_suites[s], &(struct kit_opts){.window = 256});
        struct dp_pkt p[MANY], *pp[MANY];
        batch_of(p, pp, bufs);
        dp_outbound(k.a, pp, MANY, 1);
        for (int i = 0; i < MANY; i++)
            kit_cross(&p[i]);
        dp_inbound(k.b, pp, MANY, 1);
        for (uint32_t i = 0; i < MANY; i++) {
            assert_int_equal(p[i].verdict, DP_TO_HOST);
            assert_int_equal(p[i].len, 60 + i * 7);
            kit_inner(plain, p[i].len, i % 3 ? 4 : 6, true);
            assert_memory_equal(p[i].data, plain, p[i].len);
        }
        kit_down(&k);
    }
}

/* Two copies of one packet in the same batch: the window is committed packet by packet. */
static void test_replay_in_batch(void **state)
{
    (void)state;
    static uint8_t other[KIT_BUF];
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 100, 4, true));
    kit_out(k.a, &p);
    kit_cross(&p);
    struct dp_pkt q = p;
    q.data = other + (p.data - buf);
    memcpy(q.data, p.data, p.len);
    struct dp_pkt *pp[] = {&p, &q};
    dp_inbound(k.b, pp, 2, 1);
    assert_int_equal(p.verdict, DP_TO_HOST);
    assert_int_equal(q.verdict, DP_DROP);
    assert_int_equal(q.reason, R_DP_REPLAY);
    assert_int_equal(kit_drops(k.b, R_DP_REPLAY), 1);
    kit_down(&k);
}

/* RFC 4303 3.4.3: late and seen before are told apart, and how late it was is kept. */
static void test_late(void **state)
{
    (void)state;
    static const struct {
        uint32_t seq;
        err_t want;
    } came[] = {{1, E_OK},       {100, E_OK},     {99, E_OK},        {37, E_OK},
                {36, R_DP_LATE}, {2, R_DP_LATE},  {99, R_DP_REPLAY}, {100, R_DP_REPLAY},
                {5000000, E_OK}, {101, R_DP_LATE}};
    struct kit k;
    struct child_stats st;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){.window = 64});
    for (size_t i = 0; i < sizeof came / sizeof came[0]; i++) {
        child_find(k.a, 1)->out->seq = came[i].seq - 1;
        struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 61, 4, true));
        kit_out(k.a, &p);
        kit_cross(&p);
        kit_in(k.b, &p);
        assert_int_equal(p.reason, came[i].want);
    }
    assert_true(dp_child_stats(k.b, 1, &st));
    assert_int_equal(st.duplicate, 2);
    assert_int_equal(st.late, 3);
    assert_int_equal(st.lateness[0], 1); /* 99 */
    assert_int_equal(st.lateness[5], 1); /* 37 */
    assert_int_equal(st.lateness[6], 2); /* 36 and 2 */
    assert_int_equal(st.lateness[17], 1);
    assert_int_equal(st.window, 64);
    assert_int_equal(st.window_advice, 65536);
    kit_down(&k);
}

/* Every byte flipped: dropped, counted, and the genuine packet still goes through. */
static void flip_each(struct kit *k)
{
    static uint8_t good[256], work[KIT_BUF];
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 61, 4, true));
    kit_out(k->a, &p);
    kit_cross(&p);
    memcpy(good, p.data, p.len);
    uint64_t top = child_find(k->b, 1)->in->replay.top;
    for (uint32_t i = 0; i < p.len; i++) {
        struct dp_pkt bad = p;
        bad.data = work + DP_HEADROOM;
        memcpy(bad.data, good, p.len);
        bad.data[i] ^= 0x40;
        kit_in(k->b, &bad);
        assert_int_equal(bad.verdict, DP_DROP);
        if (i >= 8)
            assert_int_equal(bad.reason, R_DP_ICV);
        else
            assert_true(bad.reason == R_DP_ICV || bad.reason == R_DP_NO_SA ||
                        bad.reason == R_DP_REPLAY);
    }
    struct dp_stats st;
    dp_stats_get(k->b, &st);
    assert_int_equal(st.drops[R_DP_ICV] + st.drops[R_DP_NO_SA] + st.drops[R_DP_REPLAY], p.len);
    assert_int_equal(st.packets_in, 0);
    assert_int_equal(child_find(k->b, 1)->in->replay.top, top);
    kit_in(k->b, &p);
    assert_int_equal(p.verdict, DP_TO_HOST);
}

static void test_flipped(void **state)
{
    (void)state;
    for (size_t s = 0; s < kit_suite_count; s++) {
        struct kit k;
        kit_up(&k, &kit_suites[s], &(struct kit_opts){.esn = s & 1});
        flip_each(&k);
        kit_down(&k);
    }
}

static void test_truncated(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[6], &(struct kit_opts){0});
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 100, 4, true));
    kit_out(k.a, &p);
    kit_cross(&p);
    for (uint32_t n = 0; n < p.len; n++) {
        struct dp_pkt cut = p;
        uint8_t *exact = malloc(n ? n : 1); /* so that the sanitizer sees a byte too far */
        memcpy(exact, p.data, n);
        cut.data = exact;
        cut.len = n;
        kit_in(k.b, &cut);
        assert_int_equal(cut.verdict, DP_DROP);
        assert_true(cut.reason == R_DP_SHORT || cut.reason == R_DP_ICV);
        free(exact);
    }
    kit_in(k.b, &p);
    assert_int_equal(p.verdict, DP_TO_HOST);
    kit_down(&k);
}

/* A packet with any trailer, sealed with A's key: what only an authentic peer can do wrong. */
static struct dp_pkt forge(struct kit *k, uint64_t seq, const uint8_t *text, uint32_t n)
{
    struct sa_out *out = child_find(k->a, 1)->out;
    struct dp_pkt p = {.data = buf, .local = k->sa_b.local, .remote = k->sa_b.remote};
    assert_true(out->key || sa_key_out(k->a, out) == E_OK);
    put_u32(p.data, out->spi);
    put_u32(p.data + 4, (uint32_t)seq);
    memcpy(p.data + out->f.hdr_len, text, n);
    struct cr_op op = {.key = out->key, .p = p.data, .text_len = n, .iv_seed = seq};
    cr_seal(k->a->crypto, &op, 1);
    assert_int_equal(op.status, E_OK);
    p.len = out->f.hdr_len + n + out->f.icv_len;
    return p;
}

struct trailer_case {
    const char *name;
    uint32_t inner;  /* bytes of inner IPv4 packet */
    uint8_t tail[8]; /* what follows it */
    uint32_t tail_len;
    err_t want;
};

static const struct trailer_case trailers[] = {
    {"right", 22, {0, 4}, 2, E_OK},
    {"pad 1 2", 20, {1, 2, 2, 4}, 4, E_OK},
    {"TFC padding, RFC 4303 2.7", 20, {9, 9, 0, 4}, 4, E_OK},
    {"pad 2 2", 20, {2, 2, 2, 4}, 4, R_DP_PADDING},
    {"pad 0 1", 20, {0, 1, 2, 4}, 4, R_DP_PADDING},
    {"pad longer than the payload", 20, {1, 2, 200, 4}, 4, R_DP_PADDING},
    {"next header TCP", 20, {1, 2, 2, 6}, 4, R_DP_NEXT_HEADER},
    {"next header IPv6, packet IPv4", 20, {1, 2, 2, 41}, 4, R_DP_INNER},
    {"pad 1 to 6", 24, {1, 2, 3, 4, 5, 6, 6, 4}, 8, E_OK},
};

static void test_trailers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof trailers / sizeof trailers[0]; i++) {
        const struct trailer_case *c = &trailers[i];
        struct kit k;
        kit_up(&k, &kit_suites[13], &(struct kit_opts){0});
        uint8_t text[64];
        kit_inner(text, c->inner, 4, true);
        memcpy(text + c->inner, c->tail, c->tail_len);
        struct dp_pkt p = forge(&k, 1, text, c->inner + c->tail_len);
        kit_in(k.b, &p);
        if (p.reason != c->want)
            fail_msg("%s: %s", c->name, err_name(p.reason));
        assert_int_equal(p.verdict, c->want ? DP_DROP : DP_TO_HOST);
        if (c->want)
            assert_int_equal(kit_drops(k.b, c->want), 1);
        else
            assert_int_equal(p.len, c->inner);
        kit_down(&k);
    }
}

static void test_inner_length(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    uint8_t text[44];
    kit_inner(text, 42, 4, true);
    text[42] = 0;
    text[43] = 4;
    put_u16(text + 2, 43);
    struct dp_pkt p = forge(&k, 1, text, sizeof text);
    kit_in(k.b, &p);
    assert_int_equal(p.reason, R_DP_INNER);
    kit_down(&k);
}

/* RFC 4303 2.6: dummy packets are discarded quietly, whatever they hold. */
static void test_dummy(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    static const uint8_t text[4] = {0xaa, 0xbb, 0, 59};
    struct dp_pkt p = forge(&k, 1, text, sizeof text);
    kit_in(k.b, &p);
    assert_int_equal(p.verdict, DP_DROP);
    assert_int_equal(p.reason, E_OK);
    struct dp_stats st;
    dp_stats_get(k.b, &st);
    for (size_t i = 0; i < R_COUNT; i++)
        assert_int_equal(st.drops[i], 0);
    kit_down(&k);
}

/* RFC 4301 5.2 step 4 */
static void test_selector(void **state)
{
    (void)state;
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    uint8_t text[44];
    kit_inner(text, 42, 4, true);
    put_u32(text + 12, 0x0a030203); /* a source that is not A's */
    text[42] = 0;
    text[43] = 4;
    struct dp_pkt p = forge(&k, 1, text, sizeof text);
    kit_in(k.b, &p);
    assert_int_equal(p.reason, R_DP_SELECTOR);
    kit_inner(text, 42, 4, false); /* source and destination exchanged */
    p = forge(&k, 2, text, sizeof text);
    kit_in(k.b, &p);
    assert_int_equal(p.reason, R_DP_SELECTOR);
    struct child_stats st;
    assert_true(dp_child_stats(k.b, 1, &st));
    assert_int_equal(st.selector_dropped, 2);
    kit_down(&k);
}

static void test_encapsulation(void **state)
{
    (void)state;
    for (int udp = 0; udp < 2; udp++) {
        struct kit k;
        kit_up(&k, &kit_suites[0], &(struct kit_opts){.udp = udp});
        struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 100, 4, true));
        kit_out(k.a, &p);
        kit_cross(&p);
        struct dp_pkt other = p;
        other.udp = !udp;
        kit_in(k.b, &other);
        assert_int_equal(other.reason, R_DP_ENCAP);
        kit_in(k.b, &p);
        assert_int_equal(p.verdict, DP_TO_HOST);
        kit_down(&k);
    }
}

static void test_udp_port(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t b[12];
        uint32_t n;
        enum dp_verdict verdict;
        err_t reason;
    } cases[] = {
        {"keepalive", {0xff}, 1, DP_KEEPALIVE, E_OK},
        {"one other byte", {0xfe}, 1, DP_DROP, R_DP_SHORT},
        {"empty", {0}, 0, DP_DROP, R_DP_SHORT},
        {"marker only", {0}, 4, DP_DROP, R_DP_SHORT},
        {"IKE", {0, 0, 0, 0, 0xab}, 5, DP_TO_IKE, E_OK},
        {"SPI only", {1, 2, 3, 4}, 4, DP_DROP, R_DP_SHORT},
        {"no sequence number", {1, 2, 3, 4, 5, 6, 7}, 7, DP_DROP, R_DP_SHORT},
        {"unknown SPI", {1, 2, 3, 4, 5, 6, 7, 8}, 8, DP_DROP, R_DP_NO_SA},
    };
    struct dp *d = kit_dp();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dp_pkt p = kit_pkt(buf, cases[i].n);
        memcpy(p.data, cases[i].b, cases[i].n);
        p.udp = true;
        kit_in(d, &p);
        if (p.verdict != cases[i].verdict || p.reason != cases[i].reason)
            fail_msg("%s: %d %s", cases[i].name, p.verdict, err_name(p.reason));
        if (p.verdict == DP_TO_IKE)
            assert_true(p.len == 1 && p.data[0] == 0xab);
    }
    dp_free(d);
}

/* As the segments of a super-packet are given: header in place, payload elsewhere; and the ways on
 * which it must be together first. */
static void test_body(void **state)
{
    (void)state;
    static uint8_t whole[2000];
    static const uint32_t sizes[] = {60, 100, 400, 1000, 1420};
    for (size_t i = 0; i < kit_suite_count * 20; i++) {
        uint32_t n = sizes[i % 5], more = i / 5 % 2 ? 7 : 0; /* behind the IP packet's end */
        unsigned family = i / 10 % 2 ? 6 : 4;
        uint32_t head = family == 6 ? 48 : 28;
        struct kit k;
        kit_up(&k, &kit_suites[i / 20], &(struct kit_opts){0});
        kit_inner(whole, n, family, true);
        memcpy(buf + DP_HEADROOM, whole, head);
        memset(buf + DP_HEADROOM + head, 0xee, n);
        struct dp_pkt p = kit_pkt(buf, n + more);
        p.body = whole + head;
        p.body_len = n + more - head;
        kit_out(k.a, &p);
        assert_int_equal(p.verdict, DP_TO_NET);
        kit_cross(&p);
        kit_in(k.b, &p);
        assert_int_equal(p.verdict, DP_TO_HOST);
        assert_int_equal(p.len, n);
        assert_memory_equal(p.data, whole, n);
        kit_down(&k);
    }
}

/* A slice goes to another worker whole: what it was cut from stays here. */
static void test_body_elsewhere(void **state)
{
    (void)state;
    static uint8_t whole[1000], b[KIT_BUF];
    struct kit k;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    dp_policy_moved(k.a, 7, (struct dp_owner){.worker = 1});
    kit_inner(whole, sizeof whole, 4, true);
    struct dp_pkt p = kit_pkt(b, sizeof whole);
    memcpy(p.data, whole, 28);
    p.body = whole + 28;
    p.body_len = sizeof whole - 28;
    kit_out(k.a, &p);
    assert_int_equal(p.verdict, DP_ELSEWHERE);
    assert_null(p.body);
    assert_memory_equal(p.data, whole, sizeof whole);
    kit_down(&k);
}

/* Each direction's at its first packet, whatever that packet is, and once. */
static void test_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < kit_suite_count; i++) {
        struct kit k;
        kit_up(&k, &kit_suites[i], &(struct kit_opts){0});
        struct child *a = child_find(k.a, 1), *b = child_find(k.b, 1);
        assert_true(!a->in->key && !a->out->key && child_seed(a, DIR_IN)->encr &&
                    child_seed(a, DIR_OUT)->encr);
        struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 100, 4, true));
        kit_out(k.a, &p);
        assert_true(!a->in->key && a->out->key && child_seed(a, DIR_IN)->encr &&
                    !child_seed(a, DIR_OUT)->encr);
        const struct cr_esp *key = a->out->key;
        kit_cross(&p);
        p.data[p.len - 1] ^= 1;
        kit_in(k.b, &p);
        assert_int_equal(p.reason, R_DP_ICV);
        assert_true(b->in->key && !b->out->key && !child_seed(b, DIR_IN)->encr &&
                    child_seed(b, DIR_OUT)->encr);
        p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 100, 4, true));
        kit_out(k.a, &p);
        kit_cross(&p);
        kit_in(k.b, &p);
        assert_int_equal(p.verdict, DP_TO_HOST);
        assert_ptr_equal(a->out->key, key);
        kit_down(&k);
    }
}

int main(void)
{
    const char *what = "";
    if (cr_init(&what))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late),           cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_batch),          cmocka_unit_test(test_replay_in_batch),
        cmocka_unit_test(test_flipped),        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_trailers),       cmocka_unit_test(test_dummy),
        cmocka_unit_test(test_selector),       cmocka_unit_test(test_encapsulation),
        cmocka_unit_test(test_udp_port),       cmocka_unit_test(test_inner_length),
        cmocka_unit_test(test_keys),           cmocka_unit_test(test_body),
        cmocka_unit_test(test_body_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
