/* For the tests of this room: data planes with known keys, and inner packets. */
#pragma once

#include "culvert/dataplane.h"
#include "dataplane/dp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define KIT_BUF (DP_HEADROOM + 65535 + DP_TAILROOM)

struct kit_suite {
    const char *name;
    uint16_t encr, encr_bits, integ; /* integ 0: AEAD */
};
extern const struct kit_suite kit_suites[];
extern const size_t kit_suite_count;

/* Two gateways with one pair of SAs and one policy (id 7) each: 10.1/16, fd01::/64 behind A and
 * 10.2/16, fd02::/64 behind B. */
struct kit {
    struct dp *a, *b;
    struct child_sa sa_a, sa_b;
    const struct kit_suite *suite;
};

struct kit_opts {
    bool esn, udp, outer6;
    uint32_t window; /* 0: 64 */
    bool no_replay;
    bool probes; /* search for the path MTU */
    struct lifetime life;
    struct tunnel_rules ip;
};

uint64_t kit_rand(uint64_t *state); /* splitmix64 */
struct ts kit_ts(const char *prefix);
struct dp *kit_dp(void);
void kit_policy(struct dp *d, const char *local, const char *remote, const char *local6,
                const char *remote6);
void kit_sa(struct child_sa *sa, const struct kit_suite *s, const struct kit_opts *o, bool is_a);
void kit_sa_free(struct child_sa *sa);
void kit_up(struct kit *k, const struct kit_suite *s, const struct kit_opts *o);
void kit_down(struct kit *k);

/* A UDP packet of `len` bytes from A's to B's network (or back), filled with a pattern. */
uint32_t kit_inner(uint8_t *p, uint32_t len, unsigned family, bool from_a);
struct dp_pkt kit_pkt(uint8_t *buf, uint32_t len); /* data at DP_HEADROOM */
/* As the network carries it: verdict and SA forgotten, addresses swapped to the receiver's view. */
void kit_cross(struct dp_pkt *p);
void kit_out(struct dp *d, struct dp_pkt *p);
void kit_in(struct dp *d, struct dp_pkt *p);
uint64_t kit_drops(const struct dp *d, err_t reason);
