/* Lifetimes of a CHILD SA. Zero means no limit. RFC 4301 4.4.2.1, RFC 7296 2.8. */
#pragma once

#include <stdint.h>

struct lifetime {
    uint64_t rekey_s, life_s; /* soft, hard: seconds */
    uint64_t rekey_bytes, life_bytes;
    uint64_t rekey_packets, life_packets;
};
