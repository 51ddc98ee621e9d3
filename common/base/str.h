/*
 * str.h - strings: copies, hex, UTF-8, safe printing.
 *
 * Functions that return char * return memory for free(), or NULL with err set.
 */
#ifndef COMMON_BASE_STR_H
#define COMMON_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

char *str_dup(const char *s, struct error *err);
char *str_dup_len(const char *s, size_t len, struct error *err);
char *str_printf(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Lower-case hex of `len` bytes; `out` holds 2*len+1. */
void hex_encode(char *out, const void *data, size_t len);
/* Exactly 2*len lower-case hex digits of `s` (not NUL-terminated) into out; false when they are not that. */
bool hex_decode(void *out, size_t len, const char *s);

/* Valid UTF-8 without overlong forms and surrogates. */
bool utf8_valid(const char *s, size_t len);

/* Copies `s` to `out` (cap bytes with NUL) for a terminal: control characters and bytes that are not UTF-8
 * become \xHH, so that a name from outside cannot move the cursor. Returns out. */
const char *str_printable(char *out, size_t cap, const char *s);

/* The same for a command line that people paste: a text of plain characters as it is, anything else in single
 * quotes, so that no shell reads it as more than one word; '' when it does not fit. */
const char *str_shell_word(char *out, size_t cap, const char *s);

/* The smallest number of single-character edits between a and b, at most `limit` + 1 ("did you mean"). */
size_t str_distance(const char *a, const char *b, size_t limit);

#endif
