/*
 * secret.h - secrets have a type, on guarded memory.
 *
 * Memory from secret_new() lies between guard pages, is locked when the limit
 * allows it, left out of core dumps, and wiped on free. Sizes are fixed at
 * creation. crypto_init() must have succeeded before anything else in this room.
 */
#ifndef COMMON_CRYPTO_SECRET_H
#define COMMON_CRYPTO_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

struct secret;

/* Prepares libsodium; safe to call more than once and before threads. */
int crypto_init(struct error *err);

struct secret *secret_new(size_t len, struct error *err); /* zeroed */
struct secret *secret_random(size_t len, struct error *err);
struct secret *secret_copy(const void *data, size_t len, struct error *err);
uint8_t *secret_data(struct secret *s);
const uint8_t *secret_view(const struct secret *s);
size_t secret_len(const struct secret *s);
void secret_free(struct secret *s); /* wipes; NULL is fine */

void secret_wipe(void *data, size_t len);
/* Constant-time comparison. */
bool secret_equal(const void *a, const void *b, size_t len);
void random_bytes(void *out, size_t len);
/* Deterministic replacement of random_bytes/secret_random/box_seal randomness for the golden generator and
 * tests: seed of 32 bytes; NULL goes back to the system. Process-wide; must be switched on before threads. */
void random_seed_for_tests(const uint8_t *seed);

#endif
