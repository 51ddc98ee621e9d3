/*
 * xxh3.h - xxHash's library as hash.c uses it (inside crypto/): on x86 with the variants (AVX2, AVX-512) that it chooses
 * when the program runs. They give what the plain ones give.
 */
#ifndef COMMON_CRYPTO_XXH3_H
#define COMMON_CRYPTO_XXH3_H

#include <xxhash.h>

#ifdef __x86_64__
#include <xxh_x86dispatch.h>
#endif

#endif
