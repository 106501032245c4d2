/*
 * Certificates and identities: RFC 4945 3.1, 4.2 and 5.1.2.6. An address, name or mail address must
 * stand in subjectAltName; a distinguished name is the subject; a key id names the key. The common
 * name is nobody's identity.
 */
#include "pki/cert.h"
#include "model/dn.h"
#include <openssl/err.h>
#include <strings.h>

/* A name with a zero byte is nobody's: comparing would end there. */
static bool same_text(const ASN1_STRING *s, const struct id *id)
{
    const char *name = (const char *)ASN1_STRING_get0_data(s);
    return ASN1_STRING_length(s) == id->len && !memchr(name, 0, id->len) &&
           !memchr(id->data, 0, id->len) && !strncasecmp(name, (const char *)id->data, id->len);
}

static bool same_bytes(const ASN1_STRING *s, const struct id *id)
{
    return bytes_eq(bytes_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)),
                    bytes_of(id->data, id->len));
}

static bool alt_is(const GENERAL_NAME *g, const struct id *id)
{
    switch (id->type) {
    case ID_FQDN:
        return g->type == GEN_DNS && same_text(g->d.dNSName, id);
    case ID_RFC822_ADDR:
        return g->type == GEN_EMAIL && same_text(g->d.rfc822Name, id);
    case ID_IPV4_ADDR:
    case ID_IPV6_ADDR:
        return g->type == GEN_IPADD && same_bytes(g->d.iPAddress, id);
    default:
        return false;
    }
}

static bool alt_has(X509 *x, const struct id *id)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++)
        found = alt_is(sk_GENERAL_NAME_value(names, i), id);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return found;
}

static bool subject_is(X509 *x, const struct id *id)
{
    const unsigned char *der;
    size_t n;
    return X509_NAME_get0_der(X509_get_subject_name(x), &der, &n) == 1 &&
           dn_match(bytes_of(id->data, id->len), bytes_of(der, n)) == 3;
}

static bool key_id_is(X509 *x, const struct id *id)
{
    const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(x);
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (ski && same_bytes(ski, id))
        return true;
    return X509_pubkey_digest(x, EVP_sha1(), hash, &n) == 1 &&
           bytes_eq(bytes_of(hash, n), bytes_of(id->data, id->len));
}

bool cert_has_id(X509 *x, const struct id *id)
{
    if (!id->len)
        return false;
    if (id->type == ID_DER_ASN1_DN)
        return subject_is(x, id);
    return id->type == ID_KEY_ID ? key_id_is(x, id) : alt_has(x, id);
}

/* The alternative name as an identity, to print it as one. */
static bool id_of_alt(const GENERAL_NAME *g, struct id *id)
{
    const ASN1_STRING *s = g->type == GEN_DNS     ? g->d.dNSName
                           : g->type == GEN_EMAIL ? g->d.rfc822Name
                           : g->type == GEN_IPADD ? g->d.iPAddress
                                                  : NULL;
    size_t n = s ? (size_t)ASN1_STRING_length(s) : 0;
    uint8_t type = g->type == GEN_DNS     ? ID_FQDN
                   : g->type == GEN_EMAIL ? ID_RFC822_ADDR
                   : n == 4               ? ID_IPV4_ADDR
                                          : ID_IPV6_ADDR;
    return s && id_set(id, type, bytes_of(ASN1_STRING_get0_data(s), n));
}

void cert_ids_print(X509 *x, struct buf *out)
{
    char text[NAME_TEXT];
    struct id id;
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    buf_printf(out, "%s", name_text(X509_get_subject_name(x), text));
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (!id_of_alt(sk_GENERAL_NAME_value(names, i), &id))
            continue;
        buf_puts(out, "; ");
        id_print(&id, out);
    }
    GENERAL_NAMES_free(names);
    ERR_clear_error();
}
