/*
 * paper.h - key bytes as text that a person prints, and types back years later.
 *
 *     bk1-key-text 60 bytes, check 7F3K-0ABC
 *     1: 4GMQ 9Z1T 0KXA 7B2C WWPD 3E5F 88GH J1MN  7C
 *     2: ...
 *
 * Each line holds 20 bytes as 32 digits of base 32 in Crockford's alphabet (no
 * I L O U), fewer on the last, then two check digits; it begins with its
 * number. The header holds the number of bytes and a check over all of them.
 *
 * Reading is tolerant: upper or lower case, O for 0, I and L for 1, any spaces
 * and dashes, empty lines and lines that begin with '#'. One wrong digit and
 * two neighbours swapped are always found in their line, anything else at odds
 * of 1000 to 1; the check in the header (40 bits of BLAKE2b) guards the whole.
 *
 * Errors of decode: E_CORRUPT ("key-text") naming the line to look at again; the
 * header is line 0.
 */
#ifndef COMMON_CRYPTO_PAPER_H
#define COMMON_CRYPTO_PAPER_H

#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/crypto/secret.h"

enum {
    PAPER_MAX = 4096, /* bytes; more than a page is not typed by anybody */
    PAPER_LINE = 20,  /* bytes a line */
};

/* Appends the text, lines ending with '\n'; buf_wipe `out` after use. len 1..PAPER_MAX, else E_USAGE. */
int paper_encode(const void *data, size_t len, struct buf *out, struct error *err);
/* text need not end with NUL. */
struct secret *paper_decode(const char *text, size_t len, struct error *err);

#endif
