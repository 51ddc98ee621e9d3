/* checklong.h - the library's hash of long rows, for checkrows.c, which has the short ones inlined (inside crypto/). */
#ifndef COMMON_CRYPTO_CHECKLONG_H
#define COMMON_CRYPTO_CHECKLONG_H

#include <stddef.h>
#include <stdint.h>

enum { CHECK_LONG_MIN = 241 }; /* shorter rows are hashed with the seed itself */

/* XXH3-128 of at least CHECK_LONG_MIN bytes with the secret that is made from a seed. */
void check_long(const void *data, size_t len, const void *secret, size_t secret_len, uint64_t *high,
                uint64_t *low);

#endif
