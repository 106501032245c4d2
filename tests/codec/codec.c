/*
 * The data plane as a filter: reads lines, answers each with one. test_codec.py holds it against
 * scapy, and against packets of the Linux kernel.
 *
 *   sa NAME=VALUE ...   the one SA pair from now on, the same SPIs and keys in both directions:
 *                       proto esp ah, mode tunnel transport beet, encr integ (words of
 * swanctl.conf), key auth (hex), ahinteg ahkey ahspi (a bundle), spi, esn, udp, window, cpi, local
 * remote (addresses), lts rts (prefixes), lport rport (of UDP, after the prefixes), frags (later
 * fragments were agreed on), oal oar, seqin seqout
 *                       -> ok, or the error's name
 *   out HEX             a plain packet -> net HEX, the datagram with its outer IP header as the
 *                       kernel would send it; host HEX, an answer; drop NAME; held
 *   in HEX              a datagram -> host HEX or drop NAME or held
 *   more                what was held and may go now -> as out, or drop ok: no more
 *   stats               -> NAME=COUNT ... of the drops so far
 */
#include "dataplane/modes.h"
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = DP_HEADROOM + 65535 + DP_TAILROOM + 64 };

static struct dp *d;
static struct child_sa sa;
static uint8_t buf[ROOM], sent[ROOM];
static char line[2 * ROOM];

static uint32_t unhex(const char *s, uint8_t *out)
{
    uint32_t n = 0;
    for (unsigned v; sscanf(s + n * 2, "%2x", &v) == 1; n++)
        out[n] = (uint8_t)v;
    return n;
}

static void answer(const char *word, const uint8_t *p, uint32_t len)
{
    static const char digits[] = "0123456789abcdef";
    static char hex[2 * ROOM];
    for (uint32_t i = 0; i < len; i++) {
        hex[2 * i] = digits[p[i] >> 4];
        hex[2 * i + 1] = digits[p[i] & 15];
    }
    printf("%s %.*s\n", word, (int)(2 * len), hex);
}

/* --- sa --- */

static void set_key(struct secret *a, struct secret *b, const char *hex)
{
    static uint8_t key[256];
    struct bytes k = bytes_of(key, unhex(hex, key));
    if (secret_set(a, k) || secret_set(b, k))
        abort();
}

static void set_ts(struct ts_list *l, const char *prefix)
{
    struct addr a;
    unsigned bits;
    *l = (struct ts_list){1, {{.port_hi = 0xffff}}};
    if (!addr_parse_prefix(&a, &bits, prefix))
        abort();
    addr_prefix_range(&a, bits, &l->ts[0].lo, &l->ts[0].hi);
}

static void set_port(struct ts_list *l, const char *port)
{
    l->ts[0].proto = 17;
    l->ts[0].port_lo = l->ts[0].port_hi = (uint16_t)atoi(port);
}

static void set_word(const char *name, const char *v)
{
    if (strcmp(name, "proto") == 0)
        sa.proto = strcmp(v, "ah") ? PROTO_ESP : PROTO_AH;
    else if (strcmp(name, "mode") == 0)
        sa.mode = v[1] == 'u' ? MODE_TUNNEL : v[0] == 't' ? MODE_TRANSPORT : MODE_BEET;
    else if (strcmp(name, "encr") == 0)
        sa.encr = alg_by_name(v, strlen(v));
    else if (strcmp(name, "integ") == 0)
        sa.integ = alg_by_name(v, strlen(v));
    else if (strcmp(name, "ahinteg") == 0)
        sa.ah.integ = alg_by_name(v, strlen(v));
    else if (strcmp(name, "key") == 0)
        set_key(&sa.in.encr, &sa.out.encr, v);
    else if (strcmp(name, "auth") == 0)
        set_key(&sa.in.integ, &sa.out.integ, v);
    else if (strcmp(name, "ahkey") == 0)
        set_key(&sa.ah.in, &sa.ah.out, v);
    else if (strcmp(name, "lts") == 0)
        set_ts(&sa.local_ts, v);
    else if (strcmp(name, "rts") == 0)
        set_ts(&sa.remote_ts, v);
    else if (strcmp(name, "local") == 0)
        (void)!addr_parse(&sa.local.addr, v);
    else if (strcmp(name, "remote") == 0)
        (void)!addr_parse(&sa.remote.addr, v);
    else if (strcmp(name, "oal") == 0)
        (void)!addr_parse(&sa.oa_local, v);
    else if (strcmp(name, "oar") == 0)
        (void)!addr_parse(&sa.oa_remote, v);
    else if (strcmp(name, "lport") == 0)
        set_port(&sa.local_ts, v);
    else if (strcmp(name, "rport") == 0)
        set_port(&sa.remote_ts, v);
}

static void set_number(const char *name, uint64_t v)
{
    if (strcmp(name, "spi") == 0)
        sa.spi_in = sa.spi_out = (uint32_t)v;
    else if (strcmp(name, "ahspi") == 0)
        sa.ah.spi_in = sa.ah.spi_out = (uint32_t)v;
    else if (strcmp(name, "esn") == 0)
        sa.esn = sa.ah.esn = v;
    else if (strcmp(name, "udp") == 0)
        sa.udp_encap = v;
    else if (strcmp(name, "frags") == 0)
        sa.later_frags = v;
    else if (strcmp(name, "window") == 0)
        sa.replay_window = (uint32_t)v;
    else if (strcmp(name, "cpi") == 0)
        sa.cpi_in = sa.cpi_out = (uint16_t)v;
    else if (strcmp(name, "seqin") == 0)
        sa.seq_in = v;
    else if (strcmp(name, "seqout") == 0)
        sa.seq_out = v;
}

static void forget(void)
{
    struct secret *keys[] = {&sa.in.encr,   &sa.in.integ, &sa.out.encr,
                             &sa.out.integ, &sa.ah.in,    &sa.ah.out};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        secret_free(keys[i]);
    dp_child_del(d, 1);
    dp_policy_del(d, 1);
    sa = (struct child_sa){
        .id = 1, .policy = 1, .proto = PROTO_ESP, .dirs = DIR_BOTH, .replay_window = 64};
    sa.local.port = sa.remote.port = 4500;
}

/* Options of a child that are no tunnel rules: all copied, as is the default. */
static void do_sa(char *words)
{
    forget();
    for (char *w = strtok(words, " \n"); w; w = strtok(NULL, " \n")) {
        char *v = strchr(w, '=');
        if (!v)
            continue;
        *v++ = 0;
        set_word(w, v);
        set_number(w, strtoull(v, NULL, 0));
    }
    struct policy p = {
        .id = 1, .action = POL_PROTECT, .local = sa.local_ts, .remote = sa.remote_ts};
    err_t e = dp_policy_add(d, &p);
    if (!e)
        e = dp_child_add(d, &sa, 0);
    printf("%s\n", e ? err_name(e) : "ok");
}

/* --- packets --- */

/* What the kernel puts around what it is given: see enum dp_verdict. */
static uint32_t datagram(const struct dp_pkt *p, uint8_t *out)
{
    if (p->whole) {
        memcpy(out, p->data, p->len);
        return p->len;
    }
    struct transport_at h = {.next_at = p->remote.addr.family == 4 ? 9 : 6};
    h.hlen = transport_header(out, &p->local.addr, &p->remote.addr, p->tos, p->ttl);
    if (h.hlen == 20 && p->df)
        out[6] = 0x40;
    uint32_t at = h.hlen;
    if (p->udp) {
        put_u16(out + at, p->local.port);
        put_u16(out + at + 2, p->remote.port);
        put_u32(out + at + 4, (p->len + 8) << 16);
        at += 8;
    }
    memcpy(out + at, p->data, p->len);
    transport_finish(out, &h, p->udp ? 17 : 50, at - h.hlen + p->len);
    return at + p->len;
}

static void say(const struct dp_pkt *p)
{
    if (p->verdict == DP_TO_NET)
        answer("net", sent, datagram(p, sent));
    else if (p->verdict == DP_TO_HOST)
        answer("host", p->data, p->len);
    else if (p->verdict == DP_HELD)
        printf("held\n");
    else
        printf("drop %s\n", err_name(p->reason));
}

static void do_more(void)
{
    struct dp_pkt p;
    if (!dp_held_next(d, &p, buf, sizeof buf, 1000))
        p = (struct dp_pkt){.verdict = DP_DROP};
    say(&p);
}

static void do_out(const char *hex)
{
    struct dp_pkt p = {.data = buf + DP_HEADROOM}, *pp = &p;
    p.len = unhex(hex, p.data);
    dp_outbound(d, &pp, 1, 1000);
    say(&p);
}

/* Extension headers up to the one that is for us. */
static uint32_t header_size(const uint8_t *ip, uint8_t *next)
{
    uint32_t at = ip[0] >> 4 == 4 ? (ip[0] & 15u) * 4u : 40;
    *next = ip[ip[0] >> 4 == 4 ? 9 : 6];
    while (ip[0] >> 4 == 6 && (*next == 0 || *next == 43 || *next == 60)) {
        *next = ip[at];
        at += (ip[at + 1] + 1u) * 8u;
    }
    return at;
}

static void do_in(const char *hex)
{
    uint8_t *ip = buf + DP_HEADROOM, next;
    uint32_t len = unhex(hex, ip), hlen = header_size(ip, &next);
    uint32_t skip = next == 17 ? 8 : next == 51 ? 4 : 0;
    struct dp_pkt p = {.data = ip + hlen + skip,
                       .len = len - hlen - skip,
                       .local = sa.local,
                       .remote = sa.remote,
                       .udp = next == 17,
                       .ah = next == 51,
                       .tos = ip[0] >> 4 == 4 ? ip[1] : (uint8_t)(ip[0] << 4 | ip[1] >> 4),
                       .ip_len = (uint16_t)(next == 17 ? 0 : hlen + skip)},
                  *pp = &p;
    dp_inbound(d, &pp, 1, 1000);
    say(&p);
}

static void do_stats(void)
{
    struct dp_stats st;
    dp_stats_get(d, &st);
    for (int i = 0; i < R_COUNT; i++)
        if (st.drops[i])
            printf("%s=%llu ", err_name(i), (unsigned long long)st.drops[i]);
    printf("\n");
}

int main(void)
{
    struct dp_settings s;
    const char *what = "";
    dp_settings_default(&s);
    s.sa_max = 1 << 20;
    s.mtu = 9216;
    if (cr_init(&what) || !(d = dp_new(&s)))
        return 1;
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "sa ", 3) == 0)
            do_sa(line + 3);
        else if (strncmp(line, "out ", 4) == 0)
            do_out(line + 4);
        else if (strncmp(line, "in ", 3) == 0)
            do_in(line + 3);
        else if (strncmp(line, "more", 4) == 0)
            do_more();
        else
            do_stats();
        fflush(stdout);
    }
    forget();
    dp_free(d);
    cr_fini();
    return 0;
}
