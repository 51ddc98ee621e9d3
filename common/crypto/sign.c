#include "common/crypto/sign.h"

#include <sodium.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/base/banned.h"

_Static_assert(BOX_SEAL_OVERHEAD == crypto_box_SEALBYTES, "box overhead");

enum {
    TAG_LEN = 16,
    TAGGED_LEN = TAG_LEN + 64,
    /* stack that the curve code may have used; it does not wipe the shared point and its digits */
    STACK_LEFT = 8192,
};

static const uint8_t tags[][TAG_LEN] = {
    [SIGN_WRITER] = "bk1 sig writer", [SIGN_RETENTION] = "bk1 sig retain", [SIGN_CHARTER] = "bk1 sig charter",
    [SIGN_SHRED] = "bk1 sig shred",   [SIGN_DRILL] = "bk1 sig drill",
};

static void tagged_hash(enum sign_tag tag, const void *msg, size_t len, uint8_t out[TAGGED_LEN])
{
    memcpy(out, tags[tag], TAG_LEN);
    wide_hash(msg, len, out + TAG_LEN);
}

static int expand_seed(const struct secret *seed, uint8_t pk[SIGN_PK_LEN],
                       uint8_t sk[crypto_sign_SECRETKEYBYTES], struct error *err)
{
    if (secret_len(seed) != SIGN_SEED_LEN)
        return error_set(err, E_INTERNAL, "signing key of %zu bytes", secret_len(seed));
    if (crypto_sign_seed_keypair(pk, sk, secret_view(seed)) != 0)
        return error_set(err, E_INTERNAL, "signing key cannot be expanded");
    return 0;
}

int sign_public(const struct secret *seed, uint8_t pk[SIGN_PK_LEN], struct error *err)
{
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    int rc = expand_seed(seed, pk, sk, err);
    secret_wipe(sk, sizeof sk);
    return rc;
}

int sign_detached(const struct secret *seed, enum sign_tag tag, const void *msg, size_t len,
                  uint8_t sig[SIG_LEN], struct error *err)
{
    uint8_t pk[SIGN_PK_LEN];
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    uint8_t tagged[TAGGED_LEN];
    int rc = expand_seed(seed, pk, sk, err);
    if (rc == 0) {
        tagged_hash(tag, msg, len, tagged);
        if (crypto_sign_detached(sig, NULL, tagged, sizeof tagged, sk) != 0)
            rc = error_set(err, E_INTERNAL, "signing failed");
    }
    secret_wipe(sk, sizeof sk);
    return rc;
}

bool sign_verify(const uint8_t pk[SIGN_PK_LEN], enum sign_tag tag, const void *msg, size_t len,
                 const uint8_t sig[SIG_LEN])
{
    uint8_t tagged[TAGGED_LEN];
    tagged_hash(tag, msg, len, tagged);
    return crypto_sign_verify_detached(sig, tagged, sizeof tagged, pk) == 0;
}

int box_public(const struct secret *sk, uint8_t pk[BOX_PK_LEN], struct error *err)
{
    if (secret_len(sk) != BOX_SK_LEN)
        return error_set(err, E_INTERNAL, "box key of %zu bytes", secret_len(sk));
    if (crypto_scalarmult_base(pk, secret_view(sk)) != 0)
        return error_set(err, E_INTERNAL, "box key has no public key");
    return 0;
}

int box_seal(const uint8_t pk[BOX_PK_LEN], const void *msg, size_t len, uint8_t *out, struct error *err)
{
    int rc = crypto_box_seal(out, msg, len, pk);
    sodium_stackzero(STACK_LEFT);
    if (rc != 0)
        return error_set(err, E_AUTH, "the recipient's public key is not a usable X25519 key");
    return 0;
}

int box_open(const struct secret *sk, const void *box, size_t len, uint8_t *out, struct error *err)
{
    uint8_t pk[BOX_PK_LEN];
    int rc = box_public(sk, pk, err);
    if (rc < 0)
        return rc;
    rc = len >= BOX_SEAL_OVERHEAD ? crypto_box_seal_open(out, box, len, pk, secret_view(sk)) : -1;
    sodium_stackzero(STACK_LEFT);
    if (rc != 0)
        return error_set(err, E_AUTH, "the key does not open the box");
    return 0;
}

struct secret *box_shared(const struct secret *sk, const uint8_t pk[BOX_PK_LEN], struct error *err)
{
    _Static_assert(crypto_scalarmult_BYTES == BOX_SK_LEN, "an X25519 secret has 32 bytes");
    if (secret_len(sk) != BOX_SK_LEN) {
        (void)error_set(err, E_INTERNAL, "box key of %zu bytes", secret_len(sk));
        return NULL;
    }
    struct secret *out = secret_new(crypto_scalarmult_BYTES, err);
    int rc = out != NULL ? crypto_scalarmult(secret_data(out), secret_view(sk), pk) : 0;
    sodium_stackzero(STACK_LEFT);
    if (rc != 0) {
        (void)error_set(err, E_AUTH, "the public key is not a usable X25519 key");
        secret_free(out);
        return NULL;
    }
    return out;
}

int box_rid(const uint8_t pk[BOX_PK_LEN], uint8_t rid[RID_LEN], struct error *err)
{
    return hash_keyed(PERSON_RID, NULL, 0, pk, BOX_PK_LEN, rid, RID_LEN, err);
}
