/*
 * seal.h - encryption of small objects and of blobs.
 *
 * SEAL (format.md section 2): ke||km = H("bk1 seal keys", key, label, 64);
 * n = H("bk1 seal nonce", km, u64(|ad|)||ad||pt, 24); output n || AEAD(ke, n,
 * ad, pt). Deterministic; no nonce state. 40 bytes longer than the plaintext.
 * seal_open recomputes n and compares in constant time.
 *
 * AEAD is XChaCha20-Poly1305-IETF (16 bytes longer).
 * Failures to open are E_AUTH; the caller says what that means.
 */
#ifndef COMMON_CRYPTO_SEAL_H
#define COMMON_CRYPTO_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

enum {
    KEY_LEN = 32,
    SEAL_OVERHEAD = 40,
    AEAD_NONCE_LEN = 24,
    AEAD_OVERHEAD = 16,
};

/* Appends the sealed form to out. label is one of "trailer", "tail", "snap view", "snap priv", "ret note",
 * "keyfile", "approval". */
int seal(const uint8_t key[KEY_LEN], const char *label, const void *ad, size_t ad_len, const void *pt,
         size_t pt_len, struct buf *out, struct error *err);
/* Appends the plaintext to out (which should be wiped by the caller where it is secret). */
int seal_open(const uint8_t key[KEY_LEN], const char *label, const void *ad, size_t ad_len, const void *ct,
              size_t ct_len, struct buf *out, struct error *err);

/* out holds pt_len + AEAD_OVERHEAD bytes; in place (out == pt) is allowed. */
int aead_encrypt(const uint8_t key[KEY_LEN], const uint8_t nonce[AEAD_NONCE_LEN], const void *ad,
                 size_t ad_len, const void *pt, size_t pt_len, uint8_t *out, struct error *err);
/* out holds ct_len - AEAD_OVERHEAD bytes; in place is allowed. */
int aead_decrypt(const uint8_t key[KEY_LEN], const uint8_t nonce[AEAD_NONCE_LEN], const void *ad,
                 size_t ad_len, const void *ct, size_t ct_len, uint8_t *out, struct error *err);

/* A keystream, for the chunker's table: XChaCha20(key, nonce 0). */
int keystream(const uint8_t key[KEY_LEN], void *out, size_t len, struct error *err);

#endif
