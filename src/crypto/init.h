/* Which suites ipsec-mb may carry: decided by the self-test in cr_init. */
#pragma once

#include "crypto/crypto.h"

bool imb_trusted(const struct alg *encr, const struct alg *integ);
