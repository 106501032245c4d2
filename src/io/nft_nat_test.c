/* NAT rules of others, as nft lists them. */
#include "io/nft_nat.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#define IN_CHAIN(rule)                                                                             \
    "table ip others {\n\tchain post {\n\t\ttype nat hook postrouting priority srcnat; policy "    \
    "accept;\n\t\t" rule "\n\t}\n}\n"

static const struct nat_case {
    const char *text;
    bool any, wide;
    const char *gives, *not ; /* NULL: not asked */
} cases[] = {
    {"", false, false, NULL, "10.77.0.1"},
    {"table inet filter {\n\tchain in {\n\t\ttype filter hook input priority 0;\n\t}\n}\n", false,
     false, NULL, "10.77.0.1"},
    {IN_CHAIN("masquerade"), true, false, NULL, "10.77.0.1"},
    {IN_CHAIN("oifname \"wan\" masquerade"), true, false, NULL, "10.77.0.1"},
    {IN_CHAIN("oifname \"culvert0\" masquerade"), true, true, "10.77.0.1", NULL},
    {IN_CHAIN("oifname { \"wan\", \"culvert0\" } masquerade"), true, true, "fd01::1", NULL},
    {IN_CHAIN("oifname != \"culvert0\" masquerade"), true, false, NULL, "10.77.0.1"},
    {IN_CHAIN("oifname \"culvert0\" accept"), true, false, NULL, "10.77.0.1"},
    {IN_CHAIN("ip saddr 10.1.0.0/24 oifname \"culvert0\" snat to 10.77.0.1"), true, false,
     "10.77.0.1", "10.1.0.1"},
    {IN_CHAIN("ip daddr 10.2.0.0/24 counter packets 0 bytes 0 snat to 10.77.0.4-10.77.0.9"), true,
     false, "10.77.0.6", "10.77.0.3"},
    {IN_CHAIN("snat to 10.77.0.1:1024-2048 random"), true, false, "10.77.0.1", "10.77.0.2"},
    {IN_CHAIN("snat ip prefix to ip saddr map { 10.1.0.0/24 : 10.77.5.0/24 }"), true, false,
     "10.77.5.9", "10.77.6.1"},
    {IN_CHAIN("snat to fd77::1"), true, false, "fd77::1", "10.77.0.1"},
    {IN_CHAIN("snat to [fd77::1]:80"), true, false, "fd77::1", "fd77::2"},
    {IN_CHAIN("snat ip6 to [fd77::1]-[fd77::9]:80-90"), true, false, "fd77::5", "fd77::a"},
    {IN_CHAIN("oifname \"culvert0\" snat to jhash ip saddr mod 2 map @there"), true, true,
     "10.77.0.1", NULL},
    {IN_CHAIN("oifname \"wan\" snat to jhash ip saddr mod 2 map @there"), true, false, NULL,
     "10.77.0.1"},
    {"table inet culvert {\n\tchain exempt {\n\t\ttype nat hook postrouting priority 90;\n"
     "\t\toifname \"culvert0\" snat ip to ip saddr\n\t}\n}\n",
     false, false, NULL, "10.77.0.1"},
};

static bool gives(const struct nft_nat_found *f, const char *text)
{
    struct addr a;
    assert_true(addr_parse(&a, text));
    return nft_nat_gives(f, &a, &a);
}

/* Behind a long set of sources. */
static void test_long_line(void **state)
{
    static char text[20000];
    struct nft_nat_found f;
    size_t n = 0;
    (void)state;
    n += (size_t)snprintf(text, sizeof text, "table ip others {\n\t\tip saddr { ");
    for (unsigned i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "10.1.%u.%u, ", i / 250, i % 250);
    (void)snprintf(text + n, sizeof text - n, "10.5.0.1 } snat to 10.77.0.1\n");
    nft_nat_read(&f, text, "inet culvert", "culvert0");
    assert_true(gives(&f, "10.77.0.1"));
    assert_false(f.wide);
}

static void test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct nat_case *c = &cases[i];
        struct nft_nat_found f;
        nft_nat_read(&f, c->text, "inet culvert", "culvert0");
        if (f.any != c->any || f.wide != c->wide || (c->gives && !gives(&f, c->gives)) ||
            (c->not &&gives(&f, c->not )))
            fail_msg("%s", c->text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read),
                                       cmocka_unit_test(test_long_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
