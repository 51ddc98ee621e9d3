#include "common/crypto/secret.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/reader.h"
#include "common/base/banned.h"

struct secret {
    uint8_t *data;
    size_t len;
};

/* ---- randomness: the system's, or a stream that tests can repeat ------------------------------------- */

static struct {
    bool on;
    uint8_t seed[crypto_stream_chacha20_KEYBYTES];
    atomic_uint_least64_t draws; /* each draw is a stream of its own: nonce = its number */
} fixed;

static const char *source_name(void)
{
    return "backupd";
}

static void source_bytes(void *const out, const size_t len)
{
    if (!fixed.on) {
        randombytes_sysrandom_implementation.buf(out, len);
        return;
    }
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = { 0 };
    store_u64(nonce, atomic_fetch_add(&fixed.draws, 1));
    (void)crypto_stream_chacha20(out, len, nonce, fixed.seed);
}

static uint32_t source_word(void)
{
    uint8_t raw[4];
    source_bytes(raw, sizeof raw);
    return load_u32(raw);
}

static void source_stir(void)
{
    if (!fixed.on && randombytes_sysrandom_implementation.stir != NULL)
        randombytes_sysrandom_implementation.stir();
}

static int source_close(void)
{
    return randombytes_sysrandom_implementation.close();
}

/* Installed always, so that a seed may be set before or after crypto_init(): libsodium takes a source only
 * before sodium_init(). */
static struct randombytes_implementation random_source = {
    .implementation_name = source_name,
    .random = source_word,
    .stir = source_stir,
    .uniform = NULL,
    .buf = source_bytes,
    .close = source_close,
};

int crypto_init(struct error *err)
{
    static bool ready;
    if (ready)
        return 0;
    if (randombytes_set_implementation(&random_source) != 0 || sodium_init() < 0)
        return error_set(err, E_INTERNAL, "libsodium does not start");
    ready = true;
    return 0;
}

void random_seed_for_tests(const uint8_t *seed)
{
    fixed.on = seed != NULL;
    atomic_store(&fixed.draws, 0);
    if (seed != NULL)
        memcpy(fixed.seed, seed, sizeof fixed.seed);
    else
        sodium_memzero(fixed.seed, sizeof fixed.seed);
}

void random_bytes(void *out, size_t len)
{
    randombytes_buf(out, len);
}

/* ---- guarded memory ---------------------------------------------------------------------------------- */

struct secret *secret_new(size_t len, struct error *err)
{
    struct secret *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    s->data = sodium_malloc(len);
    if (s->data == NULL) {
        (void)error_set(err, E_NOMEM, "out of guarded memory (%zu bytes)", len);
        free(s);
        return NULL;
    }
    s->len = len;
    sodium_memzero(s->data, len);
    return s;
}

struct secret *secret_random(size_t len, struct error *err)
{
    struct secret *s = secret_new(len, err);
    if (s != NULL)
        random_bytes(s->data, len);
    return s;
}

struct secret *secret_copy(const void *data, size_t len, struct error *err)
{
    struct secret *s = secret_new(len, err);
    if (s != NULL && len != 0)
        memcpy(s->data, data, len);
    return s;
}

uint8_t *secret_data(struct secret *s)
{
    return s->data;
}

const uint8_t *secret_view(const struct secret *s)
{
    return s->data;
}

size_t secret_len(const struct secret *s)
{
    return s->len;
}

void secret_free(struct secret *s)
{
    if (s == NULL)
        return;
    sodium_free(s->data);
    free(s);
}

void secret_wipe(void *data, size_t len)
{
    sodium_memzero(data, len);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    return sodium_memcmp(a, b, len) == 0;
}
