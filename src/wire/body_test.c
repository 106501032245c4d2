/* The small payload bodies, one table: RFC 7296 3.4 to 3.12, RFC 7427 3. */
#include "wire/auth.h"
#include "wire/cert.h"
#include "wire/del.h"
#include "wire/id.h"
#include "wire/ke.h"
#include "wire/nonce.h"
#include "wire/notify.h"
#include "wire/payload.h"
#include "wire/roundtrip.h"
#include "wire/vendor.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define FILL20 "aaaaaaaaaaaaaaaaaaaa"

struct sample {
    const char *name;
    uint8_t type;
    const char *b;
    size_t n;
    err_t err;
};

#define CASE(name, type, b, err)                                                                   \
    {                                                                                              \
        name, type, b, sizeof(b) - 1, err                                                          \
    }

/* clang-format off */
static const struct sample samples[] = {
    CASE("3.4", PL_KE, "\0\x0e\0\0k", 0),
    CASE("3.4: reserved is ignored", PL_KE, "\0\x0e\xff\xffk", 0),
    CASE("3.4: no value", PL_KE, "\0\x0e\0\0", R_TRUNCATED),
    CASE("3.4: cut", PL_KE, "\0\x0e\0", R_TRUNCATED),
    CASE("3.9: 15 bytes", PL_NONCE, "aaaaaaaaaaaaaaa", R_LENGTH),
    CASE("3.9: 16 bytes", PL_NONCE, "aaaaaaaaaaaaaaaa", 0),
    CASE("3.5: FQDN", PL_IDI, "\2\0\0\0gw.example", 0),
    CASE("3.5: IPv4", PL_IDR, "\1\0\0\0\xc0\0\2\1", 0),
    CASE("3.5: IPv4 of five bytes", PL_IDR, "\1\0\0\0\xc0\0\2\1\1", R_LENGTH),
    CASE("3.5: IPv6 of four bytes", PL_IDR, "\5\0\0\0\xc0\0\2\1", R_LENGTH),
    CASE("3.5: empty", PL_IDI, "\2\0\0\0", R_LENGTH),
    CASE("3.5: type 0 would match anybody", PL_IDI, "\0\0\0\0x", R_SYNTAX),
    CASE("3.5: unknown type", PL_IDI, "\x63\1\2\3x", 0),
    CASE("3.5: cut", PL_IDI, "\2\0\0", R_TRUNCATED),
    CASE("3.8", PL_AUTH, "\2\0\0\0x", 0),
    CASE("3.8: no data", PL_AUTH, "\2\0\0\0", R_TRUNCATED),
    CASE("3.8: unknown method", PL_AUTH, "\xc8\0\0\0x", 0),
    CASE("3.10", PL_NOTIFY, "\0\0\x40\x07", 0),
    CASE("3.10: SPI", PL_NOTIFY, "\3\4\x40\x09SPI4", 0),
    CASE("3.10: ESP SPI of 8", PL_NOTIFY, "\3\x08\x40\x09SPI8SPI8", R_SYNTAX),
    CASE("3.10: SPI longer than the body", PL_NOTIFY, "\3\4\x40\x09SPI", R_TRUNCATED),
    CASE("3.10: unknown type", PL_NOTIFY, "\0\0\x9f\x99whatever", 0),
    CASE("2.23: hash of 20", PL_NOTIFY, "\0\0\x40\x04" FILL20, 0),
    CASE("2.23: hash of 19", PL_NOTIFY, "\0\0\x40\x04" "aaaaaaaaaaaaaaaaaaa", R_LENGTH),
    CASE("2.23: hash of 21", PL_NOTIFY, "\0\0\x40\x05" FILL20 "a", R_LENGTH),
    CASE("2.6: cookie of nothing", PL_NOTIFY, "\0\0\x40\x06", R_LENGTH),
    CASE("1.2: INVALID_KE_PAYLOAD names a group", PL_NOTIFY, "\0\0\0\x11\0\x13", 0),
    CASE("1.2: INVALID_KE_PAYLOAD without", PL_NOTIFY, "\0\0\0\x11\0", R_LENGTH),
    CASE("3.11: IKE", PL_DELETE, "\1\0\0\0", 0),
    CASE("3.11: IKE with SPI size", PL_DELETE, "\1\x08\0\0", R_LENGTH),
    CASE("3.11: IKE with a count", PL_DELETE, "\1\0\0\1", R_SYNTAX),
    CASE("3.11: ESP", PL_DELETE, "\3\4\0\2aaaabbbb", 0),
    CASE("3.11: ESP, none", PL_DELETE, "\3\4\0\0", 0),
    CASE("3.11: more SPIs than counted", PL_DELETE, "\3\4\0\1aaaabbbb", R_TRAILING),
    CASE("3.11: fewer SPIs than counted", PL_DELETE, "\3\4\0\3aaaabbbb", R_TRUNCATED),
    CASE("3.11: SPIs of 2", PL_DELETE, "\3\2\0\2aabb", R_LENGTH),
    CASE("3.11: unknown protocol", PL_DELETE, "\4\4\0\1aaaa", R_SYNTAX),
    CASE("3.6", PL_CERT, "\4x", 0),
    CASE("3.6: nothing", PL_CERT, "\4", R_TRUNCATED),
    CASE("3.7: any authority", PL_CERTREQ, "\4", 0),
    CASE("3.7: one authority", PL_CERTREQ, "\4" FILL20, 0),
    CASE("3.7: one and a bit", PL_CERTREQ, "\4" FILL20 "a", R_LENGTH),
    CASE("3.7: other encodings are free", PL_CERTREQ, "\x0bx", 0),
};
/* clang-format on */

static err_t parse(uint8_t type, struct bytes b)
{
    union {
        struct ke ke;
        struct id id;
        struct auth auth;
        struct notify notify;
        struct del del;
        struct cert cert;
        struct bytes nonce;
    } u;
    switch (type) {
    case PL_KE:
        return ke_parse(b, &u.ke);
    case PL_NONCE:
        return nonce_parse(b, &u.nonce);
    case PL_AUTH:
        return auth_parse(b, &u.auth);
    case PL_NOTIFY:
        return notify_parse(b, &u.notify);
    case PL_DELETE:
        return del_parse(b, &u.del);
    case PL_CERT:
        return cert_parse(b, &u.cert);
    case PL_CERTREQ:
        return certreq_parse(b, &u.cert);
    default:
        return id_body_parse(b, &u.id);
    }
}

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *c = &samples[i];
        err_t e = parse(c->type, bytes_of(c->b, c->n));
        if (e != c->err)
            fail_msg("%s: %s", c->name, err_name(e));
        assert_int_equal(roundtrip_body(c->type, bytes_of(c->b, c->n)), e ? RT_REFUSED : RT_HOLDS);
    }
}

static void test_nonce_long(void **state)
{
    static const uint8_t b[257];
    struct bytes n;
    uint8_t out[300];
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    assert_int_equal(nonce_parse(bytes_of(b, 256), &n), 0);
    assert_int_equal(nonce_parse(bytes_of(b, 257), &n), R_LENGTH);
    nonce_write(&w, bytes_of(b, 257));
    assert_int_equal(w.err, E_USAGE);
}

static void test_id_long(void **state)
{
    uint8_t b[4 + ID_MAX + 1] = {ID_KEY_ID}, out[8];
    struct wr w = wr_of(out, sizeof out);
    struct id id;
    (void)state;
    assert_int_equal(id_body_parse(bytes_of(b, 4 + ID_MAX), &id), 0);
    assert_int_equal(id.len, ID_MAX);
    assert_int_equal(id_body_parse(bytes_of(b, sizeof b), &id), R_LENGTH);
    id = (struct id){.type = ID_ANY};
    id_body_write(&w, &id);
    assert_int_equal(w.err, E_USAGE);
}

static void test_auth_signature(void **state)
{
    uint8_t out[300];
    static const uint8_t long_oid[256];
    struct auth_signature s;
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    auth_signature_write(&w, bytes_of("oid", 3), bytes_of("sig", 3));
    assert_int_equal(wr_len(&w), 11);
    assert_memory_equal(out, "\x0e\0\0\0\3oidsig", 11);
    assert_int_equal(auth_signature_parse(bytes_of("\3oidsig", 7), &s), 0);
    assert_true(bytes_eq(s.signature, bytes_of("sig", 3)));
    assert_int_equal(auth_signature_parse(bytes_of("\3oid", 4), &s), R_TRUNCATED);
    assert_int_equal(auth_signature_parse(bytes_of("\4oid", 4), &s), R_TRUNCATED);
    assert_int_equal(auth_signature_parse(bytes_of("\0sig", 4), &s), R_TRUNCATED);
    w = wr_of(out, sizeof out);
    auth_signature_write(&w, bytes_of(long_oid, 256), bytes_of("sig", 3));
    assert_int_equal(w.err, E_USAGE);
}

static void test_hash_numbers(void **state)
{
    uint8_t out[16];
    uint32_t set;
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    hash_numbers_write(&w, 1u << HASH_IDENTITY | 1u << HASH_SHA2_256);
    assert_int_equal(wr_len(&w), 4);
    assert_memory_equal(out, "\0\2\0\5", 4);
    assert_int_equal(hash_numbers_parse(wr_bytes(&w), &set), 0);
    assert_int_equal(set, 1u << 2 | 1u << 5);
    /* RFC 7427 4: numbers that are not known do not count */
    assert_int_equal(hash_numbers_parse(bytes_of("\0\4\1\4\0\x20", 6), &set), 0);
    assert_int_equal(set, 1u << 4);
    assert_int_equal(hash_numbers_parse(bytes_of("\0\4\1", 3), &set), R_LENGTH);
}

static void test_certreq_v1(void **state)
{
    struct cert c;
    (void)state;
    assert_int_equal(certreq_v1_parse(bytes_of("\4DER name", 9), &c), 0);
    assert_int_equal(c.encoding, CERT_X509_SIGNATURE);
    assert_int_equal(c.data.n, 8);
    assert_int_equal(certreq_v1_parse(bytes_of("\4", 1), &c), 0);
    assert_int_equal(certreq_v1_parse(bytes_of("", 0), &c), R_TRUNCATED);
}

static void test_notify(void **state)
{
    uint8_t out[100];
    struct notify n;
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    notify_write_spi(&w, PROTO_ESP, 0x01020304, N_REKEY_SA);
    assert_memory_equal(out, "\3\4\x40\x09\1\2\3\4", 8);
    assert_int_equal(notify_parse(wr_bytes(&w), &n), 0);
    assert_int_equal(notify_spi(&n), 0x01020304);
    w = wr_of(out, sizeof out);
    notify_write_plain(&w, N_INVALID_KE_PAYLOAD, bytes_of("\0\x13", 2));
    assert_memory_equal(out, "\0\0\0\x11\0\x13", 6);
    assert_int_equal(notify_parse(wr_bytes(&w), &n), 0);
    assert_int_equal(notify_spi(&n), 0);
    assert_true(notify_is_error(N_CHILD_SA_NOT_FOUND) && notify_is_error(16383));
    assert_false(notify_is_error(N_INITIAL_CONTACT));
    assert_string_equal(notify_name(14), "NO_PROPOSAL_CHOSEN");
    assert_string_equal(notify_name(16388), "NAT_DETECTION_SOURCE_IP");
    assert_string_equal(notify_short_name(16388), "NATD_S_IP");
    assert_string_equal(notify_name(2), "unknown");
    assert_null(notify_short_name(2));
}

static void test_del(void **state)
{
    static const uint32_t spis[] = {0x01020304, 0xfffefdfc};
    uint8_t out[100];
    struct del d;
    struct wr w = wr_of(out, sizeof out);
    (void)state;
    del_write_child(&w, PROTO_ESP, spis, 2);
    assert_memory_equal(out, "\3\4\0\2\1\2\3\4\xff\xfe\xfd\xfc", 12);
    assert_int_equal(del_parse(wr_bytes(&w), &d), 0);
    assert_int_equal(del_spi(&d, 0), spis[0]);
    assert_int_equal(del_spi(&d, 1), spis[1]);
    assert_int_equal(del_spi(&d, 2), 0);
    w = wr_of(out, sizeof out);
    del_write_ike(&w);
    assert_memory_equal(out, "\1\0\0\0", 4);
}

static void test_vendor(void **state)
{
    static const char unity[] = "\x12\xf5\xf2\x8c\x45\x71\x68\xa9\x70\x2d\x9f\xe2\x74\xcc\2\4";
    (void)state;
    assert_string_equal(vendor_name(vendor_id("DPD")), "DPD");
    assert_int_equal(vendor_id("XAuth").n, 8);
    assert_string_equal(vendor_name(bytes_of(unity, 16)), "Cisco Unity");
    assert_null(vendor_name(bytes_of(unity, 13)));
    assert_null(vendor_name(bytes_of("x", 1)));
    assert_null(vendor_name(bytes_of(NULL, 0)));
    assert_int_equal(vendor_id("nobody").n, 0);
}

static void add_name(void *ctx, const char *name)
{
    struct buf *b = ctx;
    buf_printf(b, "%s%s", b->n ? ", " : "", name);
}

/* Ids that share a name, and those with anything behind them, are accepted by the round trip. */
static void vendor_round_trips(void **state)
{
#define FRAGMENTATION "\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3"
    static const struct sample t[] = {
        CASE("FRAGMENTATION", PL_VENDOR, FRAGMENTATION "\x80\0\0\0", 0),
        CASE("FRAGMENTATION", PL_VENDOR, FRAGMENTATION, 0),
        CASE("FRAGMENTATION", PL_VENDOR, FRAGMENTATION "\xc0\0\0\0", 0),
        CASE("FRAGMENTATION", PL_VENDOR, FRAGMENTATION "\x1e\x2bHD\1", 0),
        CASE("Libreswan", PL_VENDOR, "OE-Libreswan-4.12", 0),
        CASE(NULL, PL_VENDOR, "\x40\x48\xb7\xd5", 0),
        CASE(NULL, PL_VENDOR, "", 0),
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct bytes id = bytes_of(t[i].b, t[i].n);
        const char *name = vendor_name(id);
        if (t[i].name)
            assert_string_equal(name, t[i].name);
        else
            assert_null(name);
        assert_int_equal(roundtrip_body(t[i].type, id), name ? RT_HOLDS : RT_REFUSED);
    }
    assert_int_equal(vendor_id("FRAGMENTATION").n, 20);
}

/* A bit for each vendor id; a name with several rows is told once, what nobody knows too. */
static void vendors(void **state)
{
    static const char cisco[] = "\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3"
                                "\xc0\x00\x00\x00";
    struct buf b = {0};
    uint32_t bits = vendor_bit(vendor_id("DPD")) | vendor_bit(vendor_id("FRAGMENTATION")) |
                    vendor_bit(bytes_of(cisco, sizeof cisco - 1)) | vendor_bit(bytes_of("x", 1)) |
                    vendor_bit(bytes_of(NULL, 0));
    (void)state;
    vendors_print(bits, add_name, &b);
    assert_string_equal(buf_str(&b), "DPD, FRAGMENTATION, unknown");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vendors),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_nonce_long),
        cmocka_unit_test(test_id_long),
        cmocka_unit_test(test_auth_signature),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_del),
        cmocka_unit_test(test_vendor),
        cmocka_unit_test(vendor_round_trips),
        cmocka_unit_test(test_hash_numbers),
        cmocka_unit_test(test_certreq_v1),
    };
    return cmocka_run_group_tests_name("wire/body", tests, NULL, NULL);
}
