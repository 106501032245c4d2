/*
 * Key exchange: picks the family of a method and checks what all have in common. The IKE engine
 * calls this from jobs. RFC 7296 3.4, RFC 6989.
 */
#include "crypto/ke.h"
#include <stdlib.h>

static const struct ke_ops *ops_of(uint16_t method)
{
    switch (method) {
    case KE_ECP_256:
    case KE_ECP_384:
    case KE_ECP_521:
    case KE_ECP_192:
    case KE_ECP_224:
    case KE_ECP_224_BP:
    case KE_ECP_256_BP:
    case KE_ECP_384_BP:
    case KE_ECP_512_BP:
        return &ossl_ke_ecp;
    case KE_CURVE25519:
    case KE_CURVE448:
        return &ossl_ke_xdh;
    default:
        return &ossl_ke_modp;
    }
}

err_t cr_ke_new_from(uint16_t method, struct bytes private_value, struct cr_ke **out)
{
    const struct alg *alg = alg_find(T_KE, method, 0);
    *out = NULL;
    if (!alg)
        return E_NOTSUP;
    struct cr_ke *ke = calloc(1, sizeof *ke + alg->pub_len);
    if (!ke)
        return E_NOMEM;
    ke->alg = alg;
    ke->ops = ops_of(method);
    err_t e = ke->ops->make(ke, private_value);
    if (e) {
        cr_ke_free(ke);
        return e;
    }
    *out = ke;
    return E_OK;
}

err_t cr_ke_new(uint16_t method, struct cr_ke **out)
{
    return cr_ke_new_from(method, bytes_of(NULL, 0), out);
}

struct bytes cr_ke_public(const struct cr_ke *ke)
{
    return bytes_of(ke->pub, ke->alg->pub_len);
}

err_t cr_ke_derive(struct cr_ke *ke, struct bytes peer, struct secret *shared)
{
    /* RFC 7296 3.4: a MODP value has the length of the modulus, zeros prepended; RFC 5903 7 and
     * RFC 8031 2 fix the lengths of the others. */
    if (peer.n != ke->alg->pub_len)
        return R_KE_VALUE;
    return ke->ops->derive(ke, peer, shared);
}

void cr_ke_free(struct cr_ke *ke)
{
    if (!ke)
        return;
    ke->ops->wipe(ke);
    free(ke);
}
