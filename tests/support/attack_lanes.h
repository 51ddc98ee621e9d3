/*
 * attack_lanes.h - the primitives of format bk1 for eight keys at a time, for the attack program.
 *
 * Written from RFC 7693 (BLAKE2b), RFC 8439 (ChaCha20) and the Salsa20 papers, apart from libsodium, and
 * compared with it by lanes_self_test(). They only sort out wrong keys quickly: what passes is opened with
 * the library. Every argument called `keys` holds LANES keys of 32 bytes, one after another.
 */
#ifndef TESTS_SUPPORT_ATTACK_LANES_H
#define TESTS_SUPPORT_ATTACK_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANES = 8, LANE_KEY = 32, BLAKE_BLOCK = 128 };

/* BLAKE2b of eight messages: state word w of lane l is h[w][l]. */
struct blake_lanes {
    uint64_t h[8][LANES];
};

/* The first state of a hash with person, a key of key_len and an output of out_len bytes; the same in all
 * lanes. */
void lanes_blake_init(struct blake_lanes *s, const uint8_t person[16], size_t key_len, size_t out_len);
/* One block per lane; `total` counts the bytes up to and with it (a key block counts 128). */
void lanes_blake(struct blake_lanes *s, const uint8_t *const blocks[LANES], uint64_t total, bool last);
/* The first len bytes of lane l. */
void lanes_blake_out(const struct blake_lanes *s, size_t lane, uint8_t *out, size_t len);

/* HChaCha20(key, nonce16) of each key. */
void lanes_hchacha(const uint8_t *keys, const uint8_t nonce[16], uint8_t *out);
/* The first 16 bytes of each key's ChaCha20 stream at block `counter`, nonce of 8 bytes. */
void lanes_chacha(const uint8_t *keys, const uint8_t nonce[8], uint32_t counter, uint8_t *out);
/* HSalsa20(key, nonce16) of each key. */
void lanes_hsalsa(const uint8_t *keys, const uint8_t nonce[16], uint8_t *out);
/* The first 32 bytes of each key's Salsa20 stream, nonce of 8 bytes: the one-time key of crypto_box. */
void lanes_salsa(const uint8_t *keys, const uint8_t nonce[8], uint8_t *out);

/* False when one of them does not do what libsodium does. */
bool lanes_self_test(void);

#endif
