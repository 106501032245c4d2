/*
 * What the benches of the control plane share: an IKE engine with the surroundings it wants, and
 * connections by number. Called by handshake.c, ike_load.c and ike_memory.c.
 */
#pragma once

#include <culvert/dataplane.h>
#include <culvert/ike.h>

#define RIG_GATEWAY_ID "gwb.example" /* with certificates */
#define RIG_PEERS_ID   "gwa.example"

struct rig {
    struct ike *ike;
    struct dp *dp; /* gives SPIs and takes SAs; NULL: SPIs are counted up, nothing is installed */
    struct addr at;
    uint32_t next_spi;
};

/* How both sides prove who they are. */
enum rig_auth { RIG_PSK, RIG_RSA, RIG_ECDSA }; /* 2048 bits; P-256, its certificate by an RSA key */
bool rig_auth_of(const char *name, enum rig_auth *out); /* "psk", "rsa", "ecdsa" */

/* Cookies and limits are off: they are measured apart. Aborts when memory runs out. */
void rig_open(struct rig *r, struct addr at);
void rig_close(struct rig *r);
/* The authority, and one certificate with its key: the gateway's ("gwb.example") or the one that
 * all peers share ("gwa.example"). Nothing for RIG_PSK. */
void rig_certs(struct rig *r, enum rig_auth auth, bool gateway);

/* Peer i of a gateway: its outer address, identity and the one host behind it. */
struct addr rig_peer_addr(uint32_t i);

struct rig_conn {
    const char *name, *group;
    enum rig_auth auth;
    struct addr local, remote; /* remote of family 0: anybody */
    const char *id;            /* ours; NULL: our address */
    const char *local_ts, *remote_ts;
};
/* A reference; the group must be one that proposal_parse knows. */
struct conn *rig_conn_new(const struct rig_conn *c);
/* The same for peer i that calls the gateway. */
struct conn *rig_peer_conn(uint32_t i, const char *group, enum rig_auth auth,
                           const struct addr *gateway);

uint64_t rig_cpu_ns(void); /* of this thread */
uint64_t rig_now_ms(void); /* monotonic */
uint64_t rig_wall_s(void); /* for the dates of certificates */
