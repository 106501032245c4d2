/*
 * Every cryptographic operation culvert needs, over the rows of model/alg.h. Knows no packets.
 * OpenSSL implements all of it (ossl_*.c) and is the reference, but for RC5 (ltc_rc5.c); Intel
 * ipsec-mb implements the packet path (imb.c) as far as it has the algorithms. Call cr_init once;
 * everything but cr_init is safe from several threads as long as each object is used by one at a
 * time.
 */
#pragma once

#include "base/secret.h"
#include "model/alg.h"

/* Fetches what a default may use; the rest when it is asked for. E_NOTSUP names in *what. */
err_t cr_init(const char **what) must_use;
void cr_fini(void);
/* For the log: in which suites ipsec-mb failed the self-test, as far as they were asked for; NULL:
 * in none. It only grows. */
const char *cr_note(void);
/* Is there an implementation? The first question for Blowfish or CAST loads OpenSSL's legacy
 * provider, and no other does. Ask when a configuration names an algorithm, not for a packet. */
bool cr_has(const struct alg *a);
void cr_random(void *p, size_t n); /* never fails: aborts if the system has no entropy source */

/* --- hash and PRF (by PRF transform id) --- */
#define CR_HASH_MAX 64
err_t cr_sha1(struct bytes data, uint8_t out[20]) must_use; /* NAT detection, RFC 7296 2.23 */
/* The plain hash under a PRF, out_len bytes: IKEv1's IVs and NAT detection (RFC 2409 appendix B,
 * RFC 3947 3.2). */
err_t cr_hash(const struct alg *prf, const struct bytes *parts, size_t n, uint8_t *out) must_use;
/* prf(key, parts[0] | parts[1] | ...): out gets alg->out_len bytes. */
err_t cr_prf(const struct alg *prf, struct bytes key, const struct bytes *parts, size_t n,
             uint8_t *out) must_use;
/* prf+ (RFC 7296 2.13): fills out[0..len). seed is the concatenation of parts. */
err_t cr_prf_plus(const struct alg *prf, struct bytes key, const struct bytes *parts, size_t n,
                  uint8_t *out, size_t len) must_use;

/* --- key exchange --- */
struct cr_ke;                                                  /* our half: private value */
err_t cr_ke_new(uint16_t method, struct cr_ke **out) must_use; /* slow: a JOB */
struct bytes cr_ke_public(const struct cr_ke *ke);             /* borrowed, alg->pub_len bytes */
/* Checks the peer's value as RFC 6989 says (R_KE_VALUE) and derives. Slow: a JOB. */
err_t cr_ke_derive(struct cr_ke *ke, struct bytes peer, struct secret *shared) must_use;
void cr_ke_free(struct cr_ke *ke);
/* Deterministic private value, for known answers and replays only. */
err_t cr_ke_new_from(uint16_t method, struct bytes private_value, struct cr_ke **out) must_use;

/* --- protection of IKE messages: SK payload, RFC 7296 3.14, RFC 5282 --- */
struct cr_sk;
/* encr: any row; integ NULL for AEAD. key includes the salt for AEAD. */
err_t cr_sk_new(const struct alg *encr, const struct alg *integ, struct bytes encr_key,
                struct bytes integ_key, struct cr_sk **out) must_use;
void cr_sk_free(struct cr_sk *sk);
/*
 * In place over one message: msg[0..aad_len) is header up to and including the SK payload's generic
 * header; then iv_len bytes of IV (filled by the caller: unique for AEAD, random for CBC), then
 * text_len bytes to encrypt or decrypt (already padded), then icv_len bytes of ICV.
 * cr_sk_open returns R_DECRYPT when the ICV does not hold; then msg is unchanged or garbage.
 */
err_t cr_sk_seal(struct cr_sk *sk, uint8_t *msg, size_t aad_len, size_t text_len) must_use;
err_t cr_sk_open(struct cr_sk *sk, uint8_t *msg, size_t aad_len, size_t text_len) must_use;

/* Messages of IKEv1 (RFC 2409 appendix B): bare CBC in place, of whole blocks. The IV becomes the
 * last block of cipher text, which the next message goes on with. */
err_t cr_cbc(const struct alg *encr, struct bytes key, uint8_t *iv, uint8_t *text, size_t n,
             bool seal) must_use;

/* --- the packet path: ESP, batches --- */
struct cr_esp;     /* precomputed key schedule and HMAC states of one SA and direction */
struct cr_esp_ctx; /* per worker: multi-buffer manager, scratch */

enum cr_impl { CR_AUTO, CR_OSSL, CR_IMB };

err_t cr_esp_ctx_new(enum cr_impl impl, struct cr_esp_ctx **out) must_use;
void cr_esp_ctx_free(struct cr_esp_ctx *c);
/* key: encryption key and salt; integ_key empty for AEAD. impl must be the worker's. */
err_t cr_esp_new(enum cr_impl impl, const struct alg *encr, const struct alg *integ,
                 struct bytes key, struct bytes integ_key, struct cr_esp **out) must_use;
void cr_esp_free(struct cr_esp *e);
/* The same in memory of the caller's: so many bytes, aligned to a cache line. 0: not supported.
 * Once cr_esp_init succeeded, cr_esp_fini releases and wipes what is there. */
size_t cr_esp_size(enum cr_impl impl, const struct alg *encr, const struct alg *integ);
size_t cr_esp_size_of(const struct cr_esp *e);
err_t cr_esp_init(enum cr_impl impl, const struct alg *encr, const struct alg *integ,
                  struct bytes key, struct bytes integ_key, void *mem) must_use;
void cr_esp_fini(struct cr_esp *e);
/* E_NOTSUP, or E_USAGE: keys of the wrong length. */
err_t cr_esp_check(enum cr_impl impl, const struct alg *encr, const struct alg *integ,
                   struct bytes key, struct bytes integ_key) must_use;
bool cr_esp_supported(enum cr_impl impl, const struct alg *encr, const struct alg *integ);
/* The self-test of a suite (different data in each lane), a millisecond, runs with the first
 * question for it. Whoever knows early what an SA may use spares its first packet that. */
void cr_esp_prepare(const struct alg *encr, const struct alg *integ);
/* Who carries it: "ipsec-mb", "openssl", or "none". */
const char *cr_esp_impl_name(enum cr_impl impl, const struct alg *encr, const struct alg *integ);

/*
 * One operation: the bytes of an ESP packet from the SPI on.
 *   p        -> SPI(4) seq(4) IV(iv_len) text(text_len) ICV(icv_len)
 * For AH (RFC 4302) the key is one of the NULL cipher, and p the bytes to authenticate, at least 8:
 * the datagram with mutable fields and ICV zeroed; text_len counts from the ninth.
 * text is payload with trailer (already padded to the block size and to 4). With ESN the high
 * half of the sequence number enters the integrity check (RFC 4303 3.3.3.2.1 / 2.2.1; AAD of RFC
 * 4106 5). Sealing writes the IV as well: for counter modes from iv_seed as is (the unique 64-bit
 * counter), for CBC an unpredictable one derived by the implementation from iv_seed (RFC 3602 3).
 * src: text may be read from elsewhere while sealing or written elsewhere while opening: the plain
 * text's place; NULL: in place.
 */
struct cr_op {
    struct cr_esp *key;
    uint8_t *p;
    uint8_t *plain; /* NULL: in place */
    /*
     * Sealing, a text in slices: body_len bytes of it from offset body_at on are at `body` and not
     * in place, so that a segment of a super-packet needs no copy. NULL: none. With AES-GCM of
     * ours, up to 128 bytes before them and a trailer behind them cost next to nothing; everything
     * else is copied first.
     */
    const uint8_t *body;
    uint32_t body_at, body_len;
    uint32_t text_len;
    uint32_t seq_hi; /* used when the SA has ESN */
    bool esn;
    uint64_t iv_seed;
    err_t status; /* out: 0, R_DP_ICV, or negative */
};

/*
 * Runs all of them; order of completion is unspecified, all are complete on return. The bytes of
 * one operation must not overlap those of another. 32 or more together fill ipsec-mb's lanes.
 * cr_seal: true: every status is 0, and there is no need to look.
 */
bool cr_seal(struct cr_esp_ctx *c, struct cr_op *ops, size_t n);
void cr_open(struct cr_esp_ctx *c, struct cr_op *ops, size_t n);
