/*
 * The configuration: swanctl.conf's grammar into one tree, the schema table, and from there into
 * the model. A file and VICI's load-conn and load-shared go through the same table. Called by
 * culvertd (load, reload, VICI) and `culvert check`.
 *
 * Everywhere: 0, R_CONFIG_SYNTAX (grammar, unreadable file) or R_CONFIG_VALUE (meaning), or
 * E_NOMEM; what was wrong is appended to `d`, warnings also on success. On failure *out is NULL.
 */
#pragma once

#include "config/diag.h"
#include "model/addr_pool.h"
#include "model/conn.h"
#include "pki/build.h"
#include "model/manual_sa.h"

/* --- grammar --- */

#define CONFIG_FILE_MAX    (4u << 20) /* bytes of one file */
#define CONFIG_FILES_MAX   256u       /* files read for one configuration */
#define CONFIG_INCLUDE_MAX 16u        /* depth of includes */
#define CONFIG_DEPTH_MAX   30u        /* depth of sections */
#define CONFIG_NODES_MAX   (256u << 10)

/*
 * Reads a file and what it includes, merges repeated sections and resolves references. Every value
 * is a VN_VALUE; each node knows its file and line. The root's `value` holds the names of the
 * files; a top-level section that others inherit from has a `value`. The caller frees with
 * vnode_free.
 */
err_t config_read_file(const char *path, struct vnode **out, struct diag *d) must_use;
/* The same from memory; `name` stands in reports, an include is an error. */
err_t config_read_text(const char *name, struct bytes text, struct vnode **out,
                       struct diag *d) must_use;

/* --- one object at a time --- */

/*
 * `conn` is the section named after the connection: connections.NAME of a file, or the single
 * section of VICI's load-conn message. Lists are VN_LIST or comma separated strings.
 */
err_t config_conn_from_tree(const struct vnode *conn, struct conn **out, struct diag *d) must_use;
/* A section of a file's secrets: "ike-1 { id-a = ..., secret = ... }". *out is NULL with result 0
 * for what is no shared secret: pass phrases of private keys, which creds.c reads. */
err_t config_shared_from_tree(const struct vnode *sec, struct shared **out,
                              struct diag *d) must_use;
/* VICI's load-shared message {id, type, data, owners}: data is the secret itself, not encoded. */
err_t config_shared_from_vici(const struct vnode *msg, struct shared **out,
                              struct diag *d) must_use;

/* An SA by hand: sas.NAME of a file, or the single section of VICI's load-sa message. */
err_t config_manual_from_tree(const struct vnode *sec, struct manual_sa **out,
                              struct diag *d) must_use;

/* authorities { NAME { } }: an authority that is trusted, and what there is about it. */
struct config_uris {
    char **uri;
    size_t count;
};
struct config_authority {
    char *name, *cert_uri_base;
    struct conn_cert *cert; /* one */
    size_t cert_count;
    struct config_uris crl_uris, ocsp_uris;
    struct buf *crl; /* what file:// URIs held */
    size_t crl_count;
};
/* The section of a file, or the single one of VICI's load-authority. */
err_t config_authority_from_tree(const struct vnode *sec, struct config_authority **out,
                                 struct diag *d) must_use;
void config_authority_free(struct config_authority *a);
/* R_CERT_CA: it is none. */
err_t config_authority_hold(struct pki_build *b, const struct config_authority *a) must_use;
void config_authority_drop(struct pki_build *b, const struct config_authority *a);
/* The certificates that a connection names, as long as it is loaded. */
err_t creds_hold_conn(struct pki_build *b, const struct conn *c) must_use;
void creds_drop_conn(struct pki_build *b, const struct conn *c);

/* A section of pools { }, or that of VICI's load-pool. */
err_t config_pool_from_tree(const struct vnode *sec, struct addr_pool **out,
                            struct diag *d) must_use;

/* --- a whole file --- */

/* How native ESP is received and sent; in the order of enum esp_io of io/esp_port.h. */
enum config_esp_io { CONFIG_ESP_AUTO, CONFIG_ESP_RAW, CONFIG_ESP_PACKET, CONFIG_ESP_XDP };

/* How plain packets come from LAN interfaces; in the order of enum lan_io of io/lan_port.h. */
enum config_lan_io { CONFIG_LAN_TUN, CONFIG_LAN_PACKET, CONFIG_LAN_XDP };
#define CONFIG_LAN_MAX 8 /* as LAN_INTERFACES there */

/* culvertd's own settings, section culvertd { }. */
struct config_daemon {
    uint32_t retransmit_tries, retransmit_timeout_ms, retransmit_base_pct;
    uint32_t half_open_timeout_ms, half_open_max, cookie_threshold, init_limit_per_source;
    uint32_t keepalive_ms;
    uint16_t port, port_natt, fragment_size;
    bool make_before_break;
    int esp_io;             /* enum config_esp_io */
    char esp_interface[16]; /* "": none */
    int lan_io;             /* enum config_lan_io */
    char lan_interface[CONFIG_LAN_MAX][16];
    size_t lan_interfaces;
    char tun[16]; /* name of the shared TUN device: culvert0 */
    uint32_t mtu; /* outer path MTU assumed: 1500 */
    bool mtu_probing;
    uint32_t route_table, route_table_prio;
    uint32_t busy_poll;   /* microseconds */
    uint32_t workers;     /* threads of the data plane; 0: one per CPU */
    uint32_t fwmark;      /* mark of the daemon's own packets */
    uint32_t fwmark_bits; /* the lower of two bits: marks of what no policy covers */
    int nat_exemption;    /* enum nft_nat of io/nft.h */
    uint32_t sa_max;      /* slots of the inbound SA table */
    uint32_t hold_max, hold_per_policy, hold_ms; /* packets held while a tunnel comes up */
    int log_level;                               /* LEVEL_ERROR .. LEVEL_RAW of base/event.h */
    char vici[128];                              /* "unix:///run/culvert/culvert.vici" */
};
void config_daemon_default(struct config_daemon *s);
/* The keys in which they differ, comma separated; nothing: in none. */
void config_daemon_changes(const struct config_daemon *a, const struct config_daemon *b,
                           struct buf *out);

struct config {
    struct conn **conn; /* one reference each */
    size_t conn_count;
    struct shared **shared;
    size_t shared_count;
    struct manual_sa **manual;
    size_t manual_count;
    struct config_authority **authority;
    size_t authority_count;
    /* Keys, certificates and lists of the folders beside the file, with those that connections and
     * authorities name, which are held. */
    struct pki_build *pki;
    struct addr_pool **pool;
    size_t pool_count;
    struct config_daemon daemon;
};

/* Everything or nothing. On success the caller may take the pointers out (set them to NULL); what
 * is left is released by config_free. */
err_t config_load(const char *path, struct config *out, struct diag *d) must_use;
/* The same for a tree that was read before. */
err_t config_from_tree(const struct vnode *tree, struct config *out, struct diag *d) must_use;
void config_free(struct config *c);

/*
 * For `culvert check FILE`: report_text gets the lines for people (errors, warnings, and a closing
 * line), report_tree {file, ok = yes|no, errors, warnings, connections, secrets, reports { }}.
 * Either may be NULL. 0, R_CONFIG_*, or E_NOMEM.
 */
err_t config_check_file(const char *path, struct buf *report_text,
                        struct vnode *report_tree) must_use;
