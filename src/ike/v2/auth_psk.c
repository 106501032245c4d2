/*
 * AUTH with a pre-shared key: RFC 7296 2.15.
 *
 *     AUTH = prf(prf(PSK, "Key Pad for IKEv2"), own first message | peer's nonce | prf(SK_p, ID'))
 */
#include "ike/v2/v2.h"
#include "wire/id.h"

static const char key_pad[] = "Key Pad for IKEv2"; /* 17 octets, without its end */

err_t v2_auth_psk(const struct v2_sa *v, bool initiators, const struct id *id,
                  const struct secret *psk, uint8_t out[CR_HASH_MAX])
{
    const struct alg *prf = v->sa.prf;
    const struct v2_init *i = v->init;
    uint8_t body[ID_MAX + 8], maced[CR_HASH_MAX], key[CR_HASH_MAX];
    struct wr w = wr_of(body, sizeof body);
    id_body_write(&w, id);
    if (w.err)
        return w.err;
    struct bytes idp = wr_bytes(&w);
    struct bytes pad = bytes_of(key_pad, sizeof key_pad - 1);
    const struct ike_msg *msg = initiators ? &i->req : &i->resp;
    struct bytes octets[] = {
        bytes_of(msg->p, msg->n),
        initiators ? i->nr : i->ni,
        bytes_of(maced, prf->out_len),
    };
    err_t err = cr_prf(prf, v2_key_p(&v->keys, initiators), &idp, 1, maced);
    if (!err)
        err = cr_prf(prf, secret_bytes(psk), &pad, 1, key);
    if (!err)
        err = cr_prf(prf, bytes_of(key, prf->out_len), octets, 3, out);
    secret_wipe(key, sizeof key);
    return err;
}
