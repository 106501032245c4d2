/*
 * The packets' way through the daemon: the workers, and the main thread's own sockets on the loop.
 * What the rest of the daemon knows of workers ends here: it sees one data plane. Called by core.c
 * from the main thread; hands IKE messages and notes to its owner there.
 */
#pragma once

#include <culvert/dataplane.h>
#include <culvert/ike.h>
#include <uv.h>
#include "daemon/owners.h"
#include "daemon/lan_table.h"
#include "io/esp_port.h"
#include "io/lan_port.h"

struct datapath;

struct datapath_settings {
    uint32_t workers; /* 0: as many as CPUs */
    uint32_t busy_poll_us;
    const char *tun;
    unsigned tun_mtu;
    uint16_t port, port_natt;
    uint32_t mark, route_table;
    enum esp_io esp_io;
    const char *esp_interface; /* "": none */
    struct lan_settings lan;   /* without tun and mtu */
    struct dp_settings dp;     /* of each worker */
};

struct datapath_ports {
    void *ctx;
    size_t (*first)(void *ctx, const struct ike_in *in, uint8_t *answer); /* ike_cookie_reply */
    void (*ike)(void *ctx, const struct endpoint *local, const struct endpoint *remote, bool natt,
                struct bytes msg);
    void (*note)(void *ctx, const struct dp_note *n);
    void (*lost)(void *ctx, const char *text); /* the TUN device is gone: no way to go on */
    void (*say)(void *ctx, const char *text);  /* a line for the log */
};

/* On failure err->text names what is missing and the way out. */
struct datapath *datapath_open(uv_loop_t *loop, const struct datapath_settings *s,
                               const struct datapath_ports *ports, struct io_error *err) must_use;
void datapath_close(struct datapath *d); /* ends the workers, closes handles; run the loop, free */
void datapath_free(struct datapath *d);

int datapath_ifindex(const struct datapath *d);
const char *datapath_offloads(const struct datapath *d); /* one line for the log */
/* The LAN interfaces take what the routes lead into the TUN device. */
struct lan_follower datapath_follower(struct datapath *d);

/* An IKE message or keepalive. R_UNREACHABLE when the kernel has no way for it. */
err_t datapath_send(struct datapath *d, const struct endpoint *local, const struct endpoint *remote,
                    bool natt, struct bytes data, bool keepalive) must_use;

/*
 * Interfaces of children (struct policy's `iface`): a TUN device each, served by one worker, who
 * has all SAs of it.
 */
err_t datapath_iface_add(struct datapath *d, uint16_t id, const char *name, unsigned mtu,
                         int *ifindex, struct io_error *err) must_use;
void datapath_iface_del(struct datapath *d, uint16_t id);

/*
 * The control calls of dataplane.h, each to the worker it concerns. The SPI says where an SA will
 * be.
 */
uint32_t datapath_spi_alloc(struct datapath *d, const struct owners_use *use);
void datapath_spi_free(struct datapath *d, uint32_t spi);
err_t datapath_child_add(struct datapath *d, const struct child_sa *sa) must_use;
err_t datapath_child_dir(struct datapath *d, uint32_t child_id, enum child_dir dir) must_use;
/* As dp_child_quiet and dp_child_del. */
uint32_t datapath_child_quiet(struct datapath *d, uint32_t child_id);
uint32_t datapath_child_del(struct datapath *d, uint32_t child_id);
err_t datapath_child_move(struct datapath *d, uint32_t child_id, const struct endpoint *local,
                          const struct endpoint *remote) must_use;
/* What route and interface carry toward its peer now. */
err_t datapath_child_mtu(struct datapath *d, uint32_t child_id, uint16_t mtu) must_use;
uint16_t datapath_iface_mtu(struct datapath *d, uint16_t iface); /* dp_iface_mtu */
bool datapath_child_stats(struct datapath *d, uint32_t child_id, struct child_stats *out);
/* Calls fn with each worker's data plane while it works on no packets; ends at the first failure.
 */
err_t datapath_each(struct datapath *d, err_t (*fn)(void *arg, struct dp *dp), void *arg) must_use;
void datapath_hold_drop(struct datapath *d, uint32_t policy_id);

struct datapath_stats {
    struct dp_stats dp;     /* sums over the workers */
    uint64_t tx_failed;     /* packets that the kernel did not take */
    uint64_t rx_dropped;    /* packets that it dropped because we were too slow */
    uint64_t handed, taken; /* by another worker than the one that read them */
    int cpu;                /* of one worker: where it is pinned, -1: nowhere */
};
void datapath_stats(struct datapath *d, struct datapath_stats *out);
uint32_t datapath_workers(const struct datapath *d);
void datapath_worker_stats(struct datapath *d, uint32_t worker, struct datapath_stats *out);
