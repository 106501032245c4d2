/*
 * For tests: two engines in one process on a wire that keeps order, with a clock that only moves
 * when told. Jobs run at once; what the data plane would hold is recorded.
 */
#pragma once

#include "base/buf.h"
#include "culvert/ike.h"

#define PAIR_CHILDREN 80
#define PAIR_EVENTS   1024
#define PAIR_CMDS     32

struct pair_child {
    uint32_t id, replaces, spi_in, spi_out;
    char child[16]; /* its name */
    uint8_t proto, mode, dirs;
    bool encap, per_cpu, later_frags;
    uint8_t cpu;
    const struct alg *integ;
    uint8_t key_in[128], key_out[128];
    size_t in_n, out_n;
    struct endpoint local, remote;
    uint16_t cpi_in, cpi_out;
    struct {
        uint32_t spi_in, spi_out; /* 0: no bundle */
        const struct alg *integ;
        bool esn;
        uint8_t in[64], out[64];
    } ah;
    struct addr oa_local, oa_remote;
    struct ts_list local_ts, remote_ts;
};

struct pair_event {
    enum event_kind kind;
    err_t reason;
    char what[48], ours[256], theirs[256], hint[256];
};

struct pair;

struct side {
    struct pair *pair;
    struct ike *e;
    struct endpoint ep;
    uint64_t rng;
    uint32_t next_spi;
    int spis;  /* reserved or installed */
    int quiet; /* replaced, and receiving what is late */
    uint64_t wake;
    struct pair_child child[PAIR_CHILDREN];
    size_t child_count;
    struct pair_event event[PAIR_EVENTS];
    size_t event_count;
    struct {
        uint32_t cmd;
        err_t reason;
    } done[PAIR_CMDS];
    char done_hint[512], done_ours[256]; /* evidence of the last */
    size_t done_count, keepalives, acquires_failed;
    bool dead;           /* packets to it vanish, its time stands still */
    struct ike_job *job; /* away, with keep_jobs */
    int vips;            /* virtual addresses installed, counted */
    struct addr vip;     /* the last */
    uint64_t traffic_ms;
};

struct pair_packet {
    struct pair_packet *next;
    bool to_a;
    bool natt;
    struct endpoint local, remote; /* as the receiver sees them */
    size_t n;
    uint8_t p[];
};

struct pair {
    struct side a, b;
    uint64_t now;
    struct pair_packet *first, *last;
    bool nat_a;        /* a hides behind 203.0.113.1 */
    uint16_t nat_port; /* added to a's ports */
    size_t sent;
    bool (*lose)(struct pair *p, bool to_a, struct bytes msg);
    bool hold;      /* packets wait in the queue */
    bool keep_jobs; /* a job of signatures waits in its side for pair_job_back */
};

void pair_init(struct pair *p, const struct ike_settings *s); /* NULL: the defaults */
void pair_fini(struct pair *p);
/* "conn" with one child "net" between both; words may be NULL for defaults. */
struct conn *pair_conn(const struct side *me, const struct side *peer, const char *ike,
                       const char *esp);
void pair_load(struct side *s, struct conn *c); /* takes the reference */
void pair_psk(struct side *s, const char *secret);
void pair_pki(struct side *s, struct pki *p); /* takes the reference */
void pair_job_back(struct side *s);
void pair_step(struct side *s, struct ike_in *in);
void pair_run(struct pair *p);               /* until the wire is empty */
void pair_pass(struct pair *p, uint64_t ms); /* time, with every timer and packet */
bool pair_deliver(struct pair *p);           /* the next packet of the wire; false: none */
void pair_initiate(struct side *s, const char *conn, const char *child, uint32_t cmd);
struct pair_child *pair_child_find(struct side *s, uint32_t id);
size_t pair_events(const struct side *s, enum event_kind k);
const struct pair_event *pair_event_last(const struct side *s, enum event_kind k);
err_t pair_result(const struct side *s, uint32_t cmd); /* E_AGAIN: not done */
size_t pair_sas(const struct side *s);
