/* For the dp_* targets: a data plane whose one SA pair uses NULL with HMAC-SHA-256 under a key of
 * zeros, the same both ways, so that it accepts what it sealed itself. */
#pragma once

#include "dataplane/dp.h"
#include <stdlib.h>

#define FUZZ_CHECK(x)                                                                              \
    do {                                                                                           \
        if (!(x))                                                                                  \
            abort();                                                                               \
    } while (0)

/* The same flow seen from the receiver: source is remote. */
static inline void flow_turn(struct flow *f)
{
    struct flow t = *f;
    f->l[0] = t.r[0];
    f->l[1] = t.r[1];
    f->r[0] = t.l[0];
    f->r[1] = t.l[1];
    f->meta =
        (t.meta & 0xffffffffu) | (uint64_t)flow_rport(&t) << 48 | (uint64_t)flow_lport(&t) << 32;
}

static inline struct ts fuzz_any(uint8_t family)
{
    struct ts t = {.port_hi = 0xffff, .lo = {.family = family}, .hi = {.family = family}};
    memset(t.hi.ip, 0xff, family == 4 ? 4 : 16);
    return t;
}

static inline struct child_sa fuzz_sa(void)
{
    static uint8_t zero[32];
    struct child_sa sa = {.id = 1,
                          .policy = 1,
                          .proto = PROTO_ESP,
                          .dirs = DIR_BOTH,
                          .spi_in = 0x1000,
                          .spi_out = 0x1000,
                          .encr = alg_find(T_ENCR, ENCR_NULL, 0),
                          .integ = alg_find(T_INTEG, AUTH_HMAC_SHA2_256_128, 0),
                          .replay_window = 64,
                          .in.integ = {zero, 32},
                          .out.integ = {zero, 32}};
    sa.local_ts = sa.remote_ts = (struct ts_list){2, {fuzz_any(4), fuzz_any(6)}};
    sa.local_ts.ts[0].hi.ip[0] = 127; /* so that some packets meet no selector */
    return sa;
}

static inline struct dp *fuzz_dp_of(const struct child_sa *sa)
{
    const char *what;
    FUZZ_CHECK(cr_init(&what) == E_OK);
    struct dp_settings s;
    dp_settings_default(&s);
    struct dp *d = dp_new(&s);
    FUZZ_CHECK(d);
    struct policy p = {.id = 1, .local = sa->local_ts, .remote = sa->remote_ts};
    FUZZ_CHECK(dp_policy_add(d, &p) == E_OK);
    FUZZ_CHECK(dp_child_add(d, sa, 0) == E_OK);
    return d;
}

static inline struct dp *fuzz_dp(bool udp)
{
    struct child_sa sa = fuzz_sa();
    sa.udp_encap = udp;
    return fuzz_dp_of(&sa);
}
