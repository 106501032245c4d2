/*
 * What happened, typed. The engines fill the fields that apply; only sinks (log, VICI events,
 * explain) render. Strings are borrowed for the call.
 */
#pragma once

#include "base/addr.h"

enum event_kind {
#define EVENT(name, level, group, text) EV_##name,
#include "base/event.def"
#undef EVENT
    EV_COUNT
};

/* As charon's log levels: 0 audit (always), 1 control flow, 2 detail, 3 raw, -1 errors only. */
enum { LEVEL_ERROR = -1, LEVEL_AUDIT = 0, LEVEL_CTRL = 1, LEVEL_DETAIL = 2, LEVEL_RAW = 3 };

struct event {
    enum event_kind kind;
    err_t reason;      /* positive reason, negative own failure, 0 none */
    const char *conn;  /* connection name */
    const char *child; /* child configuration name */
    uint32_t ike_id;   /* unique id of the IKE SA, 0 none */
    uint32_t child_id; /* unique id of the CHILD SA, 0 none */
    uint32_t spi_in, spi_out;
    uint64_t ike_spi_i, ike_spi_r;
    struct endpoint local, remote;
    const char *what;   /* the parameter concerned: "encryption", "remote_ts", "id" ... */
    const char *ours;   /* our value, as the configuration spells it */
    const char *theirs; /* the peer's value */
    const char *hint;   /* what to change, naming the key of the configuration */
    const char *clause; /* "RFC 7296 2.7" */
    const char *text;   /* free detail: exchange name, payload list, parser detail */
    uint64_t number;    /* message id, count, milliseconds: as the event's text says */
};

const char *event_name(enum event_kind k);  /* "ike-established": stable */
const char *event_group(enum event_kind k); /* charon's subsystem: "IKE", "CFG", "NET", "CHD",
                                               "ENC", "ESP", "KNL", "DMN" */
int event_level(enum event_kind k);

/* One line for people, without newline: "gw-gw[1] no proposal ...: encryption: ours ..., theirs
 * ...". */
struct buf;
void event_render(const struct event *ev, struct buf *out);
