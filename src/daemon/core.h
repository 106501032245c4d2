/*
 * The daemon's parts, put together. Only the wiring knows this: main, core, load, control. The
 * parts do not know each other.
 */
#pragma once

#include "config/config.h"
#include "daemon/creds.h"
#include "daemon/datapath.h"
#include "daemon/ifaces.h"
#include "daemon/keylog.h"
#include "daemon/manual.h"
#include "daemon/names.h"
#include "daemon/policies.h"
#include "daemon/render.h"
#include "daemon/restore.h"
#include "daemon/runner.h"
#include "daemon/sinks.h"
#include "daemon/vips.h"
#include "daemon/waiting.h"

struct core {
    uv_loop_t *loop;
    struct config_daemon set;
    const char *config_path;
    struct keylog *keylog; /* NULL: keys are not exported */
    uint64_t started_wall_s;
    struct runner *runner;
    struct datapath *path;
    struct netlink *nl;
    struct policies *pol;
    struct vips *vips;
    struct restore *restore; /* NULL: the kernel does not tell what others change */
    struct manual *manual;
    struct ifaces *ifaces;
    struct names *names;
    struct creds *creds;
    struct sinks *sinks;
    struct vici_server *vici;
    struct waiting *waiting;      /* commands under way */
    uint64_t clear_in, clear_out; /* last seen counters of the guard */
    uv_prepare_t turn;            /* once before the loop waits, while something is to be settled */
    size_t crypto_told;           /* how much of cr_note is in the log */
    bool stopping;
    void (*stopped)(struct core *c); /* called when all SAs are gone after core_stop */
    const char *fatal;
};

/* Opens the engines and the network. On failure err->text names what is missing. */
err_t core_open(struct core *c, struct io_error *err) must_use;
void core_stop(struct core *c);  /* deletes all SAs, then calls stopped */
void core_close(struct core *c); /* closes handles; run the loop, then core_free */
void core_free(struct core *c);

/* Applies policies; a failure is logged. */
void core_settle(struct core *c);
/* A pair of SAs with its policy and its place in the log of keys. `ch`: its configuration, NULL:
 * unknown. */
err_t core_child_add(struct core *c, const struct child_sa *sa,
                     const struct conn_child *ch) must_use;
void core_child_del(struct core *c, uint32_t child_id);
void core_say(struct core *c, enum event_kind kind, const char *conn, const char *text);
struct render core_render(struct core *c);

/* load.c */
err_t core_load_file(struct core *c, struct diag *d, size_t *loaded, size_t *unloaded) must_use;
err_t core_load_conn(struct core *c, struct conn *conn,
                     struct io_error *err) must_use; /* takes conn over */
err_t core_unload_conn(struct core *c, const char *name) must_use;
void core_load_shared(struct core *c, struct shared *s); /* takes it over */
err_t core_load_pool(struct core *c, struct addr_pool *pool,
                     struct io_error *err) must_use; /* takes it over */
void core_name_ready(void *ctx, const char *host);

/* control*.c, updown.c */
extern const struct vici_command core_commands[];
extern const size_t core_command_count;
extern const char *const core_events[];
extern const size_t core_event_count;
void control_cmd_done(struct core *c, uint32_t cmd, err_t reason, const struct event *ev);
void control_client_gone(struct core *c, struct vici_client *client);
void updown_event(struct core *c, const struct event *ev);

#define HANDLER(name) void name(void *ctx, struct vici_request *rq)
HANDLER(control_initiate);
HANDLER(control_terminate);
HANDLER(control_rekey);
HANDLER(control_list_sas);
HANDLER(control_load_pool);
HANDLER(control_unload_pool);
HANDLER(control_get_pools);
HANDLER(control_keys);
HANDLER(control_load_cert);
HANDLER(control_list_certs);
HANDLER(control_clear_creds);
HANDLER(control_load_key);
HANDLER(control_unload_key);
HANDLER(control_get_keys);
HANDLER(control_load_token);
HANDLER(control_load_authority);
HANDLER(control_unload_authority);
HANDLER(control_get_authorities);
HANDLER(control_list_authorities);
HANDLER(control_load_sa);
HANDLER(control_unload_sa);
HANDLER(control_list_manual);
void reply_ok(struct vnode *reply);
void reply_no(struct vnode *reply, const char *fmt, ...) printf_like(2, 3);
void reply_diag(struct vnode *reply, const struct diag *d, const char *tail);
void say_warnings(struct core *c, const struct diag *d);
