/*
 * Fragments through a data plane whose selectors name a port, out and in again, mixed, lost and
 * lied about: none gets through that does not follow a first fragment with that port. Input: ten
 * bytes for each fragment, or a packet as it is.
 */
#include "dataplane/frags.h"
#include "dp_setup.h"

enum { PORT = 5000, UDP = 17, STEP = 10, KEYS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t spare[DP_HEADROOM + 65535 + DP_TAILROOM];
static uint64_t now = 1000;

/* The model: the last first fragment of each datagram. */
static struct first {
    bool seen, good;
    uint32_t end;
    uint64_t at;
} out[KEYS], in[KEYS];

struct piece {
    unsigned key; /* family, identification and destination, in IPv4 the protocol */
    uint32_t offset, len;
    bool more, udp, port;
};

static struct piece piece_of(const uint8_t *s)
{
    struct piece f = {.offset = (s[1] & 31u) * 8u,
                      .len = (s[2] & 31u) * 8u + (s[3] & 7u),
                      .more = s[3] & 8,
                      .udp = s[3] & 0x70,
                      .port = s[4] & 3};
    f.key = s[0] & 31u;
    if (!(f.key & 16) && f.udp)
        f.key |= 32;
    return f;
}

/* Key 16: IPv6; 8, 4: destination; 2, 1: identification. */
static uint32_t make(uint8_t *p, const struct piece *f)
{
    uint8_t proto = f->udp ? UDP : 6;
    uint32_t hlen = f->key & 16 ? 48 : 20;
    memset(p, 0, hlen + f->len);
    if (f->key & 16) {
        p[0] = 0x60;
        put_u16(p + 4, (uint16_t)(8 + f->len));
        p[6] = 44;
        p[39] = (uint8_t)(f->key >> 2 & 3);
        p[40] = proto;
        put_u16(p + 42, (uint16_t)(f->offset | f->more));
        put_u32(p + 44, f->key & 3);
    } else {
        p[0] = 0x45;
        put_u16(p + 2, (uint16_t)(20 + f->len));
        put_u16(p + 4, (uint16_t)(f->key & 3));
        put_u16(p + 6, (uint16_t)(f->offset / 8 | (f->more ? 0x2000 : 0)));
        p[9] = proto;
        p[19] = (uint8_t)(f->key >> 2 & 3);
    }
    if (f->len >= 4 && !f->offset && f->port) {
        put_u16(p + hlen, PORT);
        put_u16(p + hlen + 2, PORT);
    }
    if (f->len >= 8) { /* which it is, for the way back */
        p[hlen + f->len - 2] = (uint8_t)f->key;
        p[hlen + f->len - 1] = (uint8_t)(f->udp | f->port << 1);
    }
    return hlen + f->len;
}

static void learn(struct first *m, const struct piece *f)
{
    if (!f->offset && f->more)
        m[f->key] = (struct first){true, f->udp && f->port && f->len >= 4, f->len, now};
}

/* May it pass? */
static bool may(const struct first *m, const struct piece *f)
{
    const struct first *x = &m[f->key];
    if (!f->offset)
        return f->udp && f->port && f->len >= 4;
    return x->seen && x->good && now - x->at < FRAG_TABLE_MS && f->offset >= x->end;
}

static struct piece read_back(const uint8_t *p, uint32_t len)
{
    bool v6 = p[0] >> 4 == 6;
    uint16_t frag = get_u16(p + (v6 ? 42 : 6));
    struct piece f = {.offset = v6 ? frag & 0xfff8u : (frag & 0x1fffu) * 8,
                      .more = frag & (v6 ? 1 : 0x2000),
                      .udp = p[v6 ? 40 : 9] == UDP,
                      .len = len - (v6 ? 48 : 20)};
    f.key = v6 ? 16u | (get_u32(p + 44) & 3) | (p[39] & 3u) << 2
               : (get_u16(p + 4) & 3u) | (p[19] & 3u) << 2 | (f.udp ? 32 : 0);
    f.port = !f.offset && f.len >= 4 && get_u16(p + (v6 ? 48 : 20)) == PORT;
    return f;
}

static struct dp *ports_dp(void)
{
    struct child_sa sa = fuzz_sa();
    for (int i = 0; i < 2; i++) {
        sa.local_ts.ts[i].proto = sa.remote_ts.ts[i].proto = UDP;
        sa.local_ts.ts[i].port_lo = sa.local_ts.ts[i].port_hi = PORT;
    }
    sa.later_frags = true;
    sa.replay_window = 1024;
    return fuzz_dp_of(&sa);
}

static void came_in(const struct dp_pkt *p)
{
    struct piece f = read_back(p->data, p->len);
    FUZZ_CHECK(may(in, &f));
}

static void drain(struct dp *d);

static void send_in(struct dp *d, struct dp_pkt *p)
{
    uint32_t clear = get_u32(p->data); /* its SPI: the same both ways */
    FUZZ_CHECK(clear == 0x1000 && p->len > 8 + 20);
    struct piece f = read_back(p->data + 8, p->len - 8 - 16 - 2 - p->data[p->len - 18]);
    struct dp_pkt *pp = p;
    learn(in, &f);
    p->verdict = DP_NONE;
    dp_inbound(d, &pp, 1, now);
    if (p->verdict == DP_TO_HOST)
        came_in(p);
    else
        FUZZ_CHECK(p->verdict == DP_DROP || p->verdict == DP_HELD);
}

static void went_out(struct dp *d, struct dp_pkt *p, bool lose)
{
    struct piece f = read_back(p->data + 8, p->len - 8 - 16 - 2 - p->data[p->len - 18]);
    FUZZ_CHECK(may(out, &f));
    if (!lose)
        send_in(d, p);
}

static void drain(struct dp *d)
{
    struct dp_pkt p;
    while (dp_held_next(d, &p, spare, sizeof spare, now)) {
        if (p.verdict == DP_TO_HOST)
            came_in(&p);
        else
            went_out(d, &p, false);
    }
}

static void step(struct dp *d, const uint8_t *s)
{
    static uint8_t buf[DP_HEADROOM + 1024 + DP_TAILROOM];
    struct piece f = piece_of(s);
    struct dp_pkt p = {.data = buf + DP_HEADROOM}, *pp = &p;
    now += s[5] == 255 ? 40000 : s[5] > 250 ? 1500 : 0;
    if (s[5] > 250)
        dp_tick(d, now);
    p.len = make(p.data, &f);
    learn(out, &f);
    bool whole = !f.offset && !f.more;
    dp_outbound(d, &pp, 1, now);
    if (p.verdict == DP_TO_NET && !whole)
        went_out(d, &p, s[6] & 1);
    else if (p.verdict == DP_TO_NET)
        FUZZ_CHECK(may(out, &f));
    else /* what may pass does, but that the table has a place for fewer */
        FUZZ_CHECK(p.verdict == DP_HELD || !may(out, &f));
    drain(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dp *d;
    if (!d)
        d = ports_dp();
    if (size > 600)
        return 0;
    now += 2 * FRAG_TABLE_MS; /* each input begins anew */
    dp_tick(d, now);
    drain(d);
    memset(out, 0, sizeof out);
    memset(in, 0, sizeof in);
    for (; size >= STEP; data += STEP, size -= STEP)
        step(d, data);
    return 0;
}
