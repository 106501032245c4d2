/*
 * Who we are: the certificate, chain and private key that a connection and a peer's requests ask
 * for, and the authorities that we name in ours (RFC 7296 3.6, 3.7; RFC 4945 3.2). Called by the
 * IKE engine.
 */
#include "pki/store.h"
#include <stdio.h>

static bool hash_asked(const struct pki_wish *w, const struct pki_cert *c)
{
    for (size_t at = 0; c->key && at + 20 <= w->hashes.n; at += 20)
        if (!memcmp(w->hashes.p + at, cr_key_info(c->key)->spki, 20))
            return true;
    return false;
}

static bool name_asked(const struct pki_wish *w, const struct pki_cert *c)
{
    for (size_t i = 0; i < w->name_count; i++)
        if (bytes_eq(w->names[i], c->subject))
            return true;
    return false;
}

/* The way up, as far as we know it; gives its length without the root. */
static size_t way_up(const struct pki *p, struct pki_cert *leaf,
                     struct pki_cert *way[PKI_CHAIN_MAX], bool *asked, const struct pki_wish *w)
{
    size_t n = 0;
    *asked = false;
    for (struct pki_cert *c = leaf; c && n < PKI_CHAIN_MAX; c = store_issuer_of(p, c)) {
        *asked = *asked || hash_asked(w, c) || name_asked(w, c);
        if (c->self && c != leaf)
            break;
        way[n++] = c;
    }
    return n;
}

struct choice {
    const struct pki *p;
    const struct pki_wish *wish;
    struct pki_own *out;
    int rank;
    size_t without_key, other_kind; /* certificates that fell out because of that */
    const char *name;               /* of one of them */
};

static bool kind_fits(const struct pki_wish *w, const struct cr_key_info *i)
{
    return (!w->type || w->type == i->type) && (!w->bits || w->bits == i->bits);
}

static void consider(struct choice *ch, struct pki_cert *c)
{
    struct pki_cert *way[PKI_CHAIN_MAX];
    bool asked;
    const struct pki_secret *s = c->key ? store_secret_of(ch->p, c->key) : NULL;
    if (!s || !kind_fits(ch->wish, cr_key_info(s->key))) {
        ch->without_key += !s;
        ch->other_kind += s != NULL;
        ch->name = c->name;
        return;
    }
    size_t n = way_up(ch->p, c, way, &asked, ch->wish);
    int rank = asked ? 2 : 1; /* a request is a wish, no condition: RFC 7296 3.7 */
    if (rank <= ch->rank)
        return;
    ch->rank = rank;
    ch->out->key = s->key;
    ch->out->chain_len = n;
    for (size_t i = 0; i < n; i++)
        ch->out->chain[i] = way[i]->der;
}

static const char *kind_text(const struct pki_wish *w, char out[48])
{
    if (w->bits)
        snprintf(out, 48, " with %u bits", w->bits);
    else
        out[0] = 0;
    return w->type == CR_KEY_RSA ? "RSA" : w->type == CR_KEY_ECDSA ? "ECDSA" : "";
}

static err_t nothing(const struct choice *ch, const struct id *id, struct pki_why *why)
{
    char bits[48];
    struct buf b = {0};
    id_print(id, &b);
    snprintf(why->theirs, sizeof why->theirs, "%s%s", kind_text(ch->wish, bits), bits);
    if (ch->other_kind) {
        snprintf(why->ours, sizeof why->ours, "%s, with another kind of key", ch->name);
        snprintf(why->hint, sizeof why->hint, "give local.certs a certificate with such a key");
    } else if (ch->without_key) {
        snprintf(why->ours, sizeof why->ours, "%s, without its private key", ch->name);
        snprintf(why->hint, sizeof why->hint,
                 "put the private key of %s into private/, and its pass phrase into secrets { }",
                 ch->name);
    } else {
        snprintf(why->ours, sizeof why->ours, "no certificate for %s", buf_str(&b));
        snprintf(why->hint, sizeof why->hint,
                 "name one in local.certs, or set local.id to a name of a certificate in x509/");
    }
    buf_free(&b);
    return why_set(why, R_NO_KEY, "local.certs", "RFC 7296 2.15");
}

err_t pki_own_find(const struct pki *p, const struct conn_auth *auth, const struct id *id,
                   const struct pki_wish *wish, struct pki_own *out, struct pki_why *why)
{
    struct choice ch = {.p = p, .wish = wish, .out = out};
    const struct conn_pki *c = auth->pki;
    *out = (struct pki_own){0};
    *why = (struct pki_why){0};
    for (size_t i = 0; c && i < c->cert_count; i++) {
        struct pki_cert *mine = store_by_fp(p, c->certs[i].fp);
        if (mine)
            consider(&ch, mine);
    }
    for (size_t i = 0; p && (!c || !c->cert_count) && i < p->cert_count; i++)
        if (!(p->cert[i]->flags & PKI_CA) && cert_has_id(p->cert[i]->x, id))
            consider(&ch, p->cert[i]);
    return ch.rank ? E_OK : nothing(&ch, id, why);
}

size_t pki_ca_list(const struct pki *p, const struct conn_auth *auth, struct pki_ca *out,
                   size_t max)
{
    const struct conn_pki *c = auth ? auth->pki : NULL;
    size_t n = 0;
    for (size_t i = 0; p && i < p->cert_count; i++) {
        const struct pki_cert *ca = p->cert[i];
        bool wanted = (ca->flags & PKI_CA) && ca->key;
        for (size_t k = 0; wanted && c && c->cacert_count && k < c->cacert_count; k++) {
            if (!memcmp(c->cacerts[k].fp, ca->fp, sizeof ca->fp))
                break;
            wanted = k + 1 < c->cacert_count;
        }
        if (!wanted)
            continue;
        if (n < max)
            out[n] = (struct pki_ca){ca->subject, cr_key_info(ca->key)->spki};
        n++;
    }
    return n;
}
