/*
 * What the targets of both IKE versions share: reading the fuzzer's bytes, and the play that they
 * direct between two engines. Included by ike_v1.c and ike_v2.c.
 */
#pragma once

#include "ike/pair.h"
#include "pki_files.h"
#include <stdlib.h>

#define SAS_MAX   64
#define CHAIN_MAX 1024
#define ACTS_MAX  12

struct acts {
    void (*clear)(struct pair *p, struct rd *r, uint8_t arg);  /* any bytes as a datagram */
    void (*sealed)(struct pair *p, struct rd *r, uint8_t arg); /* as an SA's own message */
    void (*command)(struct pair *p, uint8_t arg);
};

/* Both sides prove themselves by ECDSA, which is made quickly. */
static struct conn *by_key(struct conn *c, bool a)
{
    c->auth_local.kind = c->auth_remote.kind = AUTH_PUBKEY;
    if (!id_parse(&c->auth_local.id, a ? "gwa.example" : "gwb.example") ||
        !id_parse(&c->auth_remote.id, a ? "gwb.example" : "gwa.example"))
        abort();
    return c;
}

static void give_keys(struct pair *p)
{
    static struct pki *a, *b;
    static const char *const ca[] = {"ca.pem", NULL};
    static const char *const at_a[] = {"gwa-ec256.pem", "gwa-ec256.key", NULL};
    static const char *const at_b[] = {"gwb-ec256.pem", "gwb-ec256.key", NULL};
    a = a ? a : pki_of_files(ca, at_a);
    b = b ? b : pki_of_files(ca, at_b);
    pair_pki(&p->a, pki_ref(a));
    pair_pki(&p->b, pki_ref(b));
}

static uint8_t take(struct rd *r)
{
    return rd_left(r) ? rd_u8(r) : 0;
}

static struct bytes rest(struct rd *r)
{
    size_t n = (size_t)take(r) << 2;
    n = n < rd_left(r) ? n : rd_left(r);
    return rd_bytes(r, n);
}

static void deliver(struct side *to, struct bytes msg, bool natt)
{
    struct side *from = to == &to->pair->a ? &to->pair->b : &to->pair->a;
    struct ike_in in = {.kind = IN_PACKET, .local = to->ep, .remote = from->ep, .natt = natt};
    uint8_t *copy = malloc(msg.n + 1); /* exact, so that reading beyond shows */
    if (copy && msg.n)
        memcpy(copy, msg.p, msg.n);
    in.data = bytes_of(copy, msg.n);
    if (copy)
        pair_step(to, &in);
    free(copy);
}

static void bounded(const struct side *s)
{
    struct ike_stats st;
    ike_stats_get(s->e, &st);
    if (st.ike_sas > SAS_MAX || s->spis < 0 || s->child_count + (size_t)s->quiet > SAS_MAX)
        abort();
}

static void act(struct pair *p, struct rd *r, const struct acts *a)
{
    uint8_t op = take(r), arg = take(r);
    switch (op % 8) {
    case 0:
        a->clear(p, r, arg);
        break;
    case 1:
    case 2:
    case 3:
        a->sealed(p, r, arg);
        break;
    case 4:
        a->command(p, arg);
        break;
    case 5:
        pair_pass(p, (uint64_t)arg * 100);
        break;
    case 6:
        pair_deliver(p);
        break;
    default:
        pair_run(p);
    }
}

/* To the end; p goes with it. */
static void play(struct pair *p, struct rd *r, const struct acts *a)
{
    for (int i = 0; i < ACTS_MAX && rd_left(r); i++) {
        act(p, r, a);
        bounded(&p->a);
        bounded(&p->b);
    }
    pair_pass(p, 200000);
    pair_fini(p);
    free(p);
}
