/*
 * SAs by hand: a section sas.NAME of a file or of VICI's load-sa into struct manual_sa. RFC 4301
 * 4.5.1; what is inherently dangerous about it says RFC 8221 3. Called by load.c and the daemon.
 */
#include "config/schema.h"
#include <errno.h>
#include <stdlib.h>

#define SPI_MIN     256 /* RFC 4303 2.1: 1 to 255 are IANA's */
#define CPI_DEFLATE 2   /* RFC 3173 3.3: below 64 the algorithm's number, below 256 nothing */

void set_addr(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    struct addr *a = (struct addr *)(void *)((char *)obj + r->off);
    if (!addr_parse(a, n->value) || addr_any(a))
        cx_report(cx, DIAG_ERROR, n, n->value, "expected one address");
}

static bool decimal_or_hex(const char *text, unsigned long long *v)
{
    bool hex = !strncmp(text, "0x", 2);
    const char *digits = text + (hex ? 2 : 0);
    char *end;
    errno = 0;
    *v = strtoull(digits, &end, hex ? 16 : 10);
    return strspn(digits, "0123456789abcdefABCDEF") == strlen(digits) && *digits && !*end && !errno;
}

void set_spi(struct cx *cx, const struct row *r, const struct vnode *n, void *obj)
{
    void *at = (char *)obj + r->off;
    bool cpi = r->size == sizeof(uint16_t);
    unsigned long long v;
    bool ok = decimal_or_hex(n->value, &v) && v <= (cpi ? UINT16_MAX : UINT32_MAX) &&
              (v >= SPI_MIN || (cpi && v == CPI_DEFLATE));
    if (!ok)
        cx_report(cx, DIAG_ERROR, n, n->value,
                  cpi ? "expected a CPI: 2, or 0x100 to 0xffff"
                      : "expected an SPI: 0x100 to 0xffffffff");
    else if (cpi)
        *(uint16_t *)at = (uint16_t)v;
    else
        *(uint32_t *)at = (uint32_t)v;
}

/* --- what belongs together --- */

static void need(struct cx *cx, const struct vnode *sec, const char *key)
{
    if (!has_key(sec, key))
        cx_report(cx, DIAG_ERROR, sec, NULL, "%s is missing", key);
}

static void check_ends(struct cx *cx, const struct vnode *sec, const struct manual_sa *m)
{
    static const char *const needed[] = {"local", "remote", "spi_in", "spi_out"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        need(cx, sec, needed[i]);
    if (m->local.addr.family && m->remote.addr.family &&
        m->local.addr.family != m->remote.addr.family)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "remote"), vnode_get(sec, "remote"),
                  "local and remote are not of the same address family");
}

static size_t count_of(const struct proposal *p, uint8_t type)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        n += p->t[i].type == type;
    return n;
}

static bool one_of_each(struct cx *cx, const struct vnode *sec, const char *key,
                        const struct proposals *ps)
{
    const struct proposal *p = &ps->p[0];
    const struct vnode *at = key_or_section(sec, key);
    if (!ps->count)
        return true;
    bool one = count_of(p, T_ENCR) <= 1 && count_of(p, T_INTEG) <= 1 && count_of(p, T_ESN) <= 1;
    if (!one)
        cx_report(cx, DIAG_ERROR, at, NULL, "nothing is negotiated: name one algorithm of a kind");
    if (count_of(p, T_KE))
        cx_report(cx, DIAG_ERROR, at, NULL, "a key exchange has no place where keys are given");
    return one;
}

static bool check_proposals(struct cx *cx, const struct vnode *sec, const struct manual_sa *m)
{
    if (m->esp.count > 1 || m->ah.count > 1 || m->esp.count + m->ah.count == 0) {
        cx_report(cx, DIAG_ERROR, sec, NULL,
                  "esp_proposals or ah_proposals is needed, or both, with one proposal each");
        return false;
    }
    bool one = one_of_each(cx, sec, "esp_proposals", &m->esp);
    return one_of_each(cx, sec, "ah_proposals", &m->ah) && one;
}

static void check_key(struct cx *cx, const struct vnode *sec, const char *key, const struct alg *a,
                      size_t have)
{
    size_t want = a ? (size_t)a->key_len + a->salt_len : 0;
    if (have == want)
        return;
    if (!want)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, key), NULL,
                  "the algorithms have no use for %s", key);
    else if (!have)
        cx_report(cx, DIAG_ERROR, sec, NULL, "%s is missing: %s takes %zu bytes", key, a->name,
                  want);
    else
        cx_report(cx, DIAG_ERROR, key_or_section(sec, key), NULL,
                  "%s takes a key of %zu bytes%s; %s has %zu", a->name, want,
                  a->salt_len ? ", the salt at its end" : "", key, have);
}

/* RFC 2401 4.3: two SAs in each direction, each with its own SPI and key */
static void check_bundle(struct cx *cx, const struct vnode *sec, const struct manual_sa *m)
{
    static const char *const spis[] = {"ah_spi_in", "ah_spi_out"};
    const struct proposal *ah = manual_sa_bundle(m);
    const struct alg *integ = ah ? proposal_alg(ah, T_INTEG) : NULL;
    for (size_t i = 0; i < 2; i++)
        if (ah)
            need(cx, sec, spis[i]);
        else if (has_key(sec, spis[i]))
            cx_report(cx, DIAG_ERROR, key_or_section(sec, spis[i]), NULL,
                      "%s is of AH around ESP: give both esp_proposals and ah_proposals", spis[i]);
    check_key(cx, sec, "ah_auth_in", integ, m->bundle.in.n);
    check_key(cx, sec, "ah_auth_out", integ, m->bundle.out.n);
    if (ah && m->bundle.spi_in == m->spi_in)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "ah_spi_in"), vnode_get(sec, "ah_spi_in"),
                  "spi_in is the same; what we receive has one table of SPIs (RFC 4301 4.1)");
}

static void check_keys(struct cx *cx, const struct vnode *sec, const struct manual_sa *m)
{
    const struct proposal *p = manual_sa_proposal(m);
    const struct alg *encr = proposal_alg(p, T_ENCR), *integ = proposal_alg(p, T_INTEG);
    check_key(cx, sec, "key_in", encr, m->in.encr.n);
    check_key(cx, sec, "key_out", encr, m->out.encr.n);
    check_key(cx, sec, "auth_in", integ, m->in.integ.n);
    check_key(cx, sec, "auth_out", integ, m->out.integ.n);
    check_bundle(cx, sec, m);
    if (encr && encr->iv_len && encr->block == 1)
        cx_report(cx, DIAG_WARNING, key_or_section(sec, "esp_proposals"), encr->name,
                  "RFC 8221 3 says MUST NOT with keys by hand: after a restart nonces repeat under "
                  "the same key, which breaks it, unless seq_out goes on behind the last one; "
                  "aes128-sha256 does not suffer from that");
}

/* What goes around the packet, and what is in it. */
static void check_kinds(struct cx *cx, const struct vnode *sec, const struct manual_sa *m)
{
    if (m->ah.count && m->encap)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "encap"), vnode_get(sec, "encap"),
                  "AH covers the addresses and does not go in UDP (RFC 3715 2.1)");
    if (!m->cpi_in != !m->cpi_out)
        need(cx, sec, m->cpi_in ? "cpi_out" : "cpi_in");
}

/* RFC 4301 4.1: what a packet in transport mode does not carry is the address of an end. */
static void check_transport(struct cx *cx, const struct vnode *sec, const char *key,
                            const struct ts_list *l, const struct addr *end)
{
    for (size_t i = 0; i < l->count; i++) {
        if (addr_eq(&l->ts[i].lo, end) && addr_eq(&l->ts[i].hi, end))
            continue;
        cx_report(cx, DIAG_ERROR, key_or_section(sec, key), vnode_get(sec, key),
                  "transport mode joins the two ends themselves: leave %s away (dynamic), or use "
                  "mode = tunnel for others",
                  key);
        return;
    }
}

static void check_selectors(struct cx *cx, const struct vnode *sec, const struct manual_sa *m)
{
    struct ts_list l, r;
    ts_resolve(&m->local_ts, &m->local.addr, &l);
    ts_resolve(&m->remote_ts, &m->remote.addr, &r);
    if (m->mode == MODE_BEET)
        beet_check(cx, sec, &l, &r);
    if (m->mode == MODE_TRANSPORT) {
        check_transport(cx, sec, "local_ts", &l, &m->local.addr);
        check_transport(cx, sec, "remote_ts", &r, &m->remote.addr);
    }
    for (size_t i = 0; i < l.count; i++)
        for (size_t k = 0; k < r.count; k++)
            if (l.ts[i].lo.family == r.ts[k].lo.family)
                return;
    cx_report(cx, DIAG_ERROR, key_or_section(sec, "remote_ts"), vnode_get(sec, "remote_ts"),
              "local_ts and remote_ts have no address family in common");
}

/* RFC 4303 2.2.1: numbers have 32 bits without ESN, and the last one is not followed by another. */
static void check_seq(struct cx *cx, const struct vnode *sec, const struct manual_sa *m)
{
    struct child_sa sa;
    manual_sa_child(m, &sa);
    bool esn = sa.esn && (sa.ah.esn || !sa.ah.integ);
    if (!esn && m->seq_out >= UINT32_MAX)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "seq_out"), vnode_get(sec, "seq_out"),
                  "no number is left under these keys; give new ones");
    if (!esn && m->seq_in > UINT32_MAX)
        cx_report(cx, DIAG_ERROR, key_or_section(sec, "seq_in"), vnode_get(sec, "seq_in"),
                  "without esn there are no numbers above 4294967295");
}

static void check_limits(struct cx *cx, const struct vnode *sec, const struct lifetime *l)
{
    static const char *const times[] = {"rekey_time", "life_time", NULL};
    static const char *const bytes[] = {"rekey_bytes", "life_bytes", NULL};
    static const char *const packets[] = {"rekey_packets", "life_packets", NULL};
    limits_check(cx, sec, times, l->rekey_s, l->life_s, 0);
    limits_check(cx, sec, bytes, l->rekey_bytes, l->life_bytes, 0);
    limits_check(cx, sec, packets, l->rekey_packets, l->life_packets, 0);
}

static void fill_in(struct cx *cx, const struct vnode *sec, struct manual_sa *m)
{
    size_t before = cx->d->errors;
    schema_apply(cx, SC_MANUAL, sec, m);
    if (cx->d->errors != before)
        return; /* what follows would only repeat it */
    default_ts(&m->local_ts, false, false);
    default_ts(&m->remote_ts, false, false);
    check_ends(cx, sec, m);
    if (cx->d->errors == before)
        check_selectors(cx, sec, m);
    check_kinds(cx, sec, m);
    check_limits(cx, sec, &m->life);
    dscp_check(cx, sec, &m->ip);
    if (check_proposals(cx, sec, m)) {
        check_keys(cx, sec, m);
        check_seq(cx, sec, m);
    }
}

err_t config_manual_from_tree(const struct vnode *sec, struct manual_sa **out, struct diag *d)
{
    struct cx cx = {d};
    size_t before = d->errors;
    *out = NULL;
    struct manual_sa *m = manual_sa_new(sec->name);
    if (!m)
        return E_NOMEM;
    fill_in(&cx, sec, m);
    if (d->errors == before && !d->nomem) {
        *out = m;
        return E_OK;
    }
    manual_sa_free(m);
    return d->nomem ? E_NOMEM : R_CONFIG_VALUE;
}
