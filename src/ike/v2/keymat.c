/*
 * Keys of IKEv2: SKEYSEED and SK_* (RFC 7296 2.14), after rekeying the IKE SA (2.18), and keying
 * material of CHILD SAs (2.17).
 */
#include "ike/v2/v2.h"

static size_t encr_key_len(const struct alg *a)
{
    return a ? (size_t)a->key_len + a->salt_len : 0; /* AH has none */
}

/* {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr) */
err_t v2_keys_expand(struct v2_keys *k, const struct v2_suite *s, struct bytes skeyseed,
                     struct bytes ni, struct bytes nr, uint64_t spi_i, uint64_t spi_r)
{
    uint8_t spis[16];
    struct secret all = {0};
    size_t a = s->integ ? s->integ->key_len : 0, c = encr_key_len(s->encr), d = s->prf->out_len;
    put_u64(spis, spi_i);
    put_u64(spis + 8, spi_r);
    struct bytes parts[] = {ni, nr, bytes_of(spis, sizeof spis)};
    err_t err = secret_alloc(&all, 3 * d + 2 * a + 2 * c);
    if (!err)
        err = cr_prf_plus(s->prf, skeyseed, parts, 3, all.p, all.n);
    if (err) {
        secret_free(&all);
        return err;
    }
    secret_move(&k->all, &all);
    k->d = (uint8_t)d;
    k->a = (uint8_t)a;
    k->e = (uint8_t)c;
    return E_OK;
}

/* 2.14: SKEYSEED = prf(Ni | Nr, g^ir); the PRFs made of AES take the first 64 bits of each nonce */
err_t v2_skeyseed(const struct alg *prf, struct bytes shared, struct bytes ni, struct bytes nr,
                  uint8_t out[CR_HASH_MAX])
{
    if (prf->id == PRF_AES128_XCBC || prf->id == PRF_AES128_CMAC)
        ni.n = nr.n = 8;
    uint8_t both[2 * V2_NONCE_MAX];
    struct wr w = wr_of(both, sizeof both);
    wr_bytes_put(&w, ni);
    wr_bytes_put(&w, nr);
    return w.err ? w.err : cr_prf(prf, wr_bytes(&w), &shared, 1, out);
}

err_t v2_keys_init(struct v2_keys *k, const struct v2_suite *s, struct bytes shared,
                   struct bytes ni, struct bytes nr, uint64_t spi_i, uint64_t spi_r)
{
    uint8_t skeyseed[CR_HASH_MAX];
    err_t err = v2_skeyseed(s->prf, shared, ni, nr, skeyseed);
    if (!err)
        err = v2_keys_expand(k, s, bytes_of(skeyseed, s->prf->out_len), ni, nr, spi_i, spi_r);
    secret_wipe(skeyseed, sizeof skeyseed);
    return err;
}

/* 2.18: SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr), with the old SA's PRF. */
err_t v2_keys_rekey(struct v2_keys *k, const struct v2_suite *s, const struct alg *old_prf,
                    struct bytes old_d, struct bytes shared, struct bytes ni, struct bytes nr,
                    uint64_t spi_i, uint64_t spi_r)
{
    uint8_t skeyseed[CR_HASH_MAX];
    struct bytes seed[] = {shared, ni, nr};
    err_t err = cr_prf(old_prf, old_d, seed, 3, skeyseed);
    if (!err)
        err = v2_keys_expand(k, s, bytes_of(skeyseed, old_prf->out_len), ni, nr, spi_i, spi_r);
    secret_wipe(skeyseed, sizeof skeyseed);
    return err;
}

void v2_keys_settle(struct v2_keys *k)
{
    struct secret less = {0};
    /* without memory for it they stay, which harms nobody */
    if (!secret_set(&less, bytes_of(k->all.p, k->d + 2u * k->a + 2u * k->e)))
        secret_move(&k->all, &less);
}

static struct bytes part(const struct v2_keys *k, size_t at, size_t n)
{
    return k->all.p ? bytes_of(k->all.p + at, n) : bytes_of(NULL, 0);
}

struct bytes v2_key_d(const struct v2_keys *k)
{
    return part(k, 0, k->d);
}

struct bytes v2_key_a(const struct v2_keys *k, bool initiator)
{
    return part(k, k->d + (initiator ? 0u : k->a), k->a);
}

struct bytes v2_key_e(const struct v2_keys *k, bool initiator)
{
    return part(k, k->d + 2u * k->a + (initiator ? 0u : k->e), k->e);
}

struct bytes v2_key_p(const struct v2_keys *k, bool initiator)
{
    return part(k, k->d + 2u * k->a + 2u * k->e + (initiator ? 0u : k->d), k->d);
}

static err_t cut(struct child_keys *k, const uint8_t *p, size_t encr, size_t integ)
{
    err_t err = secret_set(&k->encr, bytes_of(p, encr));
    return err ? err : secret_set(&k->integ, bytes_of(p + encr, integ));
}

err_t v2_child_keys(const struct alg *prf, struct bytes d, struct bytes shared, struct bytes ni,
                    struct bytes nr, const struct alg *encr, const struct alg *integ,
                    struct child_keys *i2r, struct child_keys *r2i)
{
    uint8_t mat[512];
    size_t el = encr_key_len(encr), al = integ ? integ->key_len : 0, one = el + al;
    struct bytes parts[] = {shared, ni, nr};
    if (2 * one > sizeof mat)
        return E_SPACE;
    err_t err = one ? cr_prf_plus(prf, d, parts, 3, mat, 2 * one) : E_OK;
    if (!err)
        err = cut(i2r, mat, el, al);
    if (!err)
        err = cut(r2i, mat + one, el, al);
    secret_wipe(mat, sizeof mat);
    return err;
}

/* Wireshark's names of what it can decrypt. */
static void tshark_encr(struct buf *out, const struct alg *a)
{
    switch (a->mode) {
    case MODE_NULL:
        buf_puts(out, "NULL [RFC2410]");
        break;
    case MODE_CBC:
        if (a->id == ENCR_3DES)
            buf_puts(out, "3DES [RFC2451]");
        else
            buf_printf(out, "AES-CBC-%u [RFC3602]", a->key_bits);
        break;
    case MODE_CTR:
        buf_printf(out, "AES-CTR-%u [RFC5930]", a->key_bits);
        break;
    case MODE_CHACHA:
        buf_puts(out, "CHACHA20-POLY1305 [RFC7634]");
        break;
    default:
        buf_printf(out, "AES-%s-%u with %u octet ICV [RFC5282]",
                   a->mode == MODE_CCM ? "CCM" : "GCM", a->key_bits, a->icv_len);
    }
}

static const char *tshark_integ(const struct alg *a)
{
    switch (a ? a->id : AUTH_NONE) {
    case AUTH_HMAC_MD5_96:
        return "HMAC_MD5_96 [RFC2403]";
    case AUTH_HMAC_SHA1_96:
        return "HMAC_SHA1_96 [RFC2404]";
    case AUTH_HMAC_SHA2_256_128:
        return "HMAC_SHA2_256_128 [RFC4868]";
    case AUTH_HMAC_SHA2_384_192:
        return "HMAC_SHA2_384_192 [RFC4868]";
    case AUTH_HMAC_SHA2_512_256:
        return "HMAC_SHA2_512_256 [RFC4868]";
    case AUTH_HMAC_SHA2_256_96:
        return "HMAC_SHA2_256_96 [draft-ietf-ipsec-ciph-sha-256-00]";
    default: /* others it does not know; it can decrypt without them */
        return "NONE [RFC4306]";
    }
}

bool v2_keys_export(const struct ike_sa *sa, struct buf *out)
{
    const struct v2_keys *k = &((const struct v2_sa *)sa)->keys;
    if (!k->all.p)
        return false;
    buf_printf(out, "%016llx,%016llx,", (unsigned long long)sa->spi_i,
               (unsigned long long)sa->spi_r);
    buf_hex(out, v2_key_e(k, true));
    buf_puts(out, ",");
    buf_hex(out, v2_key_e(k, false));
    buf_puts(out, ",\"");
    tshark_encr(out, sa->encr);
    buf_puts(out, "\",");
    buf_hex(out, v2_key_a(k, true));
    buf_puts(out, ",");
    buf_hex(out, v2_key_a(k, false));
    buf_printf(out, ",\"%s\"", tshark_integ(sa->integ));
    return true;
}
