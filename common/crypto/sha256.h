/*
 * sha256.h - SHA-256, for lists that sha256sum reads. The repository itself has other hashes (hash.h).
 *
 *     struct sha256_state *s = sha256_new(err);
 *     sha256_update(s, data, len)...;
 *     sha256_final(s, text);      // 64 lower-case hex digits; s is then as new
 *     sha256_free(s);
 *
 * And HMAC-SHA-256, by which somebody else knows who wrote a message.
 */
#ifndef COMMON_CRYPTO_SHA256_H
#define COMMON_CRYPTO_SHA256_H

#include <stddef.h>

#include "common/base/error.h"
#include "common/crypto/secret.h"

enum { SHA256_TEXT = 65 };

struct sha256_state;

struct sha256_state *sha256_new(struct error *err);
void sha256_update(struct sha256_state *s, const void *data, size_t len);
void sha256_final(struct sha256_state *s, char out[SHA256_TEXT]);
void sha256_free(struct sha256_state *s);

/* HMAC-SHA-256 (RFC 2104) over the parts one after the other, as 64 lower-case hex digits; ends with data NULL. */
struct sha256_part {
    const void *data;
    size_t len;
};
void hmac_sha256(const struct secret *key, const struct sha256_part *parts, char out[SHA256_TEXT]);
/* Of a whole block in base64, as a Content-Security-Policy names a style sheet. */
enum { SHA256_BASE64 = 45 };
void sha256_base64(const void *data, size_t len, char out[SHA256_BASE64]);

#endif
