/*
 * Keys of IKEv1: SKEYID and its children, the cipher's key, IVs, the hashes that authenticate (RFC
 * 2409 5 and appendix B), and keying material of IPsec SAs (5.5).
 */
#include "ike/v1/v1.h"

/* K1 = prf(key, 0), K2 = prf(key, K1) ...: appendix B, when SKEYID_e is shorter than the key */
static err_t stretch(const struct alg *prf, struct bytes e, uint8_t *out, size_t len)
{
    uint8_t block[CR_HASH_MAX] = {0};
    size_t n = 1;
    if (e.n >= len) {
        memcpy(out, e.p, len);
        return E_OK;
    }
    err_t err = E_OK;
    while (!err && len) {
        struct bytes last = bytes_of(block, n);
        err = cr_prf(prf, e, &last, 1, block);
        n = prf->out_len;
        size_t take = n < len ? n : len;
        memcpy(out, block, take);
        out += take;
        len -= take;
    }
    secret_wipe(block, sizeof block);
    return err;
}

/* 5: SKEYID = prf(pre-shared key, Ni | Nr), or for signatures prf(Ni | Nr, g^xy) */
static err_t skeyid(const struct v1_seeds *s, uint8_t *out)
{
    uint8_t both[512];
    struct bytes nonces[] = {s->ni, s->nr};
    if (s->psk.n)
        return cr_prf(s->prf, s->psk, nonces, 2, out);
    struct wr w = wr_of(both, sizeof both);
    wr_bytes_put(&w, s->ni);
    wr_bytes_put(&w, s->nr);
    return w.err ? w.err : cr_prf(s->prf, wr_bytes(&w), &s->shared, 1, out);
}

/* prf(SKEYID, [previous |] g^xy | CKY-I | CKY-R | number) */
static err_t derive(const struct v1_seeds *s, uint8_t *all, uint8_t number)
{
    uint8_t tail[17];
    size_t n = s->prf->out_len;
    put_u64(tail, s->cky_i);
    put_u64(tail + 8, s->cky_r);
    tail[16] = number;
    struct bytes previous = number ? bytes_of(all + number * n, n) : bytes_of(NULL, 0);
    struct bytes parts[] = {previous, s->shared, bytes_of(tail, sizeof tail)};
    return cr_prf(s->prf, bytes_of(all, n), parts, 3, all + (number + 1u) * n);
}

err_t v1_keys_make(struct v1_keys *k, const struct v1_seeds *s)
{
    struct secret all = {0};
    size_t n = s->prf->out_len;
    err_t err = secret_alloc(&all, 4 * n + s->encr->key_len);
    if (!err)
        err = skeyid(s, all.p);
    for (uint8_t i = 0; !err && i < 3; i++)
        err = derive(s, all.p, i);
    if (!err)
        err = stretch(s->prf, bytes_of(all.p + 3 * n, n), all.p + 4 * n, s->encr->key_len);
    if (err) {
        secret_free(&all);
        return err;
    }
    secret_move(&k->all, &all);
    k->n = (uint8_t)n;
    k->key = s->encr->key_len;
    return E_OK;
}

static struct bytes part(const struct v1_keys *k, size_t at, size_t n)
{
    return k->all.p ? bytes_of(k->all.p + at, n) : bytes_of(NULL, 0);
}

struct bytes v1_skeyid(const struct v1_keys *k)
{
    return part(k, 0, k->n);
}

struct bytes v1_key_d(const struct v1_keys *k)
{
    return part(k, k->n, k->n);
}

struct bytes v1_key_a(const struct v1_keys *k)
{
    return part(k, 2u * k->n, k->n);
}

struct bytes v1_key_cipher(const struct v1_keys *k)
{
    return part(k, 4u * k->n, k->key);
}

/* 5: HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b), HASH_R the other way round
 * but for SAi_b */
err_t v1_hash_phase1(const struct v1_sa *v, const struct alg *prf, bool initiators, uint8_t *out)
{
    const struct v1_phase1 *p = v->p1;
    uint8_t cookies[16];
    put_u64(cookies, initiators ? v->sa.spi_i : v->sa.spi_r);
    put_u64(cookies + 8, initiators ? v->sa.spi_r : v->sa.spi_i);
    struct bytes parts[] = {
        v1_bytes(initiators ? &p->ke_i : &p->ke_r), v1_bytes(initiators ? &p->ke_r : &p->ke_i),
        bytes_of(cookies, sizeof cookies),          v1_bytes(&p->sa_i),
        v1_bytes(initiators ? &p->id_i : &p->id_r),
    };
    return cr_prf(prf, v1_skeyid(&v->keys), parts, 5, out);
}

static err_t iv_of(const struct alg *prf, const struct bytes *parts, size_t n,
                   uint8_t iv[V1_BLOCK_MAX])
{
    uint8_t hash[CR_HASH_MAX];
    err_t err = cr_hash(prf, parts, n, hash);
    if (!err)
        memcpy(iv, hash, V1_BLOCK_MAX); /* every hash has 16 bytes at least */
    return err;
}

err_t v1_iv_phase1(const struct alg *prf, struct bytes ke_i, struct bytes ke_r,
                   uint8_t iv[V1_BLOCK_MAX])
{
    struct bytes parts[] = {ke_i, ke_r};
    return iv_of(prf, parts, 2, iv);
}

err_t v1_iv_phase2(const struct v1_sa *v, uint32_t msg_id, uint8_t iv[V1_BLOCK_MAX])
{
    uint8_t id[4];
    put_u32(id, msg_id);
    struct bytes parts[] = {bytes_of(v->iv, v->sa.encr->block), bytes_of(id, sizeof id)};
    return iv_of(v->sa.prf, parts, 2, iv);
}

err_t v1_hash_phase2(const struct v1_sa *v, bool third, uint32_t msg_id, const struct bytes *parts,
                     size_t n, uint8_t *out)
{
    uint8_t head[5] = {0};
    struct bytes all[5] = {bytes_of(head, sizeof head)};
    if (n > 4)
        return E_USAGE;
    put_u32(head + 1, msg_id);
    if (!third) /* 5.5: only HASH(3) begins with a zero byte */
        all[0] = bytes_of(head + 1, 4);
    memcpy(all + 1, parts, n * sizeof *parts);
    return cr_prf(v->sa.prf, v1_key_a(&v->keys), all, n + 1, out);
}

/* 5.5: K1 = prf(SKEYID_d, [g(qm)^xy |] protocol | SPI | Ni_b | Nr_b), K2 = prf(SKEYID_d, K1 | ...)
 */
static err_t keymat(const struct alg *prf, struct bytes d, struct bytes shared,
                    const uint8_t head[5], struct bytes ni, struct bytes nr, uint8_t *out,
                    size_t len)
{
    uint8_t block[CR_HASH_MAX];
    err_t err = E_OK;
    for (size_t n = 0; !err && len; n = prf->out_len) {
        struct bytes parts[] = {bytes_of(block, n), shared, bytes_of(head, 5), ni, nr};
        err = cr_prf(prf, d, parts, 5, block);
        size_t take = len < prf->out_len ? len : prf->out_len;
        memcpy(out, block, take);
        out += take;
        len -= take;
    }
    secret_wipe(block, sizeof block);
    return err;
}

err_t v1_child_keys(const struct alg *prf, struct bytes d, struct bytes shared, uint8_t proto,
                    uint32_t spi, struct bytes ni, struct bytes nr, const struct alg *encr,
                    const struct alg *integ, struct child_keys *out)
{
    uint8_t mat[256], head[5] = {proto};
    size_t el = encr ? (size_t)encr->key_len + encr->salt_len : 0, al = integ ? integ->key_len : 0;
    put_u32(head + 1, spi);
    if (el + al > sizeof mat)
        return E_SPACE;
    err_t err = keymat(prf, d, shared, head, ni, nr, mat, el + al);
    if (!err)
        err = secret_set(&out->encr, bytes_of(mat, el));
    if (!err)
        err = secret_set(&out->integ, bytes_of(mat + el, al));
    secret_wipe(mat, sizeof mat);
    return err;
}

/* A row of tshark's ikev1_decryption_table: initiator's cookie and the cipher's key. */
bool v1_keys_export(const struct ike_sa *sa, struct buf *out)
{
    const struct v1_keys *k = &((const struct v1_sa *)sa)->keys;
    if (!k->all.p)
        return false;
    buf_printf(out, "%016llx,", (unsigned long long)sa->spi_i);
    buf_hex(out, v1_key_cipher(k));
    return true;
}
