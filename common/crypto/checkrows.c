/*
 * Many short inputs one after the other: XXH3-128 with a seed, as the library computes it (xxHash's specification of XXH3,
 * "medium inputs"), but with what depends on the seed alone made once for all rows, and without a call for each. Rows of
 * 17 to 240 bytes are hashed here, shorter ones by the library's code, inlined, and longer ones by the library. A test
 * compares every length with the library.
 */
#if defined(__GNUC__) && !defined(__clang__)
/* gcc 12 else writes each product of 128 bits to the stack, and reads it back. */
#pragma GCC optimize("no-split-wide-types")
#endif

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdbool.h>
#include <string.h>

#include "common/crypto/checklong.h"
#include "common/crypto/hash.h"

#include "common/base/banned.h"

enum {
    SHORT_MAX = 16,
    SMALL_MAX = 128,
    MEDIUM_MAX = CHECK_LONG_MIN - 1,
    STEP = 32,        /* bytes of two pieces that are mixed with four words of a secret */
    WORDS = STEP / 8, /* of a secret, for a step */
    FIRST_STEPS = SMALL_MAX / STEP,
    MORE_STEPS = MEDIUM_MAX / STEP - FIRST_STEPS,
    SECRET = XXH_SECRET_DEFAULT_SIZE,
    MORE_AT = 3,   /* where in the secret the words for more steps begin */
    LAST_AT = 103, /* and those for the last one */
};

/* Words of the secret, even ones plus the seed, odd ones minus it. */
struct keys {
    uint64_t seed;
    uint8_t bytes[SECRET]; /* as the library wants them */
    uint64_t first[FIRST_STEPS * WORDS];
    uint64_t more[MORE_STEPS * WORDS];
    uint64_t last[WORDS];
};

static inline uint64_t little_endian(const uint8_t *p)
{
    uint64_t n;
    memcpy(&n, p, sizeof n);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    n = __builtin_bswap64(n);
#endif
    return n;
}

static void seed_words(uint64_t *out, size_t n, const uint8_t *secret, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        out[i] = little_endian(secret + 8 * i) + (i % 2 == 0 ? seed : 0 - seed);
}

static void make_keys(struct keys *k, uint64_t seed)
{
    uint8_t plain[SECRET];
    XXH3_generateSecret_fromSeed(plain, 0);
    XXH3_generateSecret_fromSeed(k->bytes, seed);
    k->seed = seed;
    seed_words(k->first, FIRST_STEPS * WORDS, plain, seed);
    seed_words(k->more, MORE_STEPS * WORDS, plain + MORE_AT, seed);
    seed_words(k->last, WORDS, plain + LAST_AT, 0 - seed);
}

/* ---- rows of 17 to 240 bytes ---------------------------------------------------------------------------------- */

/* Both halves of the product. The compiler's own type stays in registers, where the library's struct does not. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    const XXH128_hash_t product = XXH_mult64to128(a, b);
    return product.low64 ^ product.high64;
#endif
}

static inline void mix(XXH128_hash_t *sum, const uint8_t *one, const uint8_t *two, const uint64_t *key)
{
    uint64_t a = little_endian(one);
    uint64_t b = little_endian(one + 8);
    uint64_t c = little_endian(two);
    uint64_t d = little_endian(two + 8);
    sum->low64 += fold(key[0] ^ a, key[1] ^ b);
    sum->low64 ^= c + d;
    sum->high64 += fold(key[2] ^ c, key[3] ^ d);
    sum->high64 ^= a + b;
}

static inline XXH128_hash_t finish(XXH128_hash_t sum, size_t len, uint64_t seed)
{
    uint64_t high = sum.low64 * XXH_PRIME64_1 + sum.high64 * XXH_PRIME64_4 + (len - seed) * XXH_PRIME64_2;
    return (XXH128_hash_t){ .low64 = XXH3_avalanche(sum.low64 + sum.high64),
                            .high64 = 0 - XXH3_avalanche(high) };
}

/* From both ends inwards. */
static inline XXH128_hash_t hash_small(const struct keys *k, const uint8_t *p, size_t len)
{
    XXH128_hash_t sum = { .low64 = len * XXH_PRIME64_1, .high64 = 0 };
    const uint8_t *end = p + len;
    if (len > STEP) {
        if (len > 2 * STEP) {
            if (len > 3 * STEP)
                mix(&sum, p + 48, end - 64, k->first + 3 * WORDS);
            mix(&sum, p + 32, end - 48, k->first + 2 * WORDS);
        }
        mix(&sum, p + 16, end - 32, k->first + WORDS);
    }
    mix(&sum, p, end - 16, k->first);
    return finish(sum, len, k->seed);
}

static inline XXH128_hash_t hash_medium(const struct keys *k, const uint8_t *p, size_t len)
{
    XXH128_hash_t sum = { .low64 = len * XXH_PRIME64_1, .high64 = 0 };
    const uint8_t *end = p + len;
    for (size_t i = 0; i < FIRST_STEPS; i++)
        mix(&sum, p + i * STEP, p + i * STEP + 16, k->first + i * WORDS);
    sum.low64 = XXH3_avalanche(sum.low64);
    sum.high64 = XXH3_avalanche(sum.high64);
    for (size_t i = FIRST_STEPS; i < len / STEP; i++)
        mix(&sum, p + i * STEP, p + i * STEP + 16, k->more + (i - FIRST_STEPS) * WORDS);
    mix(&sum, end - 16, end - 32, k->last);
    return finish(sum, len, k->seed);
}

/* ---- all rows -------------------------------------------------------------------------------------------------- */

/* Not inlined: the loop below needs the registers. */
__attribute__((noinline)) static XXH128_hash_t hash_larger(const struct keys *k, const uint8_t *p, size_t len)
{
    if (len <= MEDIUM_MAX)
        return hash_medium(k, p, len);
    XXH128_hash_t h;
    check_long(p, len, k->bytes, SECRET, &h.high64, &h.low64);
    return h;
}

static inline XXH128_hash_t hash_row(const struct keys *k, const uint8_t *p, size_t len)
{
    if (len <= SHORT_MAX)
        return XXH3_128bits_withSeed(p, len, k->seed);
    return len <= SMALL_MAX ? hash_small(k, p, len) : hash_larger(k, p, len);
}

static void add_rows(const struct keys *k, const uint8_t *block, const size_t *ends, size_t n, uint64_t *high,
                     uint64_t *low)
{
    uint64_t sum_high = *high;
    uint64_t sum_low = *low;
    const uint8_t *row = block;
    for (size_t i = 0; i < n; i++) {
        XXH128_hash_t h = hash_row(k, row, (size_t)(block + ends[i] - row) - 1);
        sum_low += h.low64;
        sum_high += h.high64 + (sum_low < h.low64);
        row = block + ends[i];
    }
    *high = sum_high;
    *low = sum_low;
}

void check_add_rows(uint64_t seed, const void *data, const size_t *ends, size_t n, uint64_t *high,
                    uint64_t *low)
{
    /* Blocks are small where rows come in as fast as they are read: the words are made once for all of a thread's. */
    static _Thread_local struct keys k;
    static _Thread_local bool made;
    if (!made || k.seed != seed)
        make_keys(&k, seed);
    made = true;
    add_rows(&k, data, ends, n, high, low);
}
