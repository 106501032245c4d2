/*
 * Messages that other implementations sent (tests/vectors/ike/v2-messages.txt) against tshark's
 * reading and charon's log of them; then the same messages mutilated: every truncation, every
 * payload length off by one, every bit flipped.
 */
#include "wire/auth.h"
#include "wire/del.h"
#include "wire/id.h"
#include "wire/ike_hdr.h"
#include "wire/ke.h"
#include "wire/notify.h"
#include "wire/print.h"
#include "wire/roundtrip.h"
#include "wire/sa_v2.h"
#include "wire/ts.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct message {
    char name[80];
    bool whole;    /* with IKE header; else a decrypted chain */
    uint8_t first; /* of a chain */
    uint8_t *p;
    size_t n;
    char *values; /* "t=33,34 n=- ..." */
};

#define MESSAGES_MAX 200
static struct message messages[MESSAGES_MAX];
static size_t message_count;

static size_t unhex(uint8_t *out, const char *hex)
{
    size_t n = 0;
    unsigned v;
    for (; sscanf(hex + 2 * n, "%2x", &v) == 1; n++)
        out[n] = (uint8_t)v;
    return n;
}

static void load_line(char *line)
{
    char kind[8], exchange[20], direction[12], first[4], *values;
    struct message *m = &messages[message_count];
    int hex_at = 0, hex_end = 0;
    assert_int_equal(sscanf(line, "%63s %7s %19s %11s %3s %n%*s%n", m->name, kind, exchange,
                            direction, first, &hex_at, &hex_end),
                     5);
    assert_true(message_count < MESSAGES_MAX && hex_end > hex_at);
    values = line + hex_end;
    *values++ = 0;
    values[strcspn(values, "\n")] = 0;
    m->whole = strcmp(kind, "msg") == 0;
    m->first = (uint8_t)atoi(first);
    m->p = malloc(strlen(line + hex_at) / 2 + 1);
    m->n = unhex(m->p, line + hex_at);
    m->values = strdup(values);
    message_count++;
}

static int load(void **state)
{
    static char line[20000];
    FILE *f = fopen(VECTORS "/ike/v2-messages.txt", "r");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (line[0] != '#')
            load_line(line);
    fclose(f);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    for (size_t i = 0; i < message_count; i++) {
        free(messages[i].p);
        free(messages[i].values);
    }
    return 0;
}

/* The value of " key=" among tshark's. */
static const char *expected(const struct message *m, const char *key)
{
    static char out[1000];
    char pattern[10];
    snprintf(pattern, sizeof pattern, "%s=", key);
    const char *at = strstr(m->values, pattern);
    while (at && at != m->values && at[-1] != ' ')
        at = strstr(at + 1, pattern);
    assert_non_null(at);
    at += strlen(pattern);
    size_t n = strcmp(key, "log") == 0 ? strlen(at) : strcspn(at, " ");
    snprintf(out, sizeof out, "%.*s", (int)n, at);
    return strcmp(out, "-") == 0 ? "" : out;
}

static void add(struct buf *b, unsigned v)
{
    buf_printf(b, "%s%u", b->n ? "," : "", v);
}

static void expect(const struct message *m, const char *key, struct buf *got)
{
    if (strcmp(expected(m, key), buf_str(got)) != 0)
        fail_msg("%s %s: tshark %s, we %s", m->name, key, expected(m, key), buf_str(got));
    buf_free(got);
}

static void parse(const struct message *m, struct ike_hdr *h, struct payloads *ps)
{
    struct bytes all = bytes_of(m->p, m->n);
    *h = (struct ike_hdr){.next = m->first};
    if (m->whole)
        assert_int_equal(ike_hdr_parse(all, h), 0);
    err_t e = payloads_parse(m->whole ? ike_hdr_body(all) : all, h->next, ps);
    if (e)
        fail_msg("%s: %s", m->name, err_name(e));
}

static void check_proposals(const struct message *m, const struct payloads *ps)
{
    static const char *const keys[] = {NULL, "e", "p", "i", "d", "s"};
    struct buf ids[6] = {0}, bits = {0}, numbers = {0};
    static struct proposals sa;
    sa.count = 0;
    if (payloads_find(ps, PL_SA))
        assert_int_equal(sa_v2_parse(payloads_find(ps, PL_SA)->body, &sa), 0);
    for (size_t i = 0; i < sa.count; i++) {
        add(&numbers, sa.p[i].number);
        assert_false(sa.p[i].unusable);
        for (size_t k = 0; k < sa.p[i].count; k++) {
            const struct transform *t = &sa.p[i].t[k];
            add(&ids[t->type], t->id);
            if (t->key_bits)
                add(&bits, t->key_bits);
        }
    }
    for (size_t type = T_ENCR; type <= T_ESN; type++)
        expect(m, keys[type], &ids[type]);
    expect(m, "k", &bits);
    expect(m, "nr", &numbers);
}

/* tshark's columns hold all starts, then all ends */
static void check_selectors(const struct message *m, const struct payloads *ps)
{
    struct buf lo = {0}, hi = {0}, starts = {0}, ends = {0};
    static struct ts_list l;
    char text[ADDR_STR_MAX];
    for (uint8_t type = PL_TSI; type <= PL_TSR; type++) {
        const struct payload *p = payloads_find(ps, type);
        if (!p)
            continue;
        assert_int_equal(ts_body_parse(p->body, &l), 0);
        for (size_t i = 0; i < l.count; i++) {
            add(&lo, l.ts[i].port_lo);
            add(&hi, l.ts[i].port_hi);
            buf_printf(&starts, "%s%s", starts.n ? "," : "", addr_str(&l.ts[i].lo, text));
            buf_printf(&ends, ",%s", addr_str(&l.ts[i].hi, text));
        }
    }
    buf_puts(&starts, buf_str(&ends));
    buf_free(&ends);
    expect(m, "sp", &lo);
    expect(m, "ep", &hi);
    expect(m, "a", &starts);
}

static void check_bodies(const struct message *m, const struct payloads *ps)
{
    struct buf types = {0}, notifies = {0}, groups = {0}, ids = {0}, methods = {0}, spis = {0};
    for (size_t i = 0; i < ps->count; i++) {
        const struct payload *p = &ps->p[i];
        struct notify n;
        struct ke ke;
        struct id id;
        struct auth auth;
        struct del del;
        add(&types, p->type);
        switch (p->type) {
        case PL_NOTIFY:
            assert_int_equal(notify_parse(p->body, &n), 0);
            add(&notifies, n.type);
            break;
        case PL_KE:
            assert_int_equal(ke_parse(p->body, &ke), 0);
            add(&groups, ke.method);
            break;
        case PL_IDI:
        case PL_IDR:
            assert_int_equal(id_body_parse(p->body, &id), 0);
            add(&ids, id.type);
            break;
        case PL_AUTH:
            assert_int_equal(auth_parse(p->body, &auth), 0);
            add(&methods, auth.method);
            break;
        case PL_DELETE:
            assert_int_equal(del_parse(p->body, &del), 0);
            for (size_t k = 0; k < del.count; k++)
                buf_printf(&spis, "%08x", del_spi(&del, k));
            break;
        default:
            break;
        }
    }
    expect(m, "t", &types);
    expect(m, "n", &notifies);
    expect(m, "g", &groups);
    expect(m, "id", &ids);
    expect(m, "au", &methods);
    expect(m, "ds", &spis);
}

static void test_values(void **state)
{
    (void)state;
    assert_true(message_count > 50);
    for (size_t i = 0; i < message_count; i++) {
        static struct payloads ps;
        struct ike_hdr h;
        struct buf log = {0};
        parse(&messages[i], &h, &ps);
        check_bodies(&messages[i], &ps);
        check_proposals(&messages[i], &ps);
        check_selectors(&messages[i], &ps);
        payloads_print(&ps, &log);
        if (strcmp(expected(&messages[i], "log"), "?") != 0)
            expect(&messages[i], "log", &log);
        buf_free(&log);
    }
}

static enum roundtrip again(const struct message *m, struct bytes b)
{
    return m->whole ? roundtrip_message(b) : roundtrip_chain(b, m->first);
}

static void test_roundtrips(void **state)
{
    (void)state;
    for (size_t i = 0; i < message_count; i++)
        assert_int_equal(again(&messages[i], bytes_of(messages[i].p, messages[i].n)), RT_HOLDS);
}

static void test_truncations(void **state)
{
    (void)state;
    for (size_t i = 0; i < message_count; i++) {
        struct message *m = &messages[i];
        for (size_t n = 0; n < m->n; n++) {
            /* a copy of exactly that size, so that reading on is noticed */
            uint8_t *p = malloc(n ? n : 1);
            memcpy(p, m->p, n);
            assert_int_equal(again(m, bytes_of(p, n)), RT_REFUSED);
            if (m->whole && n >= IKE_HDR_LEN) {
                put_u32(p + 24, (uint32_t)n);
                assert_int_equal(again(m, bytes_of(p, n)), RT_REFUSED);
            }
            free(p);
        }
    }
}

static void test_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < message_count; i++) {
        struct message *m = &messages[i];
        static struct payloads ps;
        struct ike_hdr h;
        parse(m, &h, &ps);
        for (size_t k = 0; k < ps.count; k++) {
            uint8_t *len = m->p + (ps.p[k].body.p - m->p) - 2;
            uint16_t was = get_u16(len);
            for (int d = -1; d <= 1; d += 2) {
                put_u16(len, (uint16_t)(was + d));
                enum roundtrip rt = again(m, bytes_of(m->p, m->n));
                assert_int_not_equal(rt, RT_BROKEN);
                if (k + 1 == ps.count)
                    assert_int_equal(rt, RT_REFUSED);
            }
            put_u16(len, was);
        }
    }
}

/* One byte or pair within a body, off by one either way: refused. */
static void off_by_one(uint8_t type, struct bytes body, size_t at, size_t width)
{
    uint8_t *copy = malloc(body.n);
    for (int d = -1; d <= 1; d += 2) {
        memcpy(copy, body.p, body.n);
        if (width == 1)
            copy[at] = (uint8_t)(copy[at] + d);
        else
            put_u16(copy + at, (uint16_t)(get_u16(copy + at) + d));
        assert_int_equal(roundtrip_body(type, bytes_of(copy, body.n)), RT_REFUSED);
    }
    free(copy);
}

static void sa_lengths(struct bytes b)
{
    for (size_t at = 0; at < b.n; at += get_u16(b.p + at + 2)) {
        size_t end = at + get_u16(b.p + at + 2);
        off_by_one(PL_SA, b, at + 2, 2);
        off_by_one(PL_SA, b, at + 6, 1); /* SPI size */
        off_by_one(PL_SA, b, at + 7, 1); /* number of transforms */
        for (size_t t = at + 8 + b.p[at + 6]; t < end; t += get_u16(b.p + t + 2))
            off_by_one(PL_SA, b, t + 2, 2);
    }
}

static void ts_lengths(struct bytes b)
{
    off_by_one(PL_TSI, b, 0, 1); /* number of selectors */
    for (size_t at = 4; at < b.n; at += get_u16(b.p + at + 2))
        off_by_one(PL_TSI, b, at + 2, 2);
}

static void test_inner_lengths(void **state)
{
    size_t sas = 0, tss = 0;
    (void)state;
    for (size_t i = 0; i < message_count; i++) {
        static struct payloads ps;
        struct ike_hdr h;
        parse(&messages[i], &h, &ps);
        for (const struct payload *p = NULL; (p = payloads_next(&ps, PL_SA, p)); sas++)
            sa_lengths(p->body);
        for (const struct payload *p = NULL; (p = payloads_next(&ps, PL_TSI, p)); tss++)
            ts_lengths(p->body);
        for (const struct payload *p = NULL; (p = payloads_next(&ps, PL_DELETE, p));) {
            off_by_one(PL_DELETE, p->body, 1, 1);
            off_by_one(PL_DELETE, p->body, 2, 2);
        }
    }
    assert_true(sas > 20 && tss > 10);
}

static void test_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < message_count; i++) {
        struct message *m = &messages[i];
        for (size_t bit = 0; bit < m->n * 8; bit++) {
            m->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (again(m, bytes_of(m->p, m->n)) == RT_BROKEN)
                fail_msg("%s: bit %zu", m->name, bit);
            m->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),      cmocka_unit_test(test_roundtrips),
        cmocka_unit_test(test_truncations), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_bits),        cmocka_unit_test(test_inner_lengths),
    };
    return cmocka_run_group_tests_name("wire/vectors", tests, load, unload);
}
