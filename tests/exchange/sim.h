/*
 * Two IKE engines on a simulated network and clock: latency, loss, duplication, reordering, a NAT,
 * and a model of the data plane that notices a packet nobody can decrypt. Everything follows from
 * one seed.
 */
#pragma once

#include <culvert/ike.h>

enum { A, B, NODES };

struct sim_net {
    unsigned loss_pct, dup_pct;
    uint32_t latency_min_ms, latency_max_ms; /* a random one in between: reordering */
    uint32_t esp_latency_max_ms;             /* more than latency_min_ms: ESP comes late */
    bool nat;                                /* A is behind a NAT */
    unsigned hostile_pct; /* besides each datagram come this many damaged copies of it */
    bool cut;             /* nothing passes */
    int drop_index;       /* drops this message, counted from 0; -1: none */
};

struct sim_child {
    uint32_t id, spi_in, spi_out;
    uint8_t dirs;
    uint64_t out_order;              /* when its outbound direction was installed */
    bool announced, replaces, quiet; /* quiet: replaced, receives what is late */
    char name[32];
    uint8_t key_in[64], key_out[64];
    uint32_t ah_in, ah_out; /* SPIs of the AH around it, 0: none */
    uint8_t ah_key_in[64], ah_key_out[64];
    uint64_t last_in_ms, packets_in;
};

#define SIM_CHILDREN_MAX 256
#define SIM_SPIS_MAX     1024

struct sim_node {
    struct ike *ike;
    struct endpoint at; /* port 500 */
    uint64_t wake_ms;
    struct sim_child child[SIM_CHILDREN_MAX];
    size_t children;
    uint32_t spi[SIM_SPIS_MAX]; /* reserved and not given back */
    size_t spis;
    uint32_t next_spi;
    unsigned cmds_open, cmds_ok, cmds_failed;
    err_t last_reason;
    unsigned count[EV_COUNT]; /* events seen */
    err_t refused;            /* reason of the last EV_REFUSED or EV_PEER_REFUSED */
    char what[64];
    int vips;  /* virtual addresses that the host has, counted */
    bool dead; /* vanished: hears and says nothing */
};

struct sim_item;

struct sim {
    struct sim_node node[NODES];
    struct sim_net net;
    uint64_t now_ms, rng;
    struct sim_item *queue; /* sorted by time */
    uint64_t order;
    int sent;     /* datagrams so far */
    bool traffic; /* ESP in both directions every 100 ms */
    uint64_t esp_sent, esp_lost;
    unsigned jobs;
    /* Sees every action as it is carried out: a data plane beside the model of one. NULL: none. */
    void (*watch)(struct sim *s, int node, const struct ike_act *a);
    void *watcher;
    char failure[256]; /* first violation */
};

extern bool sim_trace; /* prints messages and events as they pass */

void sim_init(struct sim *s, uint64_t seed, const struct ike_settings *set);
void sim_fini(struct sim *s);
uint32_t sim_random(struct sim *s, uint32_t below);
void sim_feed(struct sim *s, int node, struct ike_in *in);
void sim_run(struct sim *s, uint64_t ms); /* this much simulated time */
void sim_fail(struct sim *s, const char *fmt, ...) printf_like(2, 3);

void sim_load(struct sim *s, int node, struct conn *c); /* takes the reference */
void sim_psk(struct sim *s, int node, const char *secret);
void sim_pki(struct sim *s, int node, struct pki *store); /* borrowed */
void sim_login(struct sim *s, int node, const char *user, const char *password);
void sim_initiate(struct sim *s, int node, const char *child);
void sim_terminate(struct sim *s, int node, const char *conn, const char *child);
void sim_rekey(struct sim *s, int node, const char *conn, const char *child);
size_t sim_ike_count(struct sim *s, int node, const char *state); /* NULL: any state */

/* Both sides hold the same SAs, none half open, nothing leaked, nothing outstanding. */
void sim_check_settled(struct sim *s);
