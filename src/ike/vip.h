/*
 * Virtual addresses of an IKE SA: those that the peer gave us and those that we gave it, with what
 * came along; and the selectors that follow. Shared by Mode Config (ike/v1/modecfg.c) and IKEv2's
 * configuration payloads (ike/v2/cp.c).
 */
#pragma once

#include "ike/engine.h"
#include "ike/lease.h"
#include "wire/cfg.h"

#define VIP_DNS_MAX 4

/* Only SAs of travellers have one. */
struct sa_vips {
    size_t our_count, their_count, dns_count;
    struct addr our[CONN_VIPS_MAX];
    struct lease *their[CONN_VIPS_MAX];
    struct addr dns[VIP_DNS_MAX]; /* the peer's, for us */
    struct ts_list *include;      /* the peer's split networks; NULL: none */
    struct id *user;              /* who the peer logged in as, with XAUTH; NULL: nobody */
};

void vip_fini(struct ike *e, struct ike_sa *sa);
bool vip_user_set(struct ike *e, struct ike_sa *sa, const struct id *user); /* false: no memory */
const struct id *vip_user(const struct ike_sa *sa);                         /* NULL: none */

/* A child's selectors as they are now: `dynamic` stands for virtual addresses where there are some,
 * else for the host's address. */
void vip_local_ts(const struct ike_sa *sa, const struct conn_child *cc, struct ts_list *out);
void vip_remote_ts(const struct ike_sa *sa, const struct conn_child *cc, struct ts_list *out);
/* The peer's split networks, if it told some: what of these selectors of the far side is among
 * them. False: it told none, or nothing is left. */
bool vip_include_ts(const struct ike_sa *sa, const struct ts_list *remote, struct ts_list *out);
/* IKEv2's first offer, made before the address is known: any (RFC 7296 3.15.1). */
void vip_offer_ts(const struct ike_sa *sa, const struct conn_child *cc, struct ts_list *out);

/* --- who wants an address --- */
void vip_ask(struct ike *e, const struct ike_sa *sa, bool v1, struct cfg_body *out);
/* Reads what the peer gave and has the addresses installed. R_NO_VIP: we asked for an address, and
 * there is none; reported. */
err_t vip_take(struct ike *e, struct ike_sa *sa, const struct cfg_body *b) must_use;

/* --- who gives one --- */
/* request NULL: nobody asked (push). Fills what is to be told; values live in the step's arena.
 * R_POOL_EMPTY: an address was asked for and there is none; reported. */
err_t vip_give(struct ike *e, struct ike_sa *sa, const struct cfg_body *request, bool unity,
               struct cfg_body *out) must_use;
