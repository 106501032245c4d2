/*
 * The slow parts of exchanges as JOBs: Diffie-Hellman, signatures (sig.h). A job names its SA and
 * exchange by number, never by pointer: whoever asked may be gone when it returns.
 */
#pragma once

#include "crypto/crypto.h"
#include "culvert/ike.h"

enum job_kind {
    JOB_KE_NEW,    /* our private and public value */
    JOB_KE_DERIVE, /* the shared secret, from `ke` and `peer` */
    JOB_KE_BOTH,   /* a responder's: first the one, then the other */
    JOB_SIGN,      /* our signature */
    JOB_VERIFY,    /* the peer's, and its certificates */
};

struct ike_job {
    enum job_kind kind;
    uint32_t ike_id, exch;
    uint64_t half; /* or our SPI of a half-open SA; 0: none */
    uint16_t method;
    struct cr_ke *ke;
    struct secret peer, shared;
    struct sig_work *sig; /* SIGN, VERIFY */
    err_t err;            /* R_KE_VALUE: the peer's value is bad */
};

struct ike_job *job_new(enum job_kind kind, uint32_t ike_id, uint32_t exch,
                        uint16_t method) must_use;
