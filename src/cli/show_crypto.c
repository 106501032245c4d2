/*
 * The screens of `show crypto isakmp sa [detail]` and `show crypto ipsec sa [detail]` as engineers
 * know them from Cisco's IOS: the same answers of list-sas in those columns and words. IKEv2's SAs
 * stand in a table of their own, as `show crypto ikev2 sa` has them. Called by run_show.c.
 */
#include "cli/cli.h"
#include "model/alg.h"
#include "model/ts.h"
#include <ctype.h>
#include <stdlib.h>

/* --- names --- */

/* In small letters with dashes, up to `end`. */
static void small(struct buf *out, const char *name, const char *end)
{
    for (const char *p = name; *p && strncmp(p, end, strlen(end)) != 0; p++)
        buf_printf(out, "%c", *p == '_' ? '-' : tolower((unsigned char)*p));
}

/* "AES_CBC" 256 as "aes256", "AES_GCM_16" 256 as "aes-gcm-16-256", "3DES_CBC" as "3des" */
static void cipher(struct buf *out, const struct vnode *sa)
{
    const char *alg = vnode_get(sa, "encr-alg"), *bits = vnode_get(sa, "encr-keysize");
    if (!alg || !*alg)
        return;
    small(out, alg, "_CBC");
    if (bits)
        buf_printf(out, "%s%s", isdigit((unsigned char)alg[strlen(alg) - 1]) ? "-" : "", bits);
}

/* "HMAC_SHA2_384_192", "PRF_HMAC_SHA2_384" as "sha384", "HMAC_SHA1_96" as "sha1"; those made of a
 * cipher, "PRF_AES128_CMAC" and "AES_XCBC_96", as "cmac" and "xcbc" */
static void hash(struct buf *out, const char *alg)
{
    static const char *const of_cipher[] = {"CMAC", "XCBC"};
    const char *p = alg ? strstr(alg, "HMAC_") : NULL;
    for (size_t i = 0; i < 2 && alg && !p; i++)
        if (strstr(alg, of_cipher[i]))
            small(out, of_cipher[i], "_");
    if (!p)
        return;
    p += 5;
    if (!strncmp(p, "SHA2_", 5)) {
        buf_printf(out, "sha%.3s", p + 5);
        return;
    }
    for (; *p && *p != '_'; p++)
        buf_printf(out, "%c", tolower((unsigned char)*p));
}

static unsigned group(const char *name)
{
    for (size_t i = 0; name && i < alg_count; i++)
        if (alg_table[i].type == T_KE && !strcmp(alg_table[i].iana, name))
            return alg_table[i].id;
    return 0;
}

static void clock_of(struct buf *out, const char *seconds)
{
    unsigned long s = seconds ? strtoul(seconds, NULL, 10) : 0;
    if (seconds)
        buf_printf(out, "%02lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
}

static bool is_up(const struct vnode *sa)
{
    const char *state = screen_get(sa, "state");
    return !strcmp(state, "ESTABLISHED") || !strcmp(state, "REKEYING") ||
           !strcmp(state, "INSTALLED");
}

static const char *status(const struct vnode *sa)
{
    return is_up(sa) ? "ACTIVE" : !strncmp(screen_get(sa, "state"), "DELET", 5) ? "DELETED" : "";
}

static bool is_v6(const struct vnode *sa)
{
    return strchr(screen_get(sa, "remote-host"), ':') != NULL;
}

/* --- IKE SAs --- */

static const char *ike_state(const struct vnode *sa)
{
    const char *v1 = vnode_get(sa, "v1-state");
    return v1 ? v1 : is_up(sa) ? "READY" : screen_get(sa, "state");
}

/* dst is who answered, src who asked. */
static void ike_row(const struct screen *s, const struct vnode *sa)
{
    bool ours = vnode_get_bool(sa, "initiator");
    screen_pad(s, TINT_NONE, screen_get(sa, ours ? "remote-host" : "local-host"), 15);
    buf_puts(s->out, " ");
    screen_pad(s, TINT_NONE, screen_get(sa, ours ? "local-host" : "remote-host"), 15);
    buf_puts(s->out, " ");
    screen_pad(s, TINT_NONE, ike_state(sa), 14);
    buf_printf(s->out, " %7s %s\n", screen_get(sa, "uniqueid"), status(sa));
}

static void cell(const struct screen *s, struct buf *text, size_t width)
{
    screen_pad(s, TINT_NONE, buf_str(text), width);
    buf_puts(s->out, " ");
    buf_clear(text);
}

static const char *auth_of(const struct vnode *sa)
{
    const char *a = vnode_get(sa, "auth-local");
    return !a ? "-" : strstr(a, "psk") ? "psk" : "rsig";
}

static void ike_detail(const struct screen *s, const struct vnode *sa)
{
    struct buf b = {0};
    const char *left = vnode_get(sa, "rekey-time");
    bool nat = vnode_get_bool(sa, "nat-local") || vnode_get_bool(sa, "nat-remote");
    buf_puts(&b, screen_get(sa, "uniqueid"));
    cell(s, &b, 5);
    buf_puts(&b, screen_get(sa, "local-host"));
    cell(s, &b, 15);
    buf_puts(&b, screen_get(sa, "remote-host"));
    cell(s, &b, 22);
    buf_puts(&b, status(sa));
    cell(s, &b, 7);
    cipher(&b, sa);
    cell(s, &b, 7);
    hash(&b, screen_get(sa, "prf-alg"));
    cell(s, &b, 6);
    buf_puts(&b, auth_of(sa));
    cell(s, &b, 5);
    buf_printf(&b, "%u", group(vnode_get(sa, "dh-group")));
    cell(s, &b, 2);
    clock_of(&b, left ? left : vnode_get(sa, "reauth-time"));
    cell(s, &b, 8);
    buf_printf(s->out, "%s%s\n", nat ? "N" : "", vnode_get(sa, "remote-xauth-id") ? "X" : "");
    buf_printf(s->out, "       Engine-id:Conn-id =  SW:%s\n", screen_get(sa, "uniqueid"));
    buf_free(&b);
}

static const char codes[] = "Codes: N - NAT-traversal, X - IKE Extended Authentication\n"
                            "       psk - Preshared key, rsig - signature\n\n";

static void ike_table(const struct screen *s, const struct vnode *root, bool v6,
                      const char *version, bool detail)
{
    const char *title = *version == '1' ? "ISAKMP" : "IKEv2";
    buf_printf(s->out, "IPv%u Crypto %s SA\n", v6 ? 6u : 4u, title);
    buf_puts(s->out, detail ? "C-id  Local           Remote          I-VRF  Status  Encr    Hash   "
                              "Auth  DH Lifetime Cap.\n"
                            : "dst             src             state          conn-id status\n");
    for (const struct vnode *sa = root->child; sa; sa = sa->next)
        if (is_v6(sa) == v6 && !strcmp(screen_get(sa, "version"), version))
            (detail ? ike_detail : ike_row)(s, sa);
}

static void ike_screen(const struct screen *s, const struct vnode *root, const char *version,
                       bool detail)
{
    if (detail)
        buf_puts(s->out, codes);
    ike_table(s, root, false, version, detail);
    buf_puts(s->out, "\n");
    ike_table(s, root, true, version, detail);
}

void show_crypto_isakmp(const struct screen *s, const struct vnode *root)
{
    ike_screen(s, root, "1", false);
}

void show_crypto_isakmp_detail(const struct screen *s, const struct vnode *root)
{
    ike_screen(s, root, "1", true);
}

void show_crypto_ikev2(const struct screen *s, const struct vnode *root)
{
    ike_screen(s, root, "2", false);
}

void show_crypto_ikev2_detail(const struct screen *s, const struct vnode *root)
{
    ike_screen(s, root, "2", true);
}

/* --- IPsec SAs --- */

/* (addr/mask/prot/port) of a selector as list-sas writes it */
static void ident(const struct screen *s, const char *label, const struct vnode *list)
{
    struct ts_conf t;
    char lo[ADDR_STR_MAX], hi[ADDR_STR_MAX];
    for (const struct vnode *i = list ? list->child : NULL; i; i = i->next) {
        const char *why, *text = i->value ? i->value : "";
        if (ts_conf_parse(&t, text, &why)) {
            buf_printf(s->out, "   %s ident (addr/mask/prot/port): (%s)\n", label, text);
            continue;
        }
        unsigned bits = 0;
        struct addr at = t.ts.lo, prefix, first, last;
        (void)addr_range_cut(&at, &t.ts.hi, &prefix, &bits);
        addr_prefix_range(&prefix, bits, &first, &last);
        bool whole = addr_eq(&first, &t.ts.lo) && addr_eq(&last, &t.ts.hi);
        struct addr mask = {.family = t.ts.lo.family};
        for (unsigned k = 0; k < bits; k++)
            mask.ip[k / 8] |= (uint8_t)(0x80 >> k % 8);
        bool one = t.ts.port_lo == t.ts.port_hi;
        buf_printf(s->out, "   %s ident (addr/mask/prot/port): (%s%s%s/%u/%u)\n", label,
                   addr_str(&t.ts.lo, lo), whole ? "/" : "-",
                   addr_str(whole ? &mask : &t.ts.hi, hi), t.ts.proto, one ? t.ts.port_lo : 0);
    }
}

static bool is_bundle(const struct vnode *c)
{
    return vnode_get(c, "ah-spi-in") != NULL;
}

/* "sha256-hmac", "aes-xcbc-mac", "aes-cmac", "aes-128-gmac" */
static void mac(struct buf *out, const char *alg)
{
    if (strstr(alg, "HMAC_")) {
        hash(out, alg);
        buf_puts(out, "-hmac ");
    } else {
        small(out, alg, "_96");
        buf_puts(out, strstr(alg, "XCBC") ? "-mac " : " ");
    }
}

/* What each packet carries; none: AH, RFC 8750, null encryption. -1: an algorithm that we do not
 * know. */
static int iv_size(const struct vnode *c, bool ah)
{
    const char *alg = vnode_get(c, "encr-alg"), *bits = vnode_get(c, "encr-keysize");
    unsigned long want = bits ? strtoul(bits, NULL, 10) : 0;
    for (size_t i = 0; !ah && alg && i < alg_count; i++)
        if (alg_table[i].type == T_ENCR && !strcmp(alg_table[i].iana, alg) &&
            alg_table[i].key_bits == want)
            return alg_table[i].iv_len;
    return ah ? 0 : -1;
}

static void timing(const struct screen *s, const struct vnode *c, const char *dir)
{
    char key[16];
    snprintf(key, sizeof key, "bytes-%s", dir);
    unsigned long long used = strtoull(screen_get(c, key), NULL, 10);
    const char *limit = vnode_get(c, "limit-bytes");
    unsigned long long most = limit ? strtoull(limit, NULL, 10) : 0;
    buf_puts(s->out, "        sa timing: remaining key lifetime (k/sec): (");
    if (limit)
        buf_printf(s->out, "%llu", most > used ? (most - used) / 1024 : 0);
    else
        buf_puts(s->out, "KB Vol Rekey Disabled");
    buf_printf(s->out, "/%s)\n", screen_get(c, "life-time"));
}

/* Y and N as far as the daemon says; of a window of 0 there is none. */
static const char *replay(const struct vnode *c)
{
    const char *window = vnode_get(c, "replay-window");
    return !window ? "-" : strcmp(window, "0") ? "Y" : "N";
}

static void transform(struct buf *out, const struct vnode *c, bool ah)
{
    const char *integ = vnode_get(c, ah && is_bundle(c) ? "ah-integ-alg" : "integ-alg");
    if (!ah) {
        buf_puts(out, "esp-");
        cipher(out, c);
        buf_puts(out, " ");
    }
    if (integ) {
        buf_puts(out, ah ? "ah-" : "esp-");
        mac(out, integ);
    }
}

static void one_sa(const struct screen *s, const struct vnode *c, const char *name, const char *dir,
                   bool ah)
{
    char key[16], mode[16] = "";
    struct buf b = {0};
    const char *own = ah && is_bundle(c) ? "ah-" : "";
    const char *esn = vnode_get(c, *own ? "ah-esn" : "esn");
    int iv = iv_size(c, ah);
    snprintf(key, sizeof key, "%sspi-%s", own, dir);
    const char *m = screen_get(c, "mode");
    snprintf(mode, sizeof mode, "%c", m[0]);
    for (size_t i = 1; m[i] && i + 1 < sizeof mode; i++)
        mode[i] = (char)tolower((unsigned char)m[i]);
    transform(&b, c, ah);
    buf_printf(s->out, "      spi: 0x%s(%lu)\n", screen_get(c, key),
               strtoul(screen_get(c, key), NULL, 16));
    buf_printf(s->out, "        transform: %s,\n", buf_str(&b));
    buf_printf(s->out, "        in use settings ={%s%s, }\n", mode,
               vnode_get_bool(c, "encap") ? " UDP-Encaps" : "");
    buf_printf(s->out, "        conn id: %s, crypto map: %s\n", screen_get(c, "uniqueid"), name);
    timing(s, c, dir);
    if (iv >= 0)
        buf_printf(s->out, "        IV size: %d bytes\n", iv);
    buf_printf(s->out, "        replay detection support: %s\n", replay(c));
    buf_printf(s->out, "        Status: %s%s\n", status(c), esn ? "(ESN)" : "");
    buf_free(&b);
}

static void sas_of(const struct screen *s, const struct vnode *c, const char *name, const char *dir)
{
    static const char *const kinds[] = {"esp", "ah", "pcp"};
    bool ah = !strcmp(screen_get(c, "protocol"), "AH");
    char cpi[16];
    snprintf(cpi, sizeof cpi, "cpi-%s", dir);
    for (size_t i = 0; i < 3; i++) {
        buf_printf(s->out, "     %sbound %s sas:\n", dir, kinds[i]);
        if (i == ah || (i == 1 && is_bundle(c)))
            one_sa(s, c, name, dir, i == 1);
        else if (i == 2 && vnode_get(c, cpi))
            buf_printf(s->out, "      spi: 0x%s\n        transform: comp-deflate ,\n",
                       vnode_get(c, cpi));
    }
}

static void child(const struct screen *s, const struct vnode *sa, const struct vnode *c,
                  bool detail)
{
    unsigned pfs = group(vnode_get(c, "dh-group"));
    char name[256];
    snprintf(name, sizeof name, "%s/%s", sa == c ? "manual" : sa->name, screen_get(c, "name"));
    buf_printf(s->out, "    Crypto map tag: %s, local addr %s\n\n   protected vrf: (none)\n", name,
               screen_get(sa, "local-host"));
    ident(s, "local ", vnode_find(c, "local-ts"));
    ident(s, "remote", vnode_find(c, "remote-ts"));
    buf_printf(s->out, "   current_peer %s port %s\n", screen_get(sa, "remote-host"),
               screen_get(sa, "remote-port"));
    show_counts(s, c, detail);
    buf_printf(s->out, "\n     local crypto endpt.: %s, remote crypto endpt.: %s\n",
               screen_get(sa, "local-host"), screen_get(sa, "remote-host"));
    if (vnode_get(c, "path-mtu"))
        buf_printf(s->out, "     plaintext mtu %s, path mtu %s, ip mtu %s\n",
                   screen_get(c, "plain-mtu"), screen_get(c, "path-mtu"),
                   screen_get(c, "path-mtu"));
    buf_printf(s->out, "     current outbound spi: 0x%s(%lu)\n", screen_get(c, "spi-out"),
               strtoul(screen_get(c, "spi-out"), NULL, 16));
    buf_printf(s->out, "     PFS (Y/N): %c, DH group: ", pfs ? 'Y' : 'N');
    buf_printf(s->out, pfs ? "group%u\n\n" : "none\n\n", pfs);
    sas_of(s, c, name, "in");
    sas_of(s, c, name, "out");
}

/* A CHILD SA and its place in the answer. */
struct row {
    const char *iface;
    const struct vnode *sa, *child;
    size_t at;
};

static int by_iface(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = strcmp(x->iface, y->iface);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* How many; without room for them none is noted. */
static size_t collect(const struct vnode *root, struct row *rows)
{
    size_t n = 0;
    for (const struct vnode *sa = root->child; sa; sa = sa->next) {
        const struct vnode *children = vnode_find(sa, "child-sas");
        bool by_hand = vnode_get(sa, "protocol") != NULL; /* one section for both */
        for (const struct vnode *c = children  ? children->child
                                     : by_hand ? sa
                                               : NULL;
             c; c = by_hand ? NULL : c->next, n++)
            if (rows)
                rows[n] = (struct row){screen_get(c, "interface"), sa, c, n};
    }
    return n;
}

static void ipsec_screen(const struct screen *s, const struct vnode *root, bool detail)
{
    size_t n = collect(root, NULL);
    struct row *rows = calloc(n + 1, sizeof *rows);
    if (!rows) {
        s->out->err = E_NOMEM;
        return;
    }
    collect(root, rows);
    qsort(rows, n, sizeof *rows, by_iface);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(rows[i].iface, rows[i - 1].iface) != 0)
            buf_printf(s->out, "interface: %s\n", rows[i].iface);
        child(s, rows[i].sa, rows[i].child, detail);
    }
    free(rows);
}

void show_crypto_ipsec(const struct screen *s, const struct vnode *root)
{
    ipsec_screen(s, root, false);
}

void show_crypto_ipsec_detail(const struct screen *s, const struct vnode *root)
{
    ipsec_screen(s, root, true);
}
