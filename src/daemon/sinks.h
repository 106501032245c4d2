/*
 * Where events become text: standard error (the journal prefix when systemd listens) and the VICI
 * events log and control-log. Levels as charon's: 0 audit, 1 control flow, 2 detail, 3 raw.
 */
#pragma once

#include <culvert/vici.h>
#include "base/event.h"

struct sinks;

struct sinks *sinks_new(int level, struct vici_server *vici) must_use;
void sinks_free(struct sinks *s);
void sinks_level(struct sinks *s, int level);
void sinks_event(struct sinks *s, const struct event *ev);

/* Does this kind of event reach anybody? */
bool sinks_hear(const struct sinks *s, enum event_kind kind);
/* A client that waits for an initiation or the like hears control-log up to its level. */
void sinks_watch(struct sinks *s, struct vici_client *c, uint64_t ticket, int level);
void sinks_unwatch(struct sinks *s, uint64_t ticket);
void sinks_forget(struct sinks *s, const struct vici_client *c); /* the client went away */
