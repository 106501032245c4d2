/* What the scenarios share: two configured sides, networks from fine to awful, and how a life ends.
 */
#pragma once

#include "sim.h"

struct setup {
    const char *ike[NODES], *esp[NODES], *ah[NODES]; /* ah: around ESP, IKEv1 alone */
    const char *remote_ts[NODES], *local_ts[NODES];
    uint64_t rekey_ike_s, rekey_child_s;
    enum dpd_action dpd_action;
    unsigned children;
    uint8_t version; /* 0: 2 */
    bool aggressive;
    bool travel, push;    /* A asks for a virtual address, or is told it, and with IKEv1 logs in */
    const char *password; /* A's, if it is not the right one */
    enum ipsec_mode mode; /* of the first child, with selectors to match */
    uint16_t fragment_size; /* 0: the usual one */
    /* tests/vectors/pki: certificate and key ("gwa"), authority ("ca" by default); no key: by a
     * pre-shared one. Identities are those of the certificates unless id says otherwise. */
    const char *key[NODES], *ca[NODES], *id[NODES];
};

extern const struct setup plain;

struct conn *conn_of(const struct sim *s, const struct setup *x, int node);
/* net NULL: the simulator's own. */
void set_up(struct sim *s, uint64_t seed, const struct setup *x, const struct sim_net *net);
void establish(struct sim *s, uint64_t seed, const struct setup *x);
struct sim_net bad_net(uint64_t seed); /* somewhere between fine and awful */
void heal(struct sim *s);              /* the network gets well; everything settles */
void settled_v1(struct sim *s);        /* heal for lives with IKEv1, after its lifetimes */
void want(struct sim *s, bool ok, const char *what);
void one_tunnel(struct sim *s);
void expect_refusal(struct sim *s, int node, err_t reason, const char *what);

struct scenario {
    const char *name;
    void (*run)(struct sim *s, uint64_t seed);
    unsigned runs;
};
/* lives_v1.c, lives_sig.c, lives_travel.c, lives_seq.c; each ends with a row without name */
extern const struct scenario scenarios_v1[], scenarios_sig[], scenarios_travel[], scenarios_seq[];
