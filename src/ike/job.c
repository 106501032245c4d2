/* Slow work: see job.h. Called by the engine; ike_job_run in any thread. */
#include "ike/job.h"
#include "ike/sig.h"
#include <stdlib.h>

struct ike_job *job_new(enum job_kind kind, uint32_t ike_id, uint32_t exch, uint16_t method)
{
    struct ike_job *j = calloc(1, sizeof *j);
    if (j)
        *j = (struct ike_job){.kind = kind, .ike_id = ike_id, .exch = exch, .method = method};
    return j;
}

static void key_exchange(struct ike_job *j)
{
    if (j->kind != JOB_KE_DERIVE)
        j->err = cr_ke_new(j->method, &j->ke);
    if (!j->err && j->kind != JOB_KE_NEW)
        j->err = cr_ke_derive(j->ke, secret_bytes(&j->peer), &j->shared);
}

void ike_job_run(struct ike_job *j)
{
    if (!j->sig)
        key_exchange(j);
    else if (j->kind == JOB_SIGN)
        sig_sign(j->sig);
    else
        sig_verify(j->sig);
}

bool ike_job_quick(const struct ike_job *j)
{
    return j->sig ? sig_quick(j->sig) : j->method == KE_CURVE25519 || j->method == KE_ECP_256;
}

void ike_job_free(struct ike_job *j)
{
    if (!j)
        return;
    if (j->ke)
        cr_ke_free(j->ke);
    secret_free(&j->peer);
    secret_free(&j->shared);
    sig_work_free(j->sig);
    free(j);
}
