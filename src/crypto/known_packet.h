/* For the tests of the packet path: an ESP packet whose bytes are known, opened and sealed by every
 * implementation, in place and out of place, alone and in a batch. Include after esp_fixture.h. */
#pragma once

struct known_packet {
    const char *name, *encr, *integ, *key, *integ_key;
    bool esn;
    uint32_t seq_hi;
    const char *packet, *text;
};

enum { KNOWN_MAX = 1024, KNOWN_BATCH = 20 };

struct known {
    struct suite s;
    struct bytes packet, text;
    struct cr_op op; /* without p and plain */
    uint8_t bytes[2][KNOWN_MAX];
};

static void known_open(const struct known *k, size_t impl, size_t n, bool out_of_place)
{
    static uint8_t p[KNOWN_BATCH][KNOWN_MAX], plain[KNOWN_BATCH][KNOWN_MAX];
    struct cr_op ops[KNOWN_BATCH];
    for (size_t i = 0; i < n; i++) {
        memcpy(p[i], k->packet.p, k->packet.n);
        ops[i] = k->op;
        ops[i].p = p[i];
        ops[i].plain = out_of_place ? plain[i] : NULL;
        ops[i].status = E_AGAIN;
    }
    cr_open(ctx[impl], ops, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ops[i].status, 0);
        if (out_of_place)
            assert_memory_equal(p[i], k->packet.p, k->packet.n);
        assert_memory_equal(out_of_place ? plain[i] : p[i] + 8 + k->s.encr->iv_len, k->text.p,
                            k->text.n);
    }
}

/* Only where the IV can be asked for: counters, and the NULL cipher, which has none. */
static void known_seal(const struct known *k, size_t impl, size_t n, bool out_of_place)
{
    static uint8_t p[KNOWN_BATCH][KNOWN_MAX], plain[KNOWN_MAX];
    struct cr_op ops[KNOWN_BATCH];
    memcpy(plain, k->text.p, k->text.n);
    for (size_t i = 0; i < n; i++) {
        memset(p[i], FILL, sizeof p[i]);
        memcpy(p[i], k->packet.p, 8);
        if (!out_of_place)
            memcpy(p[i] + 8 + k->s.encr->iv_len, k->text.p, k->text.n);
        ops[i] = k->op;
        ops[i].p = p[i];
        ops[i].plain = out_of_place ? plain : NULL;
    }
    assert_true(cr_seal(ctx[impl], ops, n));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ops[i].status, 0);
        assert_memory_equal(p[i], k->packet.p, k->packet.n);
        assert_int_equal(p[i][k->packet.n], FILL);
    }
}

static void known_refused(const struct known *k, size_t impl)
{
    uint8_t p[KNOWN_MAX];
    struct cr_op op = k->op;
    op.p = p;
    memcpy(p, k->packet.p, k->packet.n);
    p[k->packet.n - 1] ^= 1;
    cr_open(ctx[impl], &op, 1);
    assert_int_equal(op.status, R_DP_ICV);
}

static void known_packet_holds(const struct known_packet *v)
{
    static struct known k;
    uint8_t key[64], integ_key[64];
    k.s = (struct suite){alg_word(v->encr), alg_word(v->integ)};
    k.packet = unhex(v->packet, k.bytes[0], KNOWN_MAX - 1);
    k.text = unhex(v->text, k.bytes[1], KNOWN_MAX);
    assert_int_equal(k.packet.n, packet_len(&k.s, k.text.n));
    unhex(v->key, key, sizeof key);
    unhex(v->integ_key, integ_key, sizeof integ_key);
    struct key_pair keys = key_pair(&k.s, key, integ_key);
    for (size_t impl = 0; impl < 3; impl++) {
        k.op = (struct cr_op){.key = keys.of[impl],
                              .text_len = (uint32_t)k.text.n,
                              .esn = v->esn,
                              .seq_hi = v->seq_hi,
                              .iv_seed = get_u64(k.packet.p + 8)};
        for (size_t i = 0; i < 4; i++) {
            known_open(&k, impl, i & 2 ? KNOWN_BATCH : 1, i & 1);
            if (k.s.encr->block == 1)
                known_seal(&k, impl, i & 2 ? KNOWN_BATCH : 1, i & 1);
        }
        known_refused(&k, impl);
    }
    key_pair_free(&keys);
}
