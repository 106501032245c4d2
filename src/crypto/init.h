/* Which suites ipsec-mb may carry: decided by the self-test, at the first question. */
#pragma once

#include "crypto/crypto.h"

bool imb_trusted(const struct alg *encr, const struct alg *integ);
