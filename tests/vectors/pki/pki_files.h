/* The files of tests/vectors/pki for tests in C: read once, kept. PKI_DIR comes from meson. */
#pragma once

#include "base/cursor.h"
#include "pki/build.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static inline struct bytes pki_file(const char *name)
{
    static struct {
        char name[64];
        uint8_t data[8192];
        size_t n;
    } files[128];
    char path[512];
    size_t i = 0;
    for (; i < 128 && files[i].name[0]; i++)
        if (!strcmp(files[i].name, name))
            return bytes_of(files[i].data, files[i].n);
    assert(i < 128);
    snprintf(path, sizeof path, "%s/%s", PKI_DIR, name);
    FILE *f = fopen(path, "rb");
    assert(f);
    files[i].n = fread(files[i].data, 1, sizeof files[i].data, f);
    fclose(f);
    snprintf(files[i].name, sizeof files[i].name, "%s", name);
    return bytes_of(files[i].data, files[i].n);
}

/* DER of a PEM certificate; kept as well. */
static inline struct bytes pki_der(const char *name)
{
    static struct pki_read read[128];
    static char names[128][64];
    size_t i = 0;
    for (; i < 128 && names[i][0]; i++)
        if (!strcmp(names[i], name))
            return bytes_of(read[i].der, read[i].n);
    assert(i < 128);
    err_t e = pki_read_cert(pki_file(name), &read[i]);
    assert(!e);
    (void)e;
    snprintf(names[i], sizeof names[i], "%s", name);
    return bytes_of(read[i].der, read[i].n);
}

/* NULL-terminated names of files: authorities, certificates, keys (*.key), lists (*.crl). */
static inline struct pki *pki_of_files(const char *const *cas, const char *const *others)
{
    struct pki_build *b = pki_build_new();
    struct pki *p = NULL;
    err_t e = b ? E_OK : E_NOMEM;
    for (; cas && *cas && !e; cas++)
        e = pki_add_cert(b, pki_file(*cas), PKI_CA, *cas);
    for (; others && *others && !e; others++) {
        struct cr_key *key;
        if (strstr(*others, ".crl")) {
            e = pki_add_crl(b, pki_file(*others), *others);
        } else if (!strstr(*others, ".key")) {
            e = pki_add_cert(b, pki_file(*others), PKI_END, *others);
        } else {
            e = cr_key_private(pki_file(*others), bytes_of(NULL, 0), &key);
            if (!e)
                e = pki_add_key(b, key, *others);
            cr_key_unref(key);
        }
    }
    if (!e)
        e = pki_build_store(b, &p);
    assert(!e);
    pki_build_free(b);
    return p;
}
