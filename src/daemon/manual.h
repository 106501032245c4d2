/*
 * SAs by hand (RFC 4301 4.5.1): what is loaded, from the file or over VICI, and its SAs in the data
 * plane. Called by load.c and control_manual.c; core.c hands over the notes that concern them.
 */
#pragma once

#include "model/manual_sa.h"

struct core;
struct manual;

#define MANUAL_ID_FIRST 0x40000000u /* ids of CHILD SAs from here on are theirs */

struct manual *manual_new(struct core *c) must_use;
void manual_close(struct manual *m); /* SAs and timers go; run the loop, then free */
void manual_free(struct manual *m);

/* Takes `sa` over. The same again changes nothing; something else under a name that is taken is
 * refused, unless both are the file's. On failure err->text says what is in the way; else what may
 * keep them from working, or nothing. */
struct io_error;
err_t manual_load(struct manual *m, struct manual_sa *sa, bool from_file,
                  struct io_error *err) must_use;
err_t manual_unload(struct manual *m, const char *name) must_use;
/* What came from a file and is not in this one goes. */
void manual_keep(struct manual *m, struct manual_sa *const *sa, size_t count);

/* A hard limit was reached: the SAs go, the policy stays and drops until the operator takes it
 * back. A soft one: an event tells. */
void manual_expired(struct manual *m, uint32_t child_id, bool hard);

typedef void manual_fn(void *ctx, const struct manual_sa *sa, uint32_t child_id,
                       uint64_t installed_ms); /* 0: expired */
void manual_each(const struct manual *m, manual_fn *fn, void *ctx);
