/* Between ke.c, which dispatches, and the families of key exchange methods in ossl_ke_*.c. */
#pragma once

#include "crypto/crypto.h"

struct cr_ke {
    const struct alg *alg;
    const struct ke_ops *ops;
    void *priv; /* the family's own form of the private value */
    uint8_t pub[];
};

struct ke_ops {
    /* Fills priv and pub; an empty private value means a random one. */
    err_t (*make)(struct cr_ke *ke, struct bytes private_value);
    /* peer has the length pub_len. R_KE_VALUE for values RFC 6989 forbids. */
    err_t (*derive)(struct cr_ke *ke, struct bytes peer, struct secret *shared);
    void (*wipe)(struct cr_ke *ke);
};

extern const struct ke_ops ossl_ke_modp, ossl_ke_ecp, ossl_ke_xdh;
