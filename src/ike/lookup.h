/* A row of the look-up of connections by the peer's address: lookup.c. */
#pragma once

#include "base/hash.h"
#include "base/list.h"

struct child_key {
    struct hash_node node;
    struct conn_entry *entry;
    const char *name; /* of the connection loaded */
};

struct conn_key {
    struct hash_node node;
    struct list wild;
    struct conn_entry *entry;
    bool hashed;
};
