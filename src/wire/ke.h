/* Body of the KE payload: RFC 7296 3.4. Whether the value suits the method is crypto's affair. */
#pragma once

#include "base/cursor.h"

struct ke {
    uint16_t method; /* transform id of type T_KE */
    struct bytes data;
};

err_t ke_parse(struct bytes body, struct ke *out) must_use;
void ke_write(struct wr *w, uint16_t method, struct bytes data);
