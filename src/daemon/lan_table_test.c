/* What LAN interfaces are told to take, by a follower that remembers. */
#include "daemon/lan_table.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* "10.2.0.0/24: 10.1.0.0/24" for each destination; a hole has no sources. */
static struct {
    struct addr to;
    unsigned bits;
    struct lan_sources from;
} told[32];
static size_t count;

static size_t find(const struct addr *to, unsigned bits)
{
    size_t i = 0;
    while (i < count && !(told[i].bits == bits && addr_eq(&told[i].to, to)))
        i++;
    return i;
}

static err_t take(void *ctx, const struct addr *to, unsigned bits, const struct lan_sources *from)
{
    size_t i = find(to, bits);
    (void)ctx;
    count += i == count;
    told[i].to = *to;
    told[i].bits = bits;
    told[i].from = *from;
    return E_OK;
}

static void leave(void *ctx, const struct addr *to, unsigned bits)
{
    size_t i = find(to, bits);
    (void)ctx;
    assert_true(i < count);
    told[i] = told[--count];
}

static void clear(void *ctx)
{
    (void)ctx;
    count = 0;
}

static struct ts range(const char *text)
{
    struct ts_conf c;
    const char *why;
    assert_int_equal(ts_conf_parse(&c, text, &why), E_OK);
    return c.ts;
}

static void pair(struct lan_table *t, const char *local, const char *remote, bool add)
{
    const struct ts l = range(local), r = range(remote);
    if (add)
        assert_int_equal(lan_table_add(t, &l, &r), E_OK);
    else
        lan_table_del(t, &l, &r);
}

/* -1: nothing is told. */
static int sources(struct lan_table *t, const char *to)
{
    struct addr a;
    unsigned bits;
    assert_true(addr_parse_prefix(&a, &bits, to));
    assert_int_equal(lan_table_settle(t), E_OK);
    size_t i = find(&a, bits);
    return i < count ? (int)told[i].from.n : -1;
}

static void test_table(void **state)
{
    static const uint64_t key[2] = {1, 2};
    const struct lan_follower to = {&told, take, leave, clear};
    struct lan_table t;
    char text[32];
    (void)state;
    assert_int_equal(lan_table_init(&t, key, &to), E_OK);
    pair(&t, "10.1.0.0/24", "10.2.0.0/24", true);
    pair(&t, "10.1.0.0/24", "10.2.0.0/24", true); /* another policy's */
    assert_int_equal(sources(&t, "10.2.0.0/24"), 1);
    pair(&t, "10.1.0.0/24", "10.2.0.0/24", false);
    assert_int_equal(sources(&t, "10.2.0.0/24"), 1);
    for (int i = 1; i <= LAN_SOURCES; i++) { /* one too many in the end: the kernel's */
        snprintf(text, sizeof text, "10.1.%d.0/24", i);
        pair(&t, text, "10.2.0.0/24", true);
        assert_int_equal(sources(&t, "10.2.0.0/24"), i < LAN_SOURCES ? i + 1 : 0);
    }
    pair(&t, "10.1.0.0/24", "10.2.0.0/24", false);
    assert_int_equal(sources(&t, "10.2.0.0/24"), LAN_SOURCES);
    pair(&t, "10.1.0.0-10.1.0.2", "10.3.0.1-10.3.0.2", true); /* in prefixes */
    assert_int_equal(sources(&t, "10.3.0.1/32"), 2);
    assert_int_equal(sources(&t, "10.3.0.2/32"), 2);
    pair(&t, "fd01::/64", "::/0", true); /* our own side is a hole in it */
    assert_int_equal(sources(&t, "::/0"), 1);
    assert_int_equal(sources(&t, "fd01::/64"), 0);
    pair(&t, "fd05::/64", "fd01::/64", true); /* and stays one */
    assert_int_equal(sources(&t, "fd01::/64"), 0);
    pair(&t, "fd01::/64", "::/0", false);
    assert_int_equal(sources(&t, "::/0"), -1);
    assert_int_equal(sources(&t, "fd01::/64"), 1);
    pair(&t, "10.0.0.0/8", "10.0.0.0/8", true); /* who is on our side? */
    assert_int_equal(sources(&t, "10.0.0.0/8"), 0);
    lan_table_clear(&t);
    assert_int_equal(count, 0);
    assert_int_equal(sources(&t, "10.2.0.0/24"), -1);
    lan_table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
