/*
 * Vendor IDs: see vendor.h. Most are MD5 hashes of a text that their vendor or draft gives, some
 * followed by a version: those are known by their beginning.
 */
#include "wire/vendor.h"

struct row {
    const char *name;
    const char *id;
    uint8_t len;
    bool prefix; /* anything may follow */
};

#define VID(name, id)                                                                              \
    {                                                                                              \
        name, id, sizeof(id) - 1, false                                                            \
    }
#define VID_PREFIX(name, id)                                                                       \
    {                                                                                              \
        name, id, sizeof(id) - 1, true                                                             \
    }

/* clang-format off */
static const struct row rows[] = {
    VID("strongSwan", "\x88\x2f\xe5\x6d\x6f\xd2\x0d\xbc\x22\x51\x61\x3b\x2e\xbe\x5b\xeb"),
    VID("XAuth", "\x09\x00\x26\x89\xdf\xd6\xb7\x12"),
    VID("DPD", "\xaf\xca\xd7\x13\x68\xa1\xf1\xc9\x6b\x86\x96\xfc\x77\x57\x01\x00"), /* RFC 3706 5.1 */
    VID_PREFIX("Cisco Unity",
               "\x12\xf5\xf2\x8c\x45\x71\x68\xa9\x70\x2d\x9f\xe2\x74\xcc"), /* version follows */
    VID("FRAGMENTATION",
        "\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3\x80\x00\x00\x00"),
    VID_PREFIX("FRAGMENTATION",
               "\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3"),
    VID("NAT-T (RFC 3947)", "\x4a\x13\x1c\x81\x07\x03\x58\x45\x5c\x57\x28\xf2\x0e\x95\x45\x2f"),
    VID("draft-ietf-ipsec-nat-t-ike-03",
        "\x7d\x94\x19\xa6\x53\x10\xca\x6f\x2c\x17\x9d\x92\x15\x52\x9d\x56"),
    VID("draft-ietf-ipsec-nat-t-ike-02",
        "\xcd\x60\x46\x43\x35\xdf\x21\xf8\x7c\xfd\xb2\xfc\x68\xb6\xa4\x48"),
    VID("draft-ietf-ipsec-nat-t-ike-02\\n",
        "\x90\xcb\x80\x91\x3e\xbb\x69\x6e\x08\x63\x81\xb5\xec\x42\x7b\x1f"),
    VID("draft-ietf-ipsec-nat-t-ike-00",
        "\x44\x85\x15\x2d\x18\xb6\xbb\xcd\x0b\xe8\xa8\x46\x95\x79\xdd\xcc"),
    VID_PREFIX("MS NT5 ISAKMPOAKLEY",
               "\x1e\x2b\x51\x69\x05\x99\x1c\x7d\x7c\x96\xfc\xbf\xb5\x87\xe4\x61"),
    VID("MS-Negotiation Discovery Capable",
        "\xfb\x1d\xe3\xcd\xf3\x41\xb7\xea\x16\xb7\xe5\xbe\x08\x55\xf1\x20"),
    VID("Vid-Initial-Contact",
        "\x26\x24\x4d\x38\xed\xdb\x61\xb3\x17\x2a\x36\xe3\xd0\xcf\xb8\x19"),
    VID("IKE CGA version 1",
        "\xe3\xa5\x96\x6a\x76\x37\x9f\xe7\x07\x22\x82\x31\xe5\xce\x86\x52"),
    VID("KAME/racoon", "\x70\x03\xcb\xc1\x09\x7d\xbe\x9c\x26\x00\xba\x69\x83\xbc\x8b\x35"),
    VID("Cisco Delete Reason", "CISCO-DELETE-REASON"),
    VID("Cisco FlexVPN Supported", "FLEXVPN-SUPPORTED"),
    VID_PREFIX("Cisco Copyright", "CISCO(COPYRIGHT)&Copyright"),
    VID_PREFIX("Cisco Dynamic Route", "CISCO-DYNAMIC-ROUTE"),
    VID_PREFIX("Libreswan", "OE-Libreswan"),
};
/* clang-format on */

static bool matches(const struct row *row, struct bytes id)
{
    bool fits = row->prefix ? id.n >= row->len : id.n == row->len;
    return fits && memcmp(id.p, row->id, row->len) == 0;
}

const char *vendor_name(struct bytes id)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (matches(&rows[i], id))
            return rows[i].name;
    return NULL;
}

uint32_t vendor_bit(struct bytes id)
{
    size_t n = sizeof rows / sizeof *rows;
    _Static_assert(sizeof rows / sizeof *rows < 32, "a bit for each, and one for the others");
    for (size_t i = 0; i < n; i++)
        if (matches(&rows[i], id))
            return 1u << i;
    return 1u << 31;
}

void vendors_print(uint32_t bits, vendor_fn *fn, void *ctx)
{
    const char *last = NULL; /* the same name may have several rows */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!(bits & 1u << i) || (last && !strcmp(last, rows[i].name)))
            continue;
        fn(ctx, rows[i].name);
        last = rows[i].name;
    }
    if (bits & 1u << 31)
        fn(ctx, "unknown");
}

struct bytes vendor_id(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return bytes_of(rows[i].id, rows[i].len);
    return bytes_of(NULL, 0);
}
