/*
 * What a connection's algorithms want of the crypto room, before the connection is taken: that
 * there is an implementation (Blowfish and CAST are in OpenSSL's legacy provider, which is loaded
 * here and may be missing), and the self-tests of ipsec-mb, so that no packet waits for them.
 * Called by load.c.
 */
#include "daemon/suites.h"
#include "crypto/crypto.h"
#include <stdio.h>

static const struct alg *row(const struct transform *t)
{
    return alg_find((enum transform_type)t->type, t->id, t->key_bits);
}

static err_t check(const struct conn *conn, const struct proposals *ps, struct io_error *err)
{
    for (size_t i = 0; i < ps->count; i++)
        for (size_t k = 0; k < ps->p[i].count; k++) {
            const struct alg *a = row(&ps->p[i].t[k]);
            if (!a || cr_has(a))
                continue;
            snprintf(err->text, sizeof err->text,
                     "%s: this OpenSSL has no %s (its legacy provider is wanted: legacy.so)",
                     conn->name, a->name);
            return E_NOTSUP;
        }
    return E_OK;
}

err_t suites_check(const struct conn *conn, struct io_error *err)
{
    err_t e = check(conn, &conn->ike, err);
    for (size_t i = 0; i < conn->child_count && !e; i++)
        e = check(conn, &conn->child[i].esp, err);
    return e;
}

/* Every cipher with every integrity algorithm of the proposal; AH's go with the NULL cipher. */
static void prepare(const struct proposal *p)
{
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < p->count; k++) {
            const struct alg *a = row(&p->t[i]), *b = row(&p->t[k]);
            if (!a || !b)
                continue;
            if (i == k && a->aead)
                cr_esp_prepare(a, NULL);
            else if (p->proto == PROTO_AH && i == k && a->type == T_INTEG)
                cr_esp_prepare(alg_find(T_ENCR, ENCR_NULL, 0), a);
            else if (a->type == T_ENCR && !a->aead && b->type == T_INTEG)
                cr_esp_prepare(a, b);
        }
}

void suites_prepare(const struct conn *conn)
{
    for (size_t i = 0; i < conn->child_count; i++)
        for (size_t k = 0; k < conn->child[i].esp.count; k++)
            prepare(&conn->child[i].esp.p[k]);
}

void suites_tell(struct core *c)
{
    const char *note = cr_note();
    size_t n = note ? strlen(note) : 0;
    if (n > c->crypto_told)
        core_say(c, EV_DAEMON_ERROR, NULL, note);
    c->crypto_told = n;
}
