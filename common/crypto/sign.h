/*
 * sign.h - Ed25519 over tag16 || BLAKE2b-512(message); X25519 boxes.
 *
 * Tags are "bk1 sig writer", "bk1 sig retain", "bk1 sig charter", and, for certificates of destruction and of drills,
 * "bk1 sig shred" and "bk1 sig drill", NUL-padded to 16 bytes. A public key that is not a canonical point, or of small order,
 * is refused by libsodium's verification.
 */
#ifndef COMMON_CRYPTO_SIGN_H
#define COMMON_CRYPTO_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/crypto/secret.h"

enum {
    SIGN_PK_LEN = 32,
    SIGN_SEED_LEN = 32,
    SIG_LEN = 64,
    BOX_PK_LEN = 32,
    BOX_SK_LEN = 32,
    BOX_SEAL_OVERHEAD = 48,
    RID_LEN = 16,
};

enum sign_tag { SIGN_WRITER, SIGN_RETENTION, SIGN_CHARTER, SIGN_SHRED, SIGN_DRILL };

/* A signing key is stored as its 32-byte seed. */
int sign_public(const struct secret *seed, uint8_t pk[SIGN_PK_LEN], struct error *err);
int sign_detached(const struct secret *seed, enum sign_tag tag, const void *msg, size_t len,
                  uint8_t sig[SIG_LEN], struct error *err);
bool sign_verify(const uint8_t pk[SIGN_PK_LEN], enum sign_tag tag, const void *msg, size_t len,
                 const uint8_t sig[SIG_LEN]);

/* X25519. */
int box_public(const struct secret *sk, uint8_t pk[BOX_PK_LEN], struct error *err);
/* out holds len + BOX_SEAL_OVERHEAD bytes. */
int box_seal(const uint8_t pk[BOX_PK_LEN], const void *msg, size_t len, uint8_t *out, struct error *err);
/* out holds len - BOX_SEAL_OVERHEAD bytes; E_AUTH when the key does not open it. */
int box_open(const struct secret *sk, const void *box, size_t len, uint8_t *out, struct error *err);
/* The X25519 secret that two people share: each from the own secret key and the other's public key. For secret_free();
 * E_AUTH: the public key is of small order. */
struct secret *box_shared(const struct secret *sk, const uint8_t pk[BOX_PK_LEN], struct error *err);
/* rid = H("bk1 rid", "", pk, 16) */
int box_rid(const uint8_t pk[BOX_PK_LEN], uint8_t rid[RID_LEN], struct error *err);

#endif
