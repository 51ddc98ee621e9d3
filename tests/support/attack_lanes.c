#include "tests/support/attack_lanes.h"

#include <sodium.h>
#include <string.h>

#include "common/base/banned.h"

/* The compiler's own vectors: AVX2 where the processor has it, else what the machine offers. */
typedef uint64_t wide64 __attribute__((vector_size(32)));
typedef uint32_t wide32 __attribute__((vector_size(32)));

#define INLINE static inline __attribute__((always_inline))
/* Arrays of vectors stay in registers only where every index is known. */
#define UNROLL _Pragma("GCC unroll 16")
#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2")))
#define HAVE_WIDE __builtin_cpu_supports("avx2")
#else
#define WIDE
#define HAVE_WIDE 0
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are taken as they lie in memory");

INLINE uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

INLINE uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

/* ---- BLAKE2b ------------------------------------------------------------------------------------------- */

static const uint64_t blake_iv[8] = { 0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                      0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                      0x1f83d9abfb41bd6b, 0x5be0cd19137e2179 };
static const uint8_t sigma[10][16] = {
    { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
    { 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
    { 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
    { 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
    { 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
    { 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
    { 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
    { 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
    { 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
    { 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

void lanes_blake_init(struct blake_lanes *s, const uint8_t person[16], size_t key_len, size_t out_len)
{
    uint64_t h[8];
    memcpy(h, blake_iv, sizeof h);
    h[0] ^= 0x01010000 ^ (uint64_t)key_len << 8 ^ (uint64_t)out_len;
    h[6] ^= get64(person);
    h[7] ^= get64(person + 8);
    for (size_t w = 0; w < 8; w++)
        for (size_t l = 0; l < LANES; l++)
            s->h[w][l] = h[w];
}

#define ROT64(x, n) (((x) >> (n)) | ((x) << (64 - (n))))
#define BLAKE_G(a, b, c, d, x, y) \
    do {                          \
        a = a + b + (x);          \
        d = ROT64(d ^ a, 32);     \
        c = c + d;                \
        b = ROT64(b ^ c, 24);     \
        a = a + b + (y);          \
        d = ROT64(d ^ a, 16);     \
        c = c + d;                \
        b = ROT64(b ^ c, 63);     \
    } while (0)

/* Four lanes, from lane `first`. */
INLINE void blake_four(struct blake_lanes *s, const uint8_t *const blocks[LANES], uint64_t total, bool last,
                       size_t first)
{
    wide64 m[16], v[16];
    UNROLL
    for (size_t w = 0; w < 16; w++)
        m[w] = (wide64){ get64(blocks[first] + 8 * w), get64(blocks[first + 1] + 8 * w),
                         get64(blocks[first + 2] + 8 * w), get64(blocks[first + 3] + 8 * w) };
    UNROLL
    for (size_t w = 0; w < 8; w++) {
        memcpy(&v[w], &s->h[w][first], sizeof v[w]);
        v[w + 8] = (wide64){ 0 } + blake_iv[w];
    }
    v[12] ^= total;
    if (last)
        v[14] = ~v[14];
    UNROLL
    for (size_t r = 0; r < 12; r++) {
        const uint8_t *p = sigma[r % 10];
        BLAKE_G(v[0], v[4], v[8], v[12], m[p[0]], m[p[1]]);
        BLAKE_G(v[1], v[5], v[9], v[13], m[p[2]], m[p[3]]);
        BLAKE_G(v[2], v[6], v[10], v[14], m[p[4]], m[p[5]]);
        BLAKE_G(v[3], v[7], v[11], v[15], m[p[6]], m[p[7]]);
        BLAKE_G(v[0], v[5], v[10], v[15], m[p[8]], m[p[9]]);
        BLAKE_G(v[1], v[6], v[11], v[12], m[p[10]], m[p[11]]);
        BLAKE_G(v[2], v[7], v[8], v[13], m[p[12]], m[p[13]]);
        BLAKE_G(v[3], v[4], v[9], v[14], m[p[14]], m[p[15]]);
    }
    UNROLL
    for (size_t w = 0; w < 8; w++) {
        wide64 h;
        memcpy(&h, &s->h[w][first], sizeof h);
        h ^= v[w] ^ v[w + 8];
        memcpy(&s->h[w][first], &h, sizeof h);
    }
}

WIDE static void blake_wide(struct blake_lanes *s, const uint8_t *const blocks[LANES], uint64_t total,
                            bool last)
{
    blake_four(s, blocks, total, last, 0);
    blake_four(s, blocks, total, last, 4);
}

static void blake_plain(struct blake_lanes *s, const uint8_t *const blocks[LANES], uint64_t total, bool last)
{
    blake_four(s, blocks, total, last, 0);
    blake_four(s, blocks, total, last, 4);
}

void lanes_blake(struct blake_lanes *s, const uint8_t *const blocks[LANES], uint64_t total, bool last)
{
    if (HAVE_WIDE)
        blake_wide(s, blocks, total, last);
    else
        blake_plain(s, blocks, total, last);
}

void lanes_blake_out(const struct blake_lanes *s, size_t lane, uint8_t *out, size_t len)
{
    for (size_t w = 0; 8 * w < len; w++)
        put64(out + 8 * w, s->h[w][lane]);
}

/* ---- ChaCha20 and Salsa20 ------------------------------------------------------------------------------ */

static const uint32_t expand[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

#define ROT32(x, n) (((x) << (n)) | ((x) >> (32 - (n))))
#define CHACHA_Q(a, b, c, d)  \
    do {                      \
        a = a + b;            \
        d = ROT32(d ^ a, 16); \
        c = c + d;            \
        b = ROT32(b ^ c, 12); \
        a = a + b;            \
        d = ROT32(d ^ a, 8);  \
        c = c + d;            \
        b = ROT32(b ^ c, 7);  \
    } while (0)
#define SALSA_Q(a, b, c, d)       \
    do {                          \
        b = b ^ ROT32(a + d, 7);  \
        c = c ^ ROT32(b + a, 9);  \
        d = d ^ ROT32(c + b, 13); \
        a = a ^ ROT32(d + c, 18); \
    } while (0)

/* What one call is asked to do. */
struct lane_job {
    const uint8_t *keys;
    uint32_t in[4]; /* the words that are not key and not constant */
    bool salsa;
    bool plus;        /* add the input at the end: a block of the stream, not a derived key */
    uint8_t words[8]; /* which words go out, in this order */
    size_t nwords;
    uint8_t *out;
};

INLINE void load_keys(const uint8_t *keys, wide32 k[8])
{
    for (size_t w = 0; w < 8; w++) {
        uint32_t all[LANES];
        for (size_t l = 0; l < LANES; l++)
            all[l] = get32(keys + LANE_KEY * l + 4 * w);
        memcpy(&k[w], all, sizeof all);
    }
}

INLINE void core(const struct lane_job *j, const bool salsa)
{
    static const uint8_t chacha_place[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    /* constants, key, input: where each of the 16 words of ChaCha's order stands in Salsa's. */
    static const uint8_t salsa_place[16] = { 0, 5, 10, 15, 1, 2, 3, 4, 11, 12, 13, 14, 6, 7, 8, 9 };
    const uint8_t *place = salsa ? salsa_place : chacha_place;
    wide32 k[8], start[16], x[16];
    load_keys(j->keys, k);
    UNROLL
    for (size_t i = 0; i < 16; i++)
        start[place[i]] = i < 4    ? (wide32){ 0 } + expand[i]
                          : i < 12 ? k[i - 4]
                                   : (wide32){ 0 } + j->in[i - 12];
    UNROLL
    for (size_t i = 0; i < 16; i++)
        x[i] = start[i];
    for (int r = 0; r < 10 && !salsa; r++) {
        CHACHA_Q(x[0], x[4], x[8], x[12]);
        CHACHA_Q(x[1], x[5], x[9], x[13]);
        CHACHA_Q(x[2], x[6], x[10], x[14]);
        CHACHA_Q(x[3], x[7], x[11], x[15]);
        CHACHA_Q(x[0], x[5], x[10], x[15]);
        CHACHA_Q(x[1], x[6], x[11], x[12]);
        CHACHA_Q(x[2], x[7], x[8], x[13]);
        CHACHA_Q(x[3], x[4], x[9], x[14]);
    }
    for (int r = 0; r < 10 && salsa; r++) {
        SALSA_Q(x[0], x[4], x[8], x[12]);
        SALSA_Q(x[5], x[9], x[13], x[1]);
        SALSA_Q(x[10], x[14], x[2], x[6]);
        SALSA_Q(x[15], x[3], x[7], x[11]);
        SALSA_Q(x[0], x[1], x[2], x[3]);
        SALSA_Q(x[5], x[6], x[7], x[4]);
        SALSA_Q(x[10], x[11], x[8], x[9]);
        SALSA_Q(x[15], x[12], x[13], x[14]);
    }
    uint32_t all[16][LANES];
    UNROLL
    for (size_t i = 0; i < 16; i++) {
        if (j->plus)
            x[i] += start[i];
        memcpy(all[i], &x[i], sizeof all[i]);
    }
    for (size_t i = 0; i < j->nwords; i++)
        for (size_t l = 0; l < LANES; l++)
            put32(j->out + (l * j->nwords + i) * 4, all[j->words[i]][l]);
}

WIDE static void core_wide(const struct lane_job *j)
{
    if (j->salsa)
        core(j, true);
    else
        core(j, false);
}

static void core_plain(const struct lane_job *j)
{
    if (j->salsa)
        core(j, true);
    else
        core(j, false);
}

static void run(const struct lane_job *j)
{
    if (HAVE_WIDE)
        core_wide(j);
    else
        core_plain(j);
}

void lanes_hchacha(const uint8_t *keys, const uint8_t nonce[16], uint8_t *out)
{
    struct lane_job j = { .keys = keys, .words = { 0, 1, 2, 3, 12, 13, 14, 15 }, .nwords = 8, .out = out };
    for (size_t i = 0; i < 4; i++)
        j.in[i] = get32(nonce + 4 * i);
    run(&j);
}

void lanes_chacha(const uint8_t *keys, const uint8_t nonce[8], uint32_t counter, uint8_t *out)
{
    struct lane_job j = { .keys = keys, .plus = true, .words = { 0, 1, 2, 3 }, .nwords = 4, .out = out };
    j.in[0] = counter;
    j.in[2] = get32(nonce);
    j.in[3] = get32(nonce + 4);
    run(&j);
}

void lanes_hsalsa(const uint8_t *keys, const uint8_t nonce[16], uint8_t *out)
{
    struct lane_job j = {
        .keys = keys, .salsa = true, .words = { 0, 5, 10, 15, 6, 7, 8, 9 }, .nwords = 8, .out = out
    };
    for (size_t i = 0; i < 4; i++)
        j.in[i] = get32(nonce + 4 * i);
    run(&j);
}

void lanes_salsa(const uint8_t *keys, const uint8_t nonce[8], uint8_t *out)
{
    struct lane_job j = { .keys = keys,
                          .salsa = true,
                          .plus = true,
                          .words = { 0, 1, 2, 3, 4, 5, 6, 7 },
                          .nwords = 8,
                          .out = out };
    j.in[0] = get32(nonce);
    j.in[1] = get32(nonce + 4);
    run(&j);
}

/* ---- against libsodium --------------------------------------------------------------------------------- */

static bool same_blake(const uint8_t *keys)
{
    static const uint8_t person[16] = "a person";
    static const uint8_t salt[16];
    uint8_t block[LANES][BLAKE_BLOCK] = { { 0 } };
    uint8_t text[LANES][BLAKE_BLOCK] = { { 0 } };
    const uint8_t *at[LANES], *text_at[LANES];
    struct blake_lanes s;
    for (size_t l = 0; l < LANES; l++) {
        memcpy(block[l], keys + LANE_KEY * l, LANE_KEY);
        memset(text[l], (int)l + 1, 60);
        at[l] = block[l];
        text_at[l] = text[l];
    }
    lanes_blake_init(&s, person, LANE_KEY, 64);
    lanes_blake(&s, at, BLAKE_BLOCK, false);
    lanes_blake(&s, text_at, BLAKE_BLOCK + 60, true);
    for (size_t l = 0; l < LANES; l++) {
        uint8_t want[64], got[64];
        (void)crypto_generichash_blake2b_salt_personal(want, 64, text[l], 60, block[l], LANE_KEY, salt,
                                                       person);
        lanes_blake_out(&s, l, got, 64);
        if (memcmp(want, got, 64) != 0)
            return false;
    }
    return true;
}

bool lanes_self_test(void)
{
    uint8_t keys[LANES * LANE_KEY], nonce[24], hc[LANES * 32], c[LANES * 16], hs[LANES * 32], s[LANES * 32];
    randombytes_buf(keys, sizeof keys);
    randombytes_buf(nonce, sizeof nonce);
    lanes_hchacha(keys, nonce, hc);
    lanes_chacha(keys, nonce + 16, 3, c);
    lanes_hsalsa(keys, nonce, hs);
    lanes_salsa(keys, nonce + 16, s);
    for (size_t l = 0; l < LANES; l++) {
        static const uint8_t zero[32];
        const uint8_t *key = keys + LANE_KEY * l;
        uint8_t want[32];
        (void)crypto_core_hchacha20(want, nonce, key, NULL);
        bool good = memcmp(want, hc + 32 * l, 32) == 0;
        (void)crypto_stream_chacha20_xor_ic(want, zero, 16, nonce + 16, 3, key);
        good = good && memcmp(want, c + 16 * l, 16) == 0;
        (void)crypto_core_hsalsa20(want, nonce, key, NULL);
        good = good && memcmp(want, hs + 32 * l, 32) == 0;
        (void)crypto_stream_salsa20(want, 32, nonce + 16, key);
        if (!good || memcmp(want, s + 32 * l, 32) != 0)
            return false;
    }
    return same_blake(keys);
}
