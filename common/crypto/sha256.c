#include "common/crypto/sha256.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

struct sha256_state {
    crypto_hash_sha256_state state;
};

struct sha256_state *sha256_new(struct error *err)
{
    struct sha256_state *s = mem_alloc(1, sizeof *s, err);
    if (s != NULL)
        (void)crypto_hash_sha256_init(&s->state);
    return s;
}

void sha256_update(struct sha256_state *s, const void *data, size_t len)
{
    (void)crypto_hash_sha256_update(&s->state, data, len);
}

void sha256_final(struct sha256_state *s, char out[SHA256_TEXT])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256_final(&s->state, hash);
    hex_encode(out, hash, sizeof hash);
    (void)crypto_hash_sha256_init(&s->state);
}

void sha256_free(struct sha256_state *s)
{
    free(s);
}

void hmac_sha256(const struct secret *key, const struct sha256_part *parts, char out[SHA256_TEXT])
{
    crypto_auth_hmacsha256_state state;
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    (void)crypto_auth_hmacsha256_init(&state, secret_view(key), secret_len(key));
    for (; parts->data != NULL; parts++)
        (void)crypto_auth_hmacsha256_update(&state, parts->data, parts->len);
    (void)crypto_auth_hmacsha256_final(&state, mac);
    hex_encode(out, mac, sizeof mac);
    secret_wipe(&state, sizeof state);
}

void sha256_base64(const void *data, size_t len, char out[SHA256_BASE64])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(hash, data, len);
    (void)sodium_bin2base64(out, SHA256_BASE64, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
}
