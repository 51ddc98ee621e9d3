#include "common/crypto/hash.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/crypto/checklong.h"
#include "common/crypto/xxh3.h"

#include "common/base/banned.h"

static const uint8_t persons[PERSON_COUNT][crypto_generichash_blake2b_PERSONALBYTES] = {
    [PERSON_WRITER] = "bk1 writer",
    [PERSON_VIEW] = "bk1 view",
    [PERSON_ID] = "bk1 id",
    [PERSON_CHUNK] = "bk1 chunk",
    [PERSON_CDC] = "bk1 cdc",
    [PERSON_MIX] = "bk1 mix",
    [PERSON_TRAIL] = "bk1 trail",
    [PERSON_SESSION] = "bk1 session",
    [PERSON_KID] = "bk1 kid",
    [PERSON_PACK] = "bk1 pack",
    [PERSON_SNAP] = "bk1 snap",
    [PERSON_DATA] = "bk1 data",
    [PERSON_NODE] = "bk1 node",
    [PERSON_TREE] = "bk1 tree",
    [PERSON_RID] = "bk1 rid",
    [PERSON_SEAL_KEYS] = "bk1 seal keys",
    [PERSON_SEAL_NONCE] = "bk1 seal nonce",
    [PERSON_SEED] = "bk1 seed",
    [PERSON_GRANT] = "bk1 grant",
    [PERSON_REQUEST] = "bk1 request",
    [PERSON_APPROVE] = "bk1 approve",
};

const uint8_t *hash_person(enum person person)
{
    return persons[person];
}

/* Stack that the compression function may have used: it does not wipe what it spills of a key block. */
enum { STACK_LEFT = 2048 };

static int check_sizes(size_t key_len, size_t out_len, struct error *err)
{
    if (key_len > crypto_generichash_blake2b_KEYBYTES_MAX)
        return error_set(err, E_INTERNAL, "hash key of %zu bytes", key_len);
    if (out_len < crypto_generichash_blake2b_BYTES_MIN || out_len > crypto_generichash_blake2b_BYTES_MAX)
        return error_set(err, E_INTERNAL, "hash of %zu bytes", out_len);
    return 0;
}

int hash_keyed(enum person person, const void *key, size_t key_len, const void *msg, size_t msg_len,
               void *out, size_t out_len, struct error *err)
{
    struct hash_piece piece = { .data = msg, .len = msg_len };
    return hash_pieces(person, key, key_len, &piece, 1, out, out_len, err);
}

int hash_pieces(enum person person, const void *key, size_t key_len, const struct hash_piece *pieces,
                size_t n, void *out, size_t out_len, struct error *err)
{
    static const uint8_t salt[crypto_generichash_blake2b_SALTBYTES];
    crypto_generichash_blake2b_state state;
    int rc = check_sizes(key_len, out_len, err);
    if (rc < 0)
        return rc;
    bool bad = crypto_generichash_blake2b_init_salt_personal(&state, key_len != 0 ? key : NULL, key_len,
                                                             out_len, salt, persons[person]) != 0;
    for (size_t i = 0; !bad && i < n; i++)
        if (pieces[i].len != 0)
            bad = crypto_generichash_blake2b_update(&state, pieces[i].data, pieces[i].len) != 0;
    bad = bad || crypto_generichash_blake2b_final(&state, out, out_len) != 0;
    sodium_memzero(&state, sizeof state);
    if (key_len != 0)
        sodium_stackzero(STACK_LEFT);
    return bad ? error_set(err, E_INTERNAL, "BLAKE2b failed") : 0;
}

void file_hash(const void *data, size_t len, uint8_t out[HASH_LEN])
{
    (void)crypto_generichash_blake2b(out, HASH_LEN, data, len, NULL, 0);
}

void wide_hash(const void *data, size_t len, uint8_t out[64])
{
    (void)crypto_generichash_blake2b(out, 64, data, len, NULL, 0);
}

struct file_hash_state {
    crypto_generichash_blake2b_state blake; /* asks for 64-byte alignment */
};

struct file_hash_state *file_hash_new(struct error *err)
{
    struct file_hash_state *s = aligned_alloc(_Alignof(struct file_hash_state), sizeof *s);
    if (s == NULL) {
        (void)error_set(err, E_NOMEM, "out of memory (hash state)");
        return NULL;
    }
    (void)crypto_generichash_blake2b_init(&s->blake, NULL, 0, HASH_LEN);
    return s;
}

void file_hash_begin_keyed(struct file_hash_state *s, const uint8_t key[HASH_LEN])
{
    (void)crypto_generichash_blake2b_init(&s->blake, key, HASH_LEN, HASH_LEN);
}

void file_hash_update(struct file_hash_state *s, const void *data, size_t len)
{
    if (len != 0)
        (void)crypto_generichash_blake2b_update(&s->blake, data, len);
}

void file_hash_final(struct file_hash_state *s, uint8_t out[HASH_LEN])
{
    (void)crypto_generichash_blake2b_final(&s->blake, out, HASH_LEN);
}

void file_hash_free(struct file_hash_state *s)
{
    if (s != NULL)
        sodium_memzero(s, sizeof *s);
    free(s);
}

struct check_state {
    XXH3_state_t *xxh; /* made by the library: it asks for 64-byte alignment */
    uint64_t seed;
};

struct check_state *check_new(struct error *err)
{
    return check_new_seeded(0, err);
}

struct check_state *check_new_seeded(uint64_t seed, struct error *err)
{
    struct check_state *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    s->xxh = XXH3_createState();
    if (s->xxh == NULL) {
        (void)error_set(err, E_NOMEM, "out of memory (check state)");
        free(s);
        return NULL;
    }
    s->seed = seed;
    check_reset(s);
    return s;
}

void check_reset(struct check_state *s)
{
    (void)XXH3_128bits_reset_withSeed(s->xxh, s->seed);
}

void check_update(struct check_state *s, const void *data, size_t len)
{
    if (len != 0)
        (void)XXH3_128bits_update(s->xxh, data, len);
}

void check_final(const struct check_state *s, uint8_t out[CHECK_LEN])
{
    XXH128_canonical_t big_endian;
    XXH128_canonicalFromHash(&big_endian, XXH3_128bits_digest(s->xxh));
    memcpy(out, big_endian.digest, CHECK_LEN);
}

void check_free(struct check_state *s)
{
    if (s == NULL)
        return;
    (void)XXH3_freeState(s->xxh);
    free(s);
}

void check_hash(const void *data, size_t len, uint8_t out[CHECK_LEN])
{
    XXH128_canonical_t big_endian;
    XXH128_canonicalFromHash(&big_endian, XXH3_128bits(data, len));
    memcpy(out, big_endian.digest, CHECK_LEN);
}

void check_hash_seeded(uint64_t seed, const void *data, size_t len, uint8_t out[CHECK_LEN])
{
    XXH128_canonical_t big_endian;
    XXH128_canonicalFromHash(&big_endian, XXH3_128bits_withSeed(data, len, seed));
    memcpy(out, big_endian.digest, CHECK_LEN);
}

void check_long(const void *data, size_t len, const void *secret, size_t secret_len, uint64_t *high,
                uint64_t *low)
{
    const XXH128_hash_t h = XXH3_128bits_withSecret(data, len, secret, secret_len);
    *high = h.high64;
    *low = h.low64;
}

uint64_t check64(const void *data, size_t len)
{
    return XXH64(data, len, 0);
}
