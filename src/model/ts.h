/* Traffic selectors: RFC 7296 3.13. Ranges of addresses and ports; always lo <= hi, but for OPAQUE.
 */
#pragma once

#include "base/addr.h"
#include "base/buf.h"

struct ts {
    uint8_t proto; /* 0: any */
    /* 0..65535: any; 65535..0: OPAQUE, packets whose ports cannot be seen (RFC 4301 4.4.1.1). ICMP:
     * type << 8 | code; Mobility Header: type << 8. */
    uint16_t port_lo, port_hi;
    struct addr lo, hi;
};

#define TS_MAX 32

struct ts_list {
    size_t count;
    struct ts ts[TS_MAX];
};

/* Selectors of a configuration may say "dynamic": the endpoint's address (or virtual IP). */
struct ts_conf {
    bool dynamic;
    struct ts ts; /* with dynamic only proto and ports count */
};

struct ts_conf_list {
    size_t count;
    struct ts_conf ts[TS_MAX];
};

/* "10.1.0.0/16", "10.1.0.1-10.1.0.9", "dynamic", "10.1.0.0/16[tcp/http]", "dynamic[udp]",
 * "[gre]", "::/0[tcp/1024-2048]", "10.1.0.0/16[udp/opaque]". R_CONFIG_VALUE with *why set. */
err_t ts_conf_parse(struct ts_conf *t, const char *text, const char **why) must_use;
void ts_resolve(const struct ts_conf_list *c, const struct addr *dynamic, struct ts_list *out);
/* The same with several addresses, or whole ranges of them: virtual addresses of both families. */
void ts_resolve_in(const struct ts_conf_list *c, const struct ts *dynamic, size_t n,
                   struct ts_list *out);

/* What swanctl shows: "10.1.0.0/16|/0" without the reqid tail: "10.1.0.0/16[tcp/80]". */
void ts_print(const struct ts *t, struct buf *out);
void ts_list_print(const struct ts_list *l, struct buf *out); /* space separated */
bool ts_any_port(const struct ts *t);
bool ts_opaque(const struct ts *t);
bool ts_eq(const struct ts *a, const struct ts *b);
bool ts_contains(const struct ts *outer, const struct ts *inner);
bool ts_list_contains(const struct ts_list *l, const struct ts *t); /* one of them does */
bool ts_intersect(const struct ts *a, const struct ts *b, struct ts *out); /* false: empty */
/* Does a packet's side (address, protocol, port) lie within? */
bool ts_match(const struct ts *t, const struct addr *a, uint8_t proto, uint16_t port);

/*
 * Responder's narrowing, RFC 7296 2.9: the intersection of the peer's proposal with our
 * configuration; if the first selector of the peer is a packet's (specific), what contains it is
 * preferred. R_TS_UNACCEPTABLE when nothing is left.
 */
err_t ts_narrow(const struct ts_list *ours, const struct ts_list *theirs,
                struct ts_list *out) must_use;
/* Initiator's check: every selector the responder returned lies within what we offered. */
bool ts_within(const struct ts_list *offered, const struct ts_list *returned);
/* The one address that all of them are of; NULL if they are of several, or none. BEET has one on
 * each side. */
const struct addr *ts_list_host(const struct ts_list *l);
bool ts_list_eq(const struct ts_list *a, const struct ts_list *b);
/* Local and remote: what a selects, b selects as well, and more. */
bool ts_pair_narrower(const struct ts_list a[2], const struct ts_list b[2]);
