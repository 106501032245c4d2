/* NAT_DETECTION_*_IP in IKE_SA_INIT: RFC 7296 2.23. Hashes that do not fit mean a NAT in between.
 */
#include "ike/v2/v2.h"

/* encap = yes: a hash of a port that nobody has makes the peer see a NAT before us, as charon does.
 */
void v2_nat_put(struct v2_build *b, const struct endpoint *local, const struct endpoint *remote,
                bool fake)
{
    uint8_t hash[20];
    const struct endpoint nobody = {.addr = {.family = 4}};
    path_nat_hash(b->hdr.spi_i, b->hdr.spi_r, fake ? &nobody : local, hash);
    v2_put_notify(b, N_NAT_DETECTION_SOURCE_IP, bytes_of(hash, sizeof hash));
    path_nat_hash(b->hdr.spi_i, b->hdr.spi_r, remote, hash);
    v2_put_notify(b, N_NAT_DETECTION_DESTINATION_IP, bytes_of(hash, sizeof hash));
}

static bool any_hash(const struct v2_msg *m, uint16_t type, const uint8_t want[20], bool *seen)
{
    struct notify n;
    bool match = false;
    for (const struct payload *p = NULL; (p = payloads_next(&m->in, PL_NOTIFY, p));) {
        if (notify_parse(p->body, &n) || n.type != type)
            continue;
        *seen = true;
        match |= bytes_eq(n.data, bytes_of(want, 20));
    }
    return match;
}

struct v2_nat v2_nat_read(const struct v2_msg *m, uint64_t spi_i, uint64_t spi_r)
{
    uint8_t src[20], dst[20];
    bool saw_src = false, saw_dst = false;
    path_nat_hash(spi_i, spi_r, &m->pkt.remote, src);
    path_nat_hash(spi_i, spi_r, &m->pkt.local, dst);
    bool src_ok = any_hash(m, N_NAT_DETECTION_SOURCE_IP, src, &saw_src);
    bool dst_ok = any_hash(m, N_NAT_DETECTION_DESTINATION_IP, dst, &saw_dst);
    if (!saw_src || !saw_dst)
        return (struct v2_nat){0};
    return (struct v2_nat){.local = !dst_ok, .remote = !src_ok};
}

const char *v2_nat_where(struct v2_nat n)
{
    if (n.local && n.remote)
        return "on both sides";
    return n.local ? "before us" : n.remote ? "before the peer" : NULL;
}
