/* ESP packets that the Linux kernel made, through dp_inbound: tests/vectors/esp/kernel.txt, whose
 * form tools/esp_vectors.py tells. Path of the file in argv[1]. */
#include "dataplane/testkit.h"
#include <stdio.h>
#include <stdlib.h>

#define PLAINS 128
#define LINE   8192

static const char *vectors;
static struct {
    uint8_t b[2048];
    uint32_t n;
} plains[PLAINS];
static uint8_t buf[KIT_BUF];

struct vcase {
    char name[64], encr[32], integ[16], key[140], auth[140];
    unsigned esn, udp, spi, first, hi, inner;
};

static uint32_t unhex(const char *s, uint8_t *out, size_t cap)
{
    uint32_t n = 0;
    for (unsigned v; n < cap && sscanf(s + n * 2, "%2x", &v) == 1; n++)
        out[n] = (uint8_t)v;
    return n;
}

static void key_set(struct secret *s, const char *hex)
{
    uint8_t b[70];
    uint32_t n = hex[0] == '-' ? 0 : unhex(hex, b, sizeof b);
    assert_int_equal(secret_set(s, bytes_of(b, n)), E_OK);
}

static void case_sa(const struct vcase *c, struct child_sa *sa)
{
    kit_sa(sa, &kit_suites[0], &(struct kit_opts){.esn = c->esn, .udp = c->udp}, true);
    sa->encr = alg_by_name(c->encr, strlen(c->encr));
    sa->integ = c->integ[0] == '-' ? NULL : alg_by_name(c->integ, strlen(c->integ));
    assert_non_null(sa->encr);
    key_set(&sa->in.encr, c->key);
    key_set(&sa->in.integ, c->auth);
    key_set(&sa->out.encr, c->key);
    key_set(&sa->out.integ, c->auth);
    sa->spi_in = c->spi;
    sa->ip.mss = MSS_CLAMP_NO; /* the packets are compared as they were sent */
}

static struct dp *case_begin(const struct vcase *c, int impl)
{
    struct dp_settings s;
    dp_settings_default(&s);
    s.crypto = impl;
    struct dp *d = dp_new(&s);
    struct child_sa sa;
    assert_non_null(d);
    case_sa(c, &sa);
    assert_int_equal(dp_child_add(d, &sa, 0), E_OK);
    kit_sa_free(&sa);
    child_find(d, 1)->in->replay.top = ((uint64_t)c->hi << 32 | c->first) - 1;
    return d;
}

static void packet(struct dp *d, const struct vcase *c, const char *rest)
{
    unsigned n;
    int at;
    assert_int_equal(sscanf(rest, "%u %n", &n, &at), 1);
    uint32_t len = unhex(rest + at, buf + DP_HEADROOM, LINE / 2);
    struct dp_pkt p = kit_pkt(buf, len);
    p.udp = c->udp;
    kit_in(d, &p);
    if (p.verdict != DP_TO_HOST)
        fail_msg("%s: %s", c->name, err_name(p.reason));
    assert_int_equal(p.len, plains[n].n);
    assert_memory_equal(p.data, plains[n].b, p.len);
}

static bool supported(const struct vcase *c, int impl)
{
    const struct alg *e = alg_by_name(c->encr, strlen(c->encr));
    const struct alg *i = c->integ[0] == '-' ? NULL : alg_by_name(c->integ, strlen(c->integ));
    return cr_esp_supported((enum cr_impl)impl, e, i);
}

static unsigned run(int impl)
{
    static char line[LINE];
    struct vcase c = {0};
    struct dp *d = NULL;
    unsigned cases = 0;
    FILE *f = fopen(vectors, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        unsigned n;
        int at;
        if (sscanf(line, "plain %u %n", &n, &at) == 1 && n < PLAINS) {
            plains[n].n = unhex(line + at, plains[n].b, sizeof plains[n].b);
        } else if (sscanf(line, "case %63s %31s %15s %u %u %u %139s %139s %u %u %u", c.name, c.encr,
                          c.integ, &c.esn, &c.udp, &c.spi, c.key, c.auth, &c.first, &c.hi,
                          &c.inner) == 11) {
            dp_free(d);
            d = supported(&c, impl) ? case_begin(&c, impl) : NULL;
            cases += d != NULL;
        } else if (strncmp(line, "esp ", 4) == 0 && d) {
            packet(d, &c, line + 4);
        }
    }
    dp_free(d);
    fclose(f);
    return cases;
}

static void test_openssl(void **state)
{
    (void)state;
    assert_int_equal(run(CR_OSSL), 64);
}

static void test_auto(void **state)
{
    (void)state;
    assert_int_equal(run(CR_AUTO), 64);
}

int main(int argc, char **argv)
{
    const char *what = "";
    if (argc < 2 || cr_init(&what))
        return 1;
    vectors = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openssl),
        cmocka_unit_test(test_auto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
