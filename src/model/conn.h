/*
 * Connections as configured: the nouns of swanctl.conf with defaults filled in. Loaded once,
 * immutable afterwards, shared by reference count between the configuration and running SAs.
 */
#pragma once

#include "base/addr.h"
#include "base/secret.h"
#include "model/child_sa.h"
#include "model/id.h"
#include "model/lifetime.h"
#include "model/proposal.h"
#include "model/ts.h"

enum start_action {
    START_NONE = 0,
    START_TRAP = 1,
    START_START = 2
};                                                           /* bits: trap|start is both */
enum child_policy { CHILD_PROTECT, CHILD_PASS, CHILD_DROP }; /* mode = pass, drop */
enum dpd_action { DPD_CLEAR, DPD_TRAP, DPD_RESTART };
enum unique { UNIQUE_NO, UNIQUE_NEVER, UNIQUE_KEEP, UNIQUE_REPLACE };
enum frag_use { FRAG_NO, FRAG_ACCEPT, FRAG_YES, FRAG_FORCE }; /* of IKE messages */
enum auth_kind { AUTH_PSK, AUTH_PUBKEY, AUTH_EAP, AUTH_XAUTH };

enum revocation { REVOCATION_RELAXED, REVOCATION_IFURI, REVOCATION_STRICT };
enum send_cert { SEND_CERT_IFASKED, SEND_CERT_ALWAYS, SEND_CERT_NEVER };

/* auth = rsa-2048-ecdsa-256-sha256: what keys and hashes must have at least; zero: anything. */
struct key_limits {
    uint16_t types;                /* 1 << enum cr_key_type */
    uint16_t rsa_bits, ecdsa_bits; /* the least */
    uint16_t hashes;               /* 1 << number of RFC 7427 7 */
    bool pss;                      /* rsa/pss: no PKCS #1 v1.5 */
};

/* A certificate of a connection. Its bytes are there from its loading until the store of
 * certificates has it, which knows it by its fingerprint. */
struct conn_cert {
    char *name; /* its file; its subject when VICI brought it */
    uint8_t *p;
    size_t n;
    uint8_t fp[32]; /* SHA-256 */
};

/* What a round with auth = pubkey has besides. */
struct conn_pki {
    struct key_limits chain, ike; /* of certificates; of the IKE signature */
    struct conn_cert *certs, *cacerts;
    size_t cert_count, cacert_count;
    struct id ca_id; /* an authority of the chain must have; ID_ANY: none */
};

struct conn_auth {
    enum auth_kind kind;
    struct id id;  /* ID_ANY when not configured: own address, or any peer */
    char *id_text; /* as configured, NULL when not */
    enum revocation revocation;
    struct conn_pki *pki; /* NULL: no limits, no certificates of its own */
    char *xauth_id;       /* with AUTH_XAUTH: the user's name; NULL: the identity */
};

struct prefix_conf {
    struct addr addr; /* host bits as given */
    uint8_t bits;
};

#define IFACE_ADDRS_MAX 8

/* A TUN interface of the child's own: route-based VPN. */
struct iface_conf {
    char name[16]; /* "": none */
    uint16_t mtu;  /* 0: as the shared one */
    struct prefix_conf addr[IFACE_ADDRS_MAX];
    size_t addr_count;
    bool routes; /* remote_ts into it */
};

struct conn_child {
    char *name;
    enum child_policy policy;
    enum ipsec_mode mode;
    struct ts_conf_list local_ts, remote_ts;
    struct proposals esp;
    bool esp_default;
    bool bundle;                               /* of AH around ESP: both are among `esp` */
    struct lifetime life;                      /* as configured; seconds include no jitter */
    uint64_t rand_s, rand_bytes, rand_packets; /* subtracted at random from the soft limits */
    uint32_t replay_window;
    struct tunnel_rules ip;
    uint64_t inactivity_s; /* 0: never closed for it */
    bool per_cpu;          /* per_cpu_sas: RFC 9611 */
    bool sha256_96;        /* HMAC-SHA-256 with the ICV of the draft before RFC 4868 */
    bool ipcomp;           /* offered, and accepted */
    uint8_t start_action;  /* bits of enum start_action */
    enum dpd_action dpd_action;
    uint8_t close_action; /* bits of enum start_action: when the peer closes it */
    uint32_t priority;
    struct iface_conf iface;
    uint16_t iface_id;     /* filled by the daemon: as in struct policy */
    uint32_t policy_id[2]; /* filled by the daemon: id of the installed policy, 0 none */
};

/* One of local_addrs/remote_addrs: an address, a subnet or range, %any, or a name to resolve. */
struct addr_match {
    struct addr lo, hi; /* family 0: %any */
    char *host;         /* a DNS name that is resolved when needed; then lo/hi are empty */
};

#define CONN_ADDRS_MAX    16
#define CONN_CHILDREN_MAX 256
#define CONN_VIPS_MAX     4
#define CONN_POOLS_MAX    8

struct conn {
    unsigned refs;
    char *name;
    uint32_t serial; /* set by the engine; order of loading */
    uint8_t version; /* 0: IKEv2 wanted, IKEv1 accepted; 1; 2 */
    struct addr_match local[CONN_ADDRS_MAX], remote[CONN_ADDRS_MAX];
    size_t local_count, remote_count;
    uint16_t local_port, remote_port; /* 500 by default; 4500 floats at once */
    struct proposals ike;
    bool ike_default;
    /* The first round; AUTH_XAUTH here: there is none but XAUTH, as hybrid authentication has it.
     */
    struct conn_auth auth_local, auth_remote;
    struct conn_auth *xauth_local, *xauth_remote; /* IKEv1's second round, NULL: none */
    struct addr vip[CONN_VIPS_MAX];               /* to ask for; all zero: any of that family */
    size_t vip_count;
    char *pool[CONN_POOLS_MAX]; /* names of pools to give addresses from */
    size_t pool_count;
    bool pull;       /* IKEv1: who wants a virtual address asks for it; else it is told */
    bool aggressive; /* IKEv1: this mode is initiated, and accepted */
    bool encap;      /* force UDP encapsulation */
    bool mobike;
    enum frag_use fragmentation;
    bool send_certreq;
    enum send_cert send_cert;
    uint64_t dpd_delay_s; /* 0: off */
    uint64_t dpd_timeout_s;
    uint64_t rekey_s, reauth_s, over_s, rand_s; /* 0: off */
    unsigned keyingtries;                       /* 0: forever */
    enum unique unique;
    size_t child_count;
    struct conn_child *child; /* array */
};

struct conn *conn_new(const char *name) must_use; /* defaults of swanctl.conf; refs 1 */
struct conn *conn_ref(struct conn *c);
void conn_unref(struct conn *c);
struct conn_child *conn_child_add(struct conn *c, const char *name) must_use; /* with defaults */
const struct conn_child *conn_child_find(const struct conn *c, const char *name);
bool addr_match_has(const struct addr_match *m, const struct addr *a);

bool conn_cert_add(struct conn_cert **list, size_t *count, const char *name, struct bytes der,
                   const uint8_t fp[32]) must_use; /* false: no memory */

/* A shared secret with its owners: secrets { ike-1 { id-a = ..., secret = ... } }. */
enum shared_kind { SHARED_IKE, SHARED_EAP, SHARED_XAUTH, SHARED_PPK, SHARED_NTLM };

#define SHARED_OWNERS_MAX 16

struct shared {
    char *name; /* unique name: VICI's "id" */
    enum shared_kind kind;
    struct id owner[SHARED_OWNERS_MAX];
    size_t owner_count; /* 0: everybody */
    struct secret secret;
};

struct shared *shared_new(const char *name) must_use;
void shared_free(struct shared *s);
