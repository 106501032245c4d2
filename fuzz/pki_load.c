/*
 * What files and VICI bring: certificates, revocation lists, private and public keys, distinguished
 * names, AlgorithmIdentifiers. No input crashes, and what is taken holds together. The first byte
 * chooses. Entry: pki_add_cert, pki_add_crl, cr_key_private, cr_key_public_file, id_match,
 * cr_scheme_of_algid.
 */
#include "pki/build.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void look(void *ctx, const struct pki_cert_info *i)
{
    struct buf name = {0};
    struct id id;
    char text[24];
    (void)ctx;
    pki_name_print(i->subject, &name);
    if (i->key)
        require(cr_key_text(i->key, text)[0] != 0);
    if (id_set(&id, ID_DER_ASN1_DN, i->subject) && id_match(&id, &id))
        require(pki_cert_is_for(i->der, &id));
    buf_free(&name);
}

static void look_crl(void *ctx, const struct pki_crl_info *i)
{
    (void)ctx;
    require(i->der.n > 0 && !i->is_signed);
}

static void certs(struct bytes in, bool crl)
{
    struct pki_build *b = pki_build_new();
    struct pki *p = NULL;
    if (!b)
        return;
    err_t e = crl ? pki_add_crl(b, in, "fuzz") : pki_add_cert(b, in, PKI_END, "fuzz");
    if (!pki_build_store(b, &p)) {
        if (!e)
            pki_cert_each(p, look, NULL);
        pki_crl_each(p, look_crl, NULL);
        pki_unref(p);
    }
    pki_build_free(b);
}

static void keys(struct bytes in, bool secret)
{
    struct cr_key *k = NULL;
    err_t e = secret ? cr_key_private(in, bytes_of(NULL, 0), &k) : cr_key_public_file(in, &k);
    require((k != NULL) == (e == 0));
    if (k)
        require(cr_key_info(k)->secret == secret && cr_key_info(k)->bits >= 256);
    cr_key_unref(k);
}

static void names(struct bytes in)
{
    struct id a, b;
    struct buf text = {0};
    if (!id_set(&a, ID_DER_ASN1_DN, in))
        return;
    id_print(&a, &text);
    if (id_match(&a, &a)) {
        require(id_match(&a, &a) == 3 && id_eq(&a, &a));
        if (!text.err && id_parse(&b, buf_str(&text)) && b.type == ID_DER_ASN1_DN)
            (void)id_match(&a, &b);
    }
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct bytes in = bytes_of(data + 1, size - 1);
    switch (data[0] % 6) {
    case 0:
    case 1:
        certs(in, data[0] % 6);
        break;
    case 2:
    case 3:
        keys(in, data[0] % 6 == 2);
        break;
    case 4:
        names(in);
        break;
    default:
        require(cr_scheme_of_algid(in) < CR_SCHEME_COUNT);
    }
    return 0;
}
