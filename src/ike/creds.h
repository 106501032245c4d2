/* Rows of the table of shared secrets: creds.c keeps them, nobody else looks inside. */
#pragma once

#include "base/hash.h"
#include "base/list.h"
#include "model/conn.h"

struct shared_entry;

struct shared_key {
    struct hash_node node;
    struct shared_entry *entry;
};

struct shared_entry {
    struct list link, wild;
    struct shared *s;
    size_t key_count;
    struct shared_key key[];
};
