/* Keys for export: a section per SPI while the SA lives, nothing afterwards, nothing when it was
 * not allowed. */
#include "daemon/keylog.h"
#include "daemon/tree_text.h"

static void addr(struct addr *a, const char *text)
{
    assert_true(addr_parse(a, text));
}

static void set(struct secret *s, const char *text)
{
    assert_int_equal(secret_set(s, bytes_of(text, strlen(text))), E_OK);
}

static void make_sa(struct child_sa *sa, uint32_t id, bool aead)
{
    *sa = (struct child_sa){.id = id, .spi_in = 0xc1000000 + id, .spi_out = 0xd1000000 + id};
    sa->encr = aead ? alg_find(T_ENCR, ENCR_AES_GCM_16, 128) : alg_find(T_ENCR, ENCR_AES_CBC, 256);
    sa->integ = aead ? NULL : alg_find(T_INTEG, AUTH_HMAC_SHA2_256_128, 0);
    sa->udp_encap = aead;
    sa->esn = !aead;
    addr(&sa->local.addr, "192.0.2.1");
    addr(&sa->remote.addr, "192.0.2.2");
    set(&sa->in.encr, "IN-KEY");
    set(&sa->out.encr, "OUT-KEY");
    if (!aead) {
        set(&sa->in.integ, "IN-MAC");
        set(&sa->out.integ, "OUT-MAC");
    }
}

static void free_sa(struct child_sa *sa)
{
    secret_free(&sa->in.encr);
    secret_free(&sa->in.integ);
    secret_free(&sa->out.encr);
    secret_free(&sa->out.integ);
}

static void shows(const struct keylog *k, const char *want)
{
    struct vnode *root = vnode_new();
    keylog_render(k, root);
    assert_tree(root, want);
    vnode_free(root);
}

static const char gcm[] = "c1000001 {\n"
                          "  proto = esp\n"
                          "  spi = c1000001\n"
                          "  direction = in\n"
                          "  src = 192.0.2.2\n"
                          "  dst = 192.0.2.1\n"
                          "  encap = yes\n"
                          "  esn = no\n"
                          "  encr = aes128gcm16\n"
                          "  encr_key = 494e2d4b4559\n"
                          "  integ = \n"
                          "  integ_key = \n"
                          "}\n"
                          "d1000001 {\n"
                          "  proto = esp\n"
                          "  spi = d1000001\n"
                          "  direction = out\n"
                          "  src = 192.0.2.1\n"
                          "  dst = 192.0.2.2\n"
                          "  encap = yes\n"
                          "  esn = no\n"
                          "  encr = aes128gcm16\n"
                          "  encr_key = 4f55542d4b4559\n"
                          "  integ = \n"
                          "  integ_key = \n"
                          "}\n";

static const char cbc[] = "c1000002 {\n"
                          "  proto = esp\n"
                          "  spi = c1000002\n"
                          "  direction = in\n"
                          "  src = 192.0.2.2\n"
                          "  dst = 192.0.2.1\n"
                          "  encap = no\n"
                          "  esn = yes\n"
                          "  encr = aes256\n"
                          "  encr_key = 494e2d4b4559\n"
                          "  integ = sha256\n"
                          "  integ_key = 494e2d4d4143\n"
                          "}\n"
                          "d1000002 {\n"
                          "  proto = esp\n"
                          "  spi = d1000002\n"
                          "  direction = out\n"
                          "  src = 192.0.2.1\n"
                          "  dst = 192.0.2.2\n"
                          "  encap = no\n"
                          "  esn = yes\n"
                          "  encr = aes256\n"
                          "  encr_key = 4f55542d4b4559\n"
                          "  integ = sha256\n"
                          "  integ_key = 4f55542d4d4143\n"
                          "}\n";

static void test_comes_and_goes(void **state)
{
    (void)state;
    struct keylog *k = keylog_new();
    struct child_sa a, b;
    make_sa(&a, 1, true);
    make_sa(&b, 2, false);
    shows(k, "");
    keylog_add(k, &a);
    shows(k, gcm);
    keylog_add(k, &b);
    free_sa(&a); /* copies were taken */
    free_sa(&b);
    keylog_del(k, 1);
    shows(k, cbc);
    keylog_del(k, 7);
    shows(k, cbc);
    keylog_del(k, 2);
    shows(k, "");
    keylog_free(k);
}

static const char bundle[] = "proto = ah\n"
                             "spi = a1000003\n"
                             "direction = in\n"
                             "src = 192.0.2.2\n"
                             "dst = 192.0.2.1\n"
                             "encap = no\n"
                             "esn = no\n"
                             "encr = \n"
                             "encr_key = \n"
                             "integ = sha256\n"
                             "integ_key = 494e2d4d4143\n";

/* AH has no cipher; of a bundle both SAs are shown, and go together. */
static void test_bundle(void **state)
{
    (void)state;
    struct keylog *k = keylog_new();
    struct child_sa sa;
    make_sa(&sa, 3, false);
    sa.ah = (struct child_ah){.spi_in = 0xa1000003, .spi_out = 0xa2000003, .integ = sa.integ};
    assert_int_equal(secret_set(&sa.ah.in, secret_bytes(&sa.in.integ)), 0);
    keylog_add(k, &sa);
    struct vnode *root = vnode_new();
    keylog_render(k, root);
    const struct vnode *in = vnode_find(root, "a1000003");
    assert_non_null(in);
    assert_tree(in, bundle);
    assert_non_null(vnode_find(root, "c1000003"));
    assert_non_null(vnode_find(root, "a2000003"));
    vnode_free(root);
    secret_free(&sa.ah.in);
    free_sa(&sa);
    keylog_del(k, 3);
    shows(k, "");
    keylog_free(k);
}

static void test_not_allowed(void **state)
{
    (void)state;
    struct child_sa a;
    make_sa(&a, 1, true);
    keylog_add(NULL, &a);
    keylog_del(NULL, 1);
    keylog_free(NULL);
    free_sa(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_and_goes),
        cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_not_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
