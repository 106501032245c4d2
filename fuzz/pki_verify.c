/*
 * What a peer sends: certificates, each with two bytes of length before it, verified against a
 * root, an intermediate and a revocation list of ours. No input crashes; nothing is trusted whose
 * key is not that of a certificate which the root or one below it has issued; every refusal says
 * why. Entry: pki_verify.
 */
#include "pki_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const genuine[] = {"gwb.pem",       "gwb-ec256.pem",   "gwb-ec384.pem",
                                      "gwb-ec521.pem", "gwb-ed25519.pem", "gwb-ed448.pem",
                                      "sub-gwb.pem",   "weak.pem",        "cdp.pem"};

#define GENUINE (sizeof genuine / sizeof *genuine)

static uint8_t known[GENUINE][20];

static void learn(void *ctx, const struct pki_cert_info *i)
{
    memcpy(ctx, cr_key_info(i->key)->id, 20);
}

static struct pki *prepare(void)
{
    static const char *const cas[] = {"ca.pem", NULL}, *const others[] = {"ca.crl", "sub.pem",
                                                                          NULL};
    for (size_t i = 0; i < GENUINE; i++) {
        const char *const one[] = {genuine[i], NULL};
        struct pki *p = pki_of_files(NULL, one);
        pki_cert_each(p, learn, known[i]);
        pki_unref(p);
    }
    return pki_of_files(cas, others);
}

static bool is_known(const struct cr_key *k)
{
    for (size_t i = 0; i < GENUINE; i++)
        if (!memcmp(known[i], cr_key_info(k)->id, 20))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pki *p;
    struct rd r = rd_of(bytes_of(data, size));
    struct conn_auth auth = {.kind = AUTH_PUBKEY};
    struct bytes cert[8];
    struct cr_key *key;
    struct pki_why why;
    struct id id;
    size_t n = 0;
    p = p ? p : prepare();
    while (n < 8 && rd_left(&r) > 2)
        cert[n++] = rd_bytes(&r, rd_u16(&r));
    if (r.err || !id_parse(&id, "gwb.example"))
        return 0;
    struct pki_peer q = {
        .auth = &auth, .id = &id, .cert = cert, .cert_count = n, .wall_s = 1795000000};
    err_t e = pki_verify(p, &q, &key, &why);
    if (e < 0 || (!e && !is_known(key)) || (e && (key || why.reason != e || !why.what)))
        abort();
    cr_key_unref(key);
    return 0;
}
