/* Packets from a stream that was cut at every place, joined, and broken. */
#include "vici_test.h"

/* swanctl --list-policies as it went over the socket: register, request; charon's confirmation, an
 * event of another kind, and the empty answer. */
static const char session[] =
    "0000000d030b6c6973742d706f6c696379"
    "0000002b000d6c6973742d706f6c69636965730304747261700003796573030470617373000379657303"
    "0161000162"
    "0000000105"
    "0000000b07036c6f67030161000162"
    "0000000101";

static const char want[] =
    "3 list-policy -; 0 list-policies trap=yes pass=yes a=b; 5  -; 7 log a=b; 1  ; ";

static void drain(struct vici_stream *s, struct buf *out)
{
    struct vici_packet_in p;
    err_t e;
    while (!(e = vici_stream_next(s, &p))) {
        buf_printf(out, "%d %s ", p.op, p.name);
        if (p.msg)
            text_members(out, p.msg);
        else
            buf_puts(out, "-");
        buf_puts(out, "; ");
        vnode_free(p.msg);
    }
    assert_int_equal(e, E_AGAIN);
}

static void reassembles(void **state)
{
    (void)state;
    uint8_t raw[256];
    size_t n = unhex(session, raw, sizeof raw);
    for (size_t step = 1; step <= n; step++) {
        struct vici_stream s = {0};
        struct buf out = {0};
        for (size_t at = 0; at < n; at += step) {
            size_t left = n - at;
            assert_int_equal(vici_stream_feed(&s, bytes_of(raw + at, left < step ? left : step)),
                             0);
            drain(&s, &out);
        }
        assert_string_equal(buf_str(&out), want);
        buf_free(&out);
        vici_stream_free(&s);
    }
}

static err_t first_error(struct bytes b)
{
    struct vici_stream s = {0};
    struct vici_packet_in p;
    err_t e = vici_stream_feed(&s, b);
    if (!e)
        e = vici_stream_next(&s, &p);
    if (!e)
        vnode_free(p.msg);
    vici_stream_free(&s);
    return e;
}

static void tells_broken_streams(void **state)
{
    (void)state;
    static const struct {
        const char *what, *hex;
        err_t want;
    } cases[] = {
        {"empty packet", "00000000", R_TRUNCATED},
        {"longer than allowed", "00080001", R_LENGTH},
        {"as long as allowed", "00080000", E_AGAIN},
        {"huge", "ffffffff", R_LENGTH},
        {"unknown type", "0000000108", R_SYNTAX},
        {"request without a name", "0000000100", R_TRUNCATED},
        {"name longer than the packet",
         "000000030005"
         "61",
         R_TRUNCATED},
        {"registration with a message", "0000000b03036c6f67030161000162", R_TRAILING},
        {"confirmation with something behind", "000000020500", R_TRAILING},
        {"malformed message", "00000006000361626303", R_TRUNCATED},
        {"unbalanced message", "00000006000361626302", R_SYNTAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t raw[64];
        err_t e = first_error(bytes_of(raw, unhex(cases[i].hex, raw, sizeof raw)));
        if (e != cases[i].want)
            fail_msg("%s: %s", cases[i].what, err_name(e));
    }
}

/* nothing is called so: the server answers "unknown" instead of cutting the connection */
static void names_that_cannot_be_are_empty(void **state)
{
    (void)state;
    uint8_t longest[4 + 2 + 64] = {0, 0, 0, 66, VICI_CMD_REQUEST, 64};
    memset(longest + 6, 'x', 64);
    uint8_t zero[] = {0, 0, 0, 5, VICI_CMD_REQUEST, 3, 'a', 0, 'b'};
    const struct bytes cases[] = {{longest, sizeof longest}, {zero, sizeof zero}};
    for (size_t i = 0; i < 2; i++) {
        struct vici_stream s = {0};
        struct vici_packet_in p;
        assert_int_equal(vici_stream_feed(&s, cases[i]), 0);
        assert_int_equal(vici_stream_next(&s, &p), 0);
        assert_string_equal(p.name, "");
        vnode_free(p.msg);
        vici_stream_free(&s);
    }
}

static void limits_what_piles_up(void **state)
{
    (void)state;
    static uint8_t block[65536];
    struct vici_stream s = {0};
    err_t e = E_OK;
    size_t fed = 0;
    for (; !e; fed += sizeof block)
        e = vici_stream_feed(&s, bytes_of(block, sizeof block));
    assert_int_equal(e, R_LENGTH);
    assert_true(fed <= 2 * VICI_PACKET_MAX + 2 * sizeof block);
    vici_stream_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reassembles),
        cmocka_unit_test(tells_broken_streams),
        cmocka_unit_test(names_that_cannot_be_are_empty),
        cmocka_unit_test(limits_what_piles_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
