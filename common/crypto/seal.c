#include "common/crypto/seal.h"

#include <sodium.h>
#include <string.h>

#include "common/base/reader.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret.h"
#include "common/base/banned.h"

_Static_assert(KEY_LEN == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
_Static_assert(AEAD_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce size");
_Static_assert(AEAD_OVERHEAD == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag size");

/* Bytes of stack that libsodium's cipher may have used: its vector code spills parts of the key there and
 * wipes only its named variables (a dump of an ended run showed 8 bytes of a message key on a worker's
 * stack). */
enum { STACK_LEFT = 4096 };

/* The two halves of what a label's key becomes. */
struct seal_keys {
    uint8_t encrypt[KEY_LEN];
    uint8_t nonce[KEY_LEN];
};

static int derive(const uint8_t key[KEY_LEN], const char *label, struct seal_keys *keys, struct error *err)
{
    uint8_t both[2 * KEY_LEN];
    int rc = hash_keyed(PERSON_SEAL_KEYS, key, KEY_LEN, label, strlen(label), both, sizeof both, err);
    memcpy(keys->encrypt, both, KEY_LEN);
    memcpy(keys->nonce, both + KEY_LEN, KEY_LEN);
    secret_wipe(both, sizeof both);
    return rc;
}

static int make_nonce(const struct seal_keys *keys, const void *ad, size_t ad_len, const void *pt,
                      size_t pt_len, uint8_t nonce[AEAD_NONCE_LEN], struct error *err)
{
    uint8_t ad_size[8];
    store_u64(ad_size, ad_len);
    const struct hash_piece pieces[] = {
        { .data = ad_size, .len = sizeof ad_size },
        { .data = ad, .len = ad_len },
        { .data = pt, .len = pt_len },
    };
    return hash_pieces(PERSON_SEAL_NONCE, keys->nonce, KEY_LEN, pieces, 3, nonce, AEAD_NONCE_LEN, err);
}

int seal(const uint8_t key[KEY_LEN], const char *label, const void *ad, size_t ad_len, const void *pt,
         size_t pt_len, struct buf *out, struct error *err)
{
    struct seal_keys keys = { 0 };
    uint8_t nonce[AEAD_NONCE_LEN];
    if (pt_len > SIZE_MAX - SEAL_OVERHEAD)
        return error_set(err, E_INTERNAL, "sealing %zu bytes", pt_len);
    int rc = buf_reserve(out, pt_len + SEAL_OVERHEAD, err);
    if (rc < 0)
        return rc;
    uint8_t *to = out->data + out->len;
    if ((rc = derive(key, label, &keys, err)) < 0 ||
        (rc = make_nonce(&keys, ad, ad_len, pt, pt_len, nonce, err)) < 0 ||
        (rc = aead_encrypt(keys.encrypt, nonce, ad, ad_len, pt, pt_len, to + AEAD_NONCE_LEN, err)) < 0)
        goto out;
    memcpy(to, nonce, AEAD_NONCE_LEN);
    out->len += pt_len + SEAL_OVERHEAD;
out:
    secret_wipe(&keys, sizeof keys);
    return rc;
}

int seal_open(const uint8_t key[KEY_LEN], const char *label, const void *ad, size_t ad_len, const void *ct,
              size_t ct_len, struct buf *out, struct error *err)
{
    struct seal_keys keys = { 0 };
    uint8_t nonce[AEAD_NONCE_LEN];
    const uint8_t *from = ct;
    if (ct_len < SEAL_OVERHEAD)
        return error_set(err, E_AUTH, "sealed '%s' of %zu bytes is too short", label, ct_len);
    size_t pt_len = ct_len - SEAL_OVERHEAD;
    int rc = buf_reserve(out, pt_len + 1, err); /* + 1: never a NULL to decrypt to */
    if (rc < 0)
        return rc;
    uint8_t *to = out->data + out->len;
    if ((rc = derive(key, label, &keys, err)) < 0 ||
        (rc = aead_decrypt(keys.encrypt, from, ad, ad_len, from + AEAD_NONCE_LEN, ct_len - AEAD_NONCE_LEN, to,
                           err)) < 0 ||
        (rc = make_nonce(&keys, ad, ad_len, to, pt_len, nonce, err)) < 0)
        goto out;
    if (!secret_equal(nonce, from, sizeof nonce)) {
        secret_wipe(to, pt_len);
        rc = error_set(err, E_AUTH, "sealed '%s' was not made by seal", label);
        goto out;
    }
    out->len += pt_len;
out:
    secret_wipe(&keys, sizeof keys);
    return rc;
}

int aead_encrypt(const uint8_t key[KEY_LEN], const uint8_t nonce[AEAD_NONCE_LEN], const void *ad,
                 size_t ad_len, const void *pt, size_t pt_len, uint8_t *out, struct error *err)
{
    if (pt_len > SIZE_MAX - AEAD_OVERHEAD)
        return error_set(err, E_INTERNAL, "encryption of %zu bytes", pt_len);
    int rc = crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, pt, pt_len, ad, ad_len, NULL, nonce, key);
    sodium_stackzero(STACK_LEFT);
    if (rc != 0)
        return error_set(err, E_INTERNAL, "encryption of %zu bytes failed", pt_len);
    return 0;
}

int aead_decrypt(const uint8_t key[KEY_LEN], const uint8_t nonce[AEAD_NONCE_LEN], const void *ad,
                 size_t ad_len, const void *ct, size_t ct_len, uint8_t *out, struct error *err)
{
    int rc = -1;
    if (ct_len >= AEAD_OVERHEAD) {
        rc = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, ct, ct_len, ad, ad_len, nonce, key);
        sodium_stackzero(STACK_LEFT);
    }
    if (rc != 0)
        return error_set(err, E_AUTH, "the key does not open it, or it was changed");
    return 0;
}

int keystream(const uint8_t key[KEY_LEN], void *out, size_t len, struct error *err)
{
    static const uint8_t nonce[crypto_stream_xchacha20_NONCEBYTES];
    if (crypto_stream_xchacha20(out, len, nonce, key) != 0)
        return error_set(err, E_INTERNAL, "keystream of %zu bytes failed", len);
    return 0;
}
