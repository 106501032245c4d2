/*
 * A pair of IPsec SAs and its policy by hand, without IKE: RFC 4301 4.5.1. As an operator writes
 * it; read by config, installed by the daemon.
 */
#pragma once

#include "base/secret.h"
#include "model/child_sa.h"

struct manual_sa {
    char *name;
    struct endpoint local, remote; /* ports count with encap */
    bool encap;
    uint8_t mode; /* enum ipsec_mode */
    uint32_t spi_in, spi_out;
    struct proposals esp, ah; /* one algorithm of each type; both: AH around ESP */
    bool esp_default, ah_default;
    struct child_keys in, out; /* for AH alone integ */
    struct child_ah bundle;    /* SPIs and keys of AH around ESP; `ah` says the rest */
    uint16_t cpi_in, cpi_out;  /* IPComp, 0: none */
    struct ts_conf_list local_ts, remote_ts;
    uint32_t replay_window, priority;
    uint64_t seq_in, seq_out; /* highest numbers of these keys so far: where to go on from */
    struct lifetime life;     /* nobody rekeys: what is soft is told */
    struct tunnel_rules ip;
};

struct manual_sa *manual_sa_new(const char *name) must_use;
void manual_sa_free(struct manual_sa *m);

/* Nothing differs, keys included, but where the sequence numbers begin. */
bool manual_sa_eq(const struct manual_sa *a, const struct manual_sa *b);
/* What we send would be under the same key with the same SPI. */
bool manual_sa_same_key(const struct manual_sa *a, const struct manual_sa *b);
/* The one proposal, of a bundle ESP's; and AH's of a bundle, else NULL. */
const struct proposal *manual_sa_proposal(const struct manual_sa *m);
const struct proposal *manual_sa_bundle(const struct manual_sa *m);
/* As the data plane takes it; borrows names and keys. id, policy and dirs are the caller's. */
void manual_sa_child(const struct manual_sa *m, struct child_sa *out);
