/* Packets laid as close as the train that they leave in: dp_out_room, and what dp_outbound makes of
 * them, for every suite; and an SA that changes meanwhile. */
#include "dataplane/testkit.h"

enum { TRAIN = 70 }; /* more than one batch */

static uint8_t mem[DP_HEADROOM + TRAIN * 1600], one[2000];
static struct dp_pkt pkt[TRAIN], *ptr[TRAIN];

/* The flow cache knows a flow when a packet of it has been sent. */
static void make_known(struct dp *d, unsigned family)
{
    static uint8_t buf[KIT_BUF];
    struct dp_pkt p = kit_pkt(buf, kit_inner(buf + DP_HEADROOM, 100, family, true));
    kit_out(d, &p);
    assert_int_equal(p.verdict, DP_TO_NET);
}

static void lay(const struct dp_room *r, uint32_t len, uint32_t last, unsigned family)
{
    uint8_t *at = mem + DP_HEADROOM;
    for (uint32_t i = 0; i < TRAIN; i++) {
        uint32_t n = i + 1 < TRAIN ? len : last;
        uint8_t back = dp_room_back(r, n);
        pkt[i] = (struct dp_pkt){
            .data = at + r->head, .len = n, .close = true, .head = r->head, .back = back};
        kit_inner(pkt[i].data, n, family, true);
        ptr[i] = &pkt[i];
        at = pkt[i].data + n + back;
    }
}

static void train(struct kit *k, uint32_t len, unsigned family)
{
    struct dp_room r;
    uint32_t last = len - 3;
    kit_inner(one, len, family, true);
    assert_true(dp_out_room(k->a, 0, one, len, len, &r));
    lay(&r, len, last, family);
    dp_outbound(k->a, ptr, TRAIN, 1);
    for (int i = 0; i < TRAIN; i++) {
        assert_int_equal(pkt[i].verdict, DP_TO_NET);
        if (i > 0)
            assert_ptr_equal(pkt[i].data, pkt[i - 1].data + pkt[i - 1].len);
        kit_cross(&pkt[i]);
    }
    dp_inbound(k->b, ptr, TRAIN, 1);
    for (int i = 0; i < TRAIN; i++) {
        uint32_t n = i + 1 < TRAIN ? len : last;
        kit_inner(one, n, family, true);
        assert_int_equal(pkt[i].verdict, DP_TO_HOST);
        assert_int_equal(pkt[i].len, n);
        assert_memory_equal(pkt[i].data, one, n);
    }
}

static void test_trains(void **state)
{
    (void)state;
    for (size_t s = 0; s < kit_suite_count; s++) {
        for (unsigned v = 0; v < 4; v++) {
            struct kit k;
            unsigned family = v & 2 ? 6 : 4;
            kit_up(&k, &kit_suites[s], &(struct kit_opts){.window = 256, .esn = v & 1});
            make_known(k.a, family);
            for (uint32_t len = 60; len < 1400; len += 1 + len / 7)
                train(&k, len, family);
            kit_down(&k);
        }
    }
}

static void test_not_known(void **state)
{
    (void)state;
    struct kit k;
    struct dp_room r;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    kit_inner(one, 1000, 4, true);
    assert_false(dp_out_room(k.a, 0, one, 1000, 100, &r));
    make_known(k.a, 4);
    assert_true(dp_out_room(k.a, 0, one, 1000, 100, &r));
    assert_false(dp_out_room(k.a, 0, one, 10, 10, &r));     /* no packet */
    assert_false(dp_out_room(k.a, 0, one, 1000, 1490, &r)); /* larger than the path */
    kit_inner(one, 1000, 6, true);
    assert_false(dp_out_room(k.a, 0, one, 1000, 100, &r));
    dp_child_del(k.a, 1);
    kit_inner(one, 1000, 4, true);
    assert_false(dp_out_room(k.a, 0, one, 1000, 100, &r));
    kit_down(&k);
}

/* Room for AES-GCM; then the tunnel is rekeyed with what takes more: dropped, counted, nothing
 * overwritten. */
static void test_other_sa(void **state)
{
    (void)state;
    struct kit k;
    struct child_sa other;
    struct dp_room r;
    kit_up(&k, &kit_suites[0], &(struct kit_opts){0});
    make_known(k.a, 4);
    kit_inner(one, 1000, 4, true);
    assert_true(dp_out_room(k.a, 0, one, 1000, 1000, &r));
    size_t cbc = 0;
    while (kit_suites[cbc].encr != 12) /* ENCR_AES_CBC */
        cbc++;
    kit_sa(&other, &kit_suites[cbc], &(struct kit_opts){0}, true);
    other.id = 2;
    other.spi_in = dp_spi_alloc(k.a);
    other.spi_out = 0x1234;
    assert_int_equal(dp_child_add(k.a, &other, 1), E_OK);
    lay(&r, 1000, 1000, 4);
    memcpy(one, pkt[0].data - r.head, 1000 + r.head);
    dp_outbound(k.a, ptr, TRAIN, 1);
    for (int i = 0; i < TRAIN; i++)
        assert_int_equal(pkt[i].verdict, DP_DROP);
    assert_int_equal(kit_drops(k.a, R_DP_ROOM), TRAIN);
    assert_memory_equal(one, mem + DP_HEADROOM, 1000 + r.head);
    kit_sa_free(&other);
    kit_down(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trains),
        cmocka_unit_test(test_not_known),
        cmocka_unit_test(test_other_sa),
    };
    const char *lacks = NULL;
    if (cr_init(&lacks))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
