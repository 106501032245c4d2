/*
 * The order of the SPD's rows, RFC 4301 4.4.1 ("the SPD is an ordered database"): the data plane
 * (dataplane/spd_edit.c) and the kernel's rules (daemon/policies_apply.c) both take it from here.
 */
#include "model/policy.h"

enum { NARROW_MAX = 2 * (128 + 16 + 8) };

static unsigned bit_len(uint64_t v)
{
    return v ? 64u - (unsigned)__builtin_clzll(v) : 0;
}

/* Bits of the difference between two addresses of one family. */
static unsigned range_bits(const struct addr *lo, const struct addr *hi)
{
    if (lo->family != 6)
        return bit_len(get_u32(hi->ip) - get_u32(lo->ip));
    uint64_t low = get_u64(hi->ip + 8) - get_u64(lo->ip + 8);
    uint64_t high = get_u64(hi->ip) - get_u64(lo->ip) - (get_u64(hi->ip + 8) < get_u64(lo->ip + 8));
    return high ? 64 + bit_len(high) : bit_len(low);
}

unsigned policy_narrow(const struct ts *t)
{
    unsigned ports = bit_len((uint16_t)(t->port_hi - t->port_lo));
    return (t->lo.family == 6 ? 128u : 32u) - range_bits(&t->lo, &t->hi) + (16u - ports) +
           (t->proto ? 8u : 0u);
}

uint64_t policy_rank(uint32_t priority, enum policy_action action, const struct ts *local,
                     const struct ts *remote)
{
    static const uint8_t order[] = {[POL_DROP] = 1, [POL_PROTECT] = 2, [POL_BYPASS] = 3};
    if (!priority)
        priority = action == POL_PROTECT ? POLICY_PRIORITY_PROTECT : POLICY_PRIORITY_SHUNT;
    unsigned narrow = policy_narrow(local) + policy_narrow(remote);
    return (uint64_t)priority << POLICY_RANK_PRIORITY | (NARROW_MAX - narrow) << 2 | order[action];
}
