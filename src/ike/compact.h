/* Copies of exactly the size needed of model structs that are made for the worst case. */
#pragma once

#include "model/id.h"
#include "model/ts.h"

struct id_copy {
    uint8_t type;
    uint16_t len;
    uint8_t data[];
};

struct ts_copy {
    struct ts *ts;
    uint32_t count;
};

struct id_copy *id_copy_new(const struct id *id) must_use; /* NULL when out of memory */
void id_copy_get(const struct id_copy *c, struct id *out); /* NULL: ID_ANY */
bool id_copy_eq(const struct id_copy *a, const struct id_copy *b);

err_t ts_copy_set(struct ts_copy *c, const struct ts_list *l) must_use;
void ts_copy_get(const struct ts_copy *c, struct ts_list *out);
void ts_copy_free(struct ts_copy *c);
