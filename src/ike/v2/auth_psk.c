/*
 * AUTH with a pre-shared key: RFC 7296 2.15.
 *
 *     AUTH = prf(prf(PSK, "Key Pad for IKEv2"), own first message | peer's nonce | prf(SK_p, ID'))
 */
#include "ike/v2/v2.h"

static const char key_pad[] = "Key Pad for IKEv2"; /* 17 octets, without its end */

err_t v2_auth_psk(const struct v2_sa *v, bool initiators, const struct id *id,
                  const struct secret *psk, uint8_t out[CR_HASH_MAX])
{
    const struct alg *prf = v->sa.prf;
    uint8_t key[CR_HASH_MAX];
    struct v2_octets o;
    struct bytes pad = bytes_of(key_pad, sizeof key_pad - 1);
    err_t err = v2_octets(v, initiators, id, &o);
    if (!err)
        err = cr_prf(prf, secret_bytes(psk), &pad, 1, key);
    if (!err)
        err = cr_prf(prf, bytes_of(key, prf->out_len), o.part, 3, out);
    secret_wipe(key, sizeof key);
    return err;
}
