/*
 * The writer: what it writes is what a tree with the same members encodes to; misuse, what is too
 * long and too deep leave the buffer as it was.
 */
#include "vici_test.h"

static struct buf out;
static struct vici_writer w;

/* Ends the packet and reads it back. */
static void assert_written(const char *want)
{
    struct vici_stream in = {0};
    struct vici_packet_in p;
    struct buf text = {0};
    assert_int_equal(vici_write_end(&w), E_OK);
    assert_int_equal(vici_stream_feed(&in, bytes_of(out.s, out.n)), E_OK);
    assert_int_equal(vici_stream_next(&in, &p), E_OK);
    assert_int_equal(p.op, VICI_EVENT);
    assert_string_equal(p.name, "list-sa");
    buf_puts(&text, "");
    text_members(&text, p.msg);
    assert_string_equal(buf_str(&text), want);
    vnode_free(p.msg);
    vici_stream_free(&in);
    buf_free(&text);
    buf_free(&out);
}

static void begin(void)
{
    vici_write_begin(&w, &out, VICI_EVENT, "list-sa");
}

static void all_elements(void **state)
{
    (void)state;
    begin();
    vici_put_section(&w, "gw");
    vici_put_value(&w, "state", "UP");
    vici_put_value(&w, "empty", "");
    vici_put_number(&w, "zero", 0);
    vici_put_number(&w, "most", UINT64_MAX);
    vici_put_hex(&w, "spi", 0x1f, 8);
    vici_put_hex(&w, "ike", UINT64_MAX - 1, 16);
    vici_put_list(&w, "ts");
    vici_put_item(&w, "a");
    buf_puts(vici_put_item_open(&w), "b/24");
    vici_put_close(&w);
    vici_put_list_end(&w);
    buf_printf(vici_put_open(&w, "since"), "%d s", 5);
    vici_put_close(&w);
    vici_put_section(&w, "in");
    vici_put_section_end(&w);
    vici_put_section_end(&w);
    assert_written("gw {state=UP empty= zero=0 most=18446744073709551615 spi=0000001f "
                   "ike=fffffffffffffffe ts=[a b/24] since=5 s in {}}");
}

/* One behind the other in a buffer, one of them taken back. */
static void several_packets(void **state)
{
    (void)state;
    begin();
    vici_put_value(&w, "n", "1");
    assert_int_equal(vici_write_end(&w), E_OK);
    size_t one = out.n;
    begin();
    vici_put_value(&w, "n", "2");
    vici_write_cancel(&w);
    assert_int_equal(out.n, one);
    begin();
    vici_put_value(&w, "n", "3");
    assert_int_equal(vici_write_end(&w), E_OK);
    assert_int_equal(out.n, 2 * one);
    assert_memory_equal(out.s, out.s + one, one - 1);
    buf_free(&out);
}

static char long_text[70000];

static void no_name(void)
{
    vici_put_value(&w, "", "x");
}
static void long_name(void)
{
    long_text[256] = 0;
    vici_put_value(&w, long_text, "x");
    long_text[256] = 'x';
}
static void long_value(void)
{
    vici_put_value(&w, "x", long_text);
}
static void long_item(void)
{
    vici_put_list(&w, "l");
    vici_put_item(&w, long_text);
    vici_put_list_end(&w);
}
static void long_printed(void)
{
    buf_puts(vici_put_open(&w, "x"), long_text);
    vici_put_close(&w);
}
static void open_section(void)
{
    vici_put_section(&w, "s");
}
static void open_list(void)
{
    vici_put_list(&w, "l");
}
static void open_value(void)
{
    (void)vici_put_open(&w, "x");
}
static void close_nothing(void)
{
    vici_put_close(&w);
}
static void end_nothing(void)
{
    vici_put_section_end(&w);
}
static void list_end_nothing(void)
{
    vici_put_list_end(&w);
}
static void item_outside(void)
{
    vici_put_item(&w, "x");
}
static void value_in_list(void)
{
    vici_put_list(&w, "l");
    vici_put_value(&w, "x", "y");
    vici_put_list_end(&w);
}
static void too_deep(void)
{
    for (int i = 0; i <= VICI_DEPTH_MAX; i++)
        vici_put_section(&w, "s");
    for (int i = 0; i <= VICI_DEPTH_MAX; i++)
        vici_put_section_end(&w);
}
static void too_much(void)
{
    long_text[65535] = 0;
    for (int i = 0; i < 9; i++)
        vici_put_value(&w, "x", long_text);
    long_text[65535] = 'x';
}

static const struct wrong {
    const char *what;
    void (*write)(void);
    err_t err;
} wrongs[] = {
    {"no name", no_name, E_SPACE},
    {"name of 256 bytes", long_name, E_SPACE},
    {"value of 70,000 bytes", long_value, E_SPACE},
    {"item of 70,000 bytes", long_item, E_SPACE},
    {"printed value of 70,000 bytes", long_printed, E_SPACE},
    {"section left open", open_section, E_USAGE},
    {"list left open", open_list, E_USAGE},
    {"value left open", open_value, E_USAGE},
    {"nothing to close", close_nothing, E_USAGE},
    {"no section to end", end_nothing, E_USAGE},
    {"no list to end", list_end_nothing, E_USAGE},
    {"item outside of lists", item_outside, E_USAGE},
    {"value in a list", value_in_list, E_USAGE},
    {"33 sections deep", too_deep, E_SPACE},
    {"more than a packet", too_much, E_SPACE},
};

static void nothing_wrong_is_left(void **state)
{
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    buf_puts(&out, "before");
    for (const struct wrong *x = wrongs; x < wrongs + sizeof wrongs / sizeof *wrongs; x++) {
        print_message("%s\n", x->what);
        begin();
        vici_put_value(&w, "first", "fine");
        x->write();
        assert_int_equal(vici_write_end(&w), x->err);
        assert_string_equal(buf_str(&out), "before");
        assert_int_equal(out.n, 6);
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_elements),
        cmocka_unit_test(several_packets),
        cmocka_unit_test(nothing_wrong_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
