/*
 * Messages for the log, as charon writes them and its operators know them:
 * "IKE_SA_INIT request 0 [ SA KE No N(NATD_S_IP) N(NATD_D_IP) ]".
 */
#pragma once

#include "base/buf.h"
#include "wire/ike_hdr.h"
#include "wire/payload.h"

/* "SA KE No N(NATD_S_IP)"; nothing for no payloads. Malformed notifies appear as "N(?)". */
void payloads_print(const struct payloads *ps, struct buf *out);
void ike_message_print(const struct ike_hdr *h, const struct payloads *ps, struct buf *out);
