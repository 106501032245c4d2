/*
 * The schema: every key of swanctl.conf that culvert knows, one row each, and how a row's text
 * becomes a field of the model. The same rows write the man page. Inside of config only.
 */
#pragma once

#include "config/config.h"

enum scope {
    SC_CONN,      /* connections.<conn>: struct conn */
    SC_LOCAL,     /* connections.<conn>.local<suffix>: struct conn_auth */
    SC_REMOTE,    /* connections.<conn>.remote<suffix>: struct conn_auth */
    SC_CHILD,     /* connections.<conn>.children.<child>: struct conn_child */
    SC_SECRET,    /* secrets.ike<suffix> and the like: struct shared */
    SC_POOL,      /* pools.<name>: struct addr_pool, read by pools.c */
    SC_AUTHORITY, /* authorities.<name>: known, unused */
    SC_MANUAL,    /* sas.<name>: struct manual_sa */
    SC_DAEMON,    /* culvertd: struct config_daemon */
    SC_COUNT
};

enum value_type {
    V_BOOL,
    V_TIME,      /* seconds, with s m h d */
    V_COUNT,     /* a number between min and max, or the one word of `words` */
    V_BYTES,     /* with k m g, powers of 1024 */
    V_DECIMAL,   /* "1.8", stored times `min` */
    V_WORD,      /* one of `words` */
    V_MODE,      /* a child's mode and policy */
    V_ADDRS,     /* addr_match[], count at `aux` */
    V_PROPOSALS, /* struct proposals of protocol `min`, bool at `aux` */
    V_TS,        /* struct ts_conf_list */
    V_AUTH,
    V_ID,       /* struct conn_auth's id */
    V_CERTS,    /* struct conn_auth's certificates; `min` 1: of authorities */
    V_CA_ID,    /* struct conn_auth's ca_id */
    V_URIS,     /* read by authorities.c */
    V_FILE,     /* read by creds.c and authorities.c */
    V_ADDR,     /* one address: struct addr */
    V_SPI,      /* decimal or 0x hex, from 256 on; of two bytes a CPI */
    V_KEY,      /* struct secret, in 0x hex or 0s Base64 */
    V_IFNAME,   /* name of an interface to be made: char[16] */
    V_PREFIXES, /* struct prefix_conf[max], count at `aux` */
    V_TEXT,     /* char[size] */
    V_STRING,   /* char *, owned */
    V_VIPS,     /* addr[CONN_VIPS_MAX], count at `aux` */
    V_NAMES,    /* char *[CONN_POOLS_MAX], count at `aux` */
    V_POOL,     /* read by pools.c */
    V_LANS,     /* names of interfaces: char[CONFIG_LAN_MAX][16], count at `aux` */
    V_SECRET,   /* read by secrets.c */
    V_OWNER,    /* read by secrets.c: a key prefix, "id<suffix>" */
    V_ANY,      /* accepted and without effect here */
    V_FIXED,    /* accepted with one of the values in `only`, else refused as not supported yet */
    V_REFUSED,  /* known, but not supported yet */
    V_COUNT_OF
};

struct word {
    const char *name;
    int value;
};

struct row {
    enum scope scope;
    const char *key;
    enum value_type type;
    const char *def;  /* as the man page shows it, "" for none */
    const char *help; /* one line */
    size_t off, size, aux;
    uint64_t min, max;
    const struct word *words; /* ends with a NULL name; aliases behind the first of a value */
    const char *only;         /* "no|false|0" */
};

extern const struct row schema[];
extern const size_t schema_count;
extern const char *const scope_path[SC_COUNT];        /* "connections.<conn>.children.<child>" */
extern const char *const value_type_text[V_COUNT_OF]; /* for the man page: "time", "yes or no" */

/* Exact key; NULL if the scope has none. */
const struct row *schema_find(enum scope scope, const char *key);

/* --- applying rows --- */

struct cx {
    struct diag *d;
};

/* Reports at a node; its path is made from its parents. word NULL: none. */
void cx_report(struct cx *cx, enum diag_level level, const struct vnode *at, const char *word,
               const char *fmt, ...) printf_like(5, 6);
/* Puts one value or list into the object of the row's scope; reports what is wrong. */
void value_apply(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
/* Applies every VN_VALUE and VN_LIST member of a section; unknown keys are errors. Sections are the
 * caller's, but a section where a row says value is reported. */
void schema_apply(struct cx *cx, enum scope scope, const struct vnode *sec, void *obj);
/* For unknown names: the nearest of the candidates within two edits, NULL if none. */
const char *nearest(const char *word, const char *const *names, size_t n);
void cx_unknown_section(struct cx *cx, const struct vnode *n, const char *const *names,
                        size_t count);
void cx_unknown_key(struct cx *cx, enum scope scope, const struct vnode *n);
/* Was the key given, and not empty? */
bool has_key(const struct vnode *sec, const char *key);
/* Warns of connections that a peer cannot tell apart: alike.c. */
void check_alike(struct cx *cx, const struct vnode *tree, const struct config *c);
/* Interfaces of children: ifaces.c. One child, v6: its selectors have IPv6; all of them. */
void check_iface(struct cx *cx, const struct vnode *sec, const struct conn_child *c, bool v6);
void check_ifaces(struct cx *cx, const struct vnode *tree, const struct config *c);
/* The key's node, or the section itself: where to point a report. */
const struct vnode *key_or_section(const struct vnode *sec, const char *key);

/* Items of a list, or of a comma separated string, trimmed; NULL at the end. */
struct items {
    const struct vnode *node, *item;
    const char *p;
    char word[600];
    bool too_long;
};
struct items items_of(const struct vnode *n);
const char *items_next(struct items *it);

/* The setters that need more than a few lines: conn_values.c. */
void set_addrs(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_proposals(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_ts(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_auth(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_id(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_ifname(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_prefixes(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_mode(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);

/* manual.c */
void set_addr(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_spi(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
/* secrets.c: never shows the value */
void set_key(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);

/* conn_pki.c: authentication with keys */
void set_certs(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_ca_id(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
/* auth = pubkey and the like; false: something else. */
bool auth_of_keys(struct cx *cx, const struct vnode *n, struct conn_auth *a);
/* A section cert<suffix> or cacert<suffix>; false: something else. */
bool cert_section(struct cx *cx, const struct vnode *sec, struct conn_auth *a);
void auth_id_of_cert(struct cx *cx, const struct vnode *sec, struct conn_auth *a, bool local);
/* The certificates that a value names (in a file) or is (in VICI), added to a list. */
void certs_of_value(struct cx *cx, const struct vnode *n, const char *dir, struct conn_cert **list,
                    size_t *count);

void cert_of_file(struct cx *cx, const struct vnode *n, const char *dir, struct conn_cert **list,
                  size_t *count);

/* What to say of a text that id_parse refused. */
const char *id_problem(const char *text);

/* conn_xauth.c */
void set_vips(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_names(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void set_string(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
bool conn_is_xauth(const struct vnode *sec);
/* Where a section local<suffix> or remote<suffix> belongs: the first round, or with auth = xauth
 * the second. NULL: reported. */
struct conn_auth *conn_xauth_place(struct cx *cx, const struct vnode *sec, struct conn *c,
                                   bool remote);
/* XAUTH without a first round: hybrid authentication. */
void conn_xauth_alone(struct cx *cx, struct conn *c, unsigned rounds[2]);
void conn_xauth_check(struct cx *cx, const struct vnode *sec, const struct conn *c);

/* conn_load.c: selectors that are not given. The end points themselves; with an interface of its
 * own (routed), where routes decide, everything, as far as IKEv1 can say it. */
void default_ts(struct ts_conf_list *l, bool routed, bool v1);

/* conn_load.c: selectors that mode = beet cannot have. */
void beet_check(struct cx *cx, const struct vnode *sec, const struct ts_list *local,
                const struct ts_list *remote);

/* conn_load.c: dscp beside copy_dscp; soft limits before hard ones, by the names of their keys. */
void dscp_check(struct cx *cx, const struct vnode *sec, const struct tunnel_rules *r);
void limits_check(struct cx *cx, const struct vnode *sec, const char *const key[3], uint64_t rekey,
                  uint64_t life, uint64_t rnd);

/* conn_v1.c: what IKEv1 cannot say */
void conn_v1_check(struct cx *cx, const struct vnode *sec, const struct conn *c);

/* daemon.c */
void set_lans(struct cx *cx, const struct row *r, const struct vnode *n, void *obj);
void daemon_from_tree(struct cx *cx, const struct vnode *sec, struct config_daemon *out);
