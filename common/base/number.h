/*
 * number.h - numbers for people: range-checked integers, sizes, durations.
 *
 * Parsers take the whole string or fail with E_USAGE and a text that says what
 * was expected. Sizes are powers of 1024 ("64K", "16MiB", "2 GiB", "123").
 * Durations are seconds ("90s", "15m", "6h", "7d", "4w", "1y" of 365 days, "1h30m").
 * Formatters write to `out` and return it.
 */
#ifndef COMMON_BASE_NUMBER_H
#define COMMON_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum { NUMBER_TEXT_MAX = 32 };

int number_parse(const char *s, uint64_t min, uint64_t max, uint64_t *out, struct error *err);
int size_parse(const char *s, uint64_t *out, struct error *err);
int duration_parse(const char *s, uint64_t *out, struct error *err);

/* "1.4 GiB", "312 KiB", "17 B" */
const char *size_format(char out[NUMBER_TEXT_MAX], uint64_t bytes);
/* "1 h 02 min", "3 min 07 s", "4.2 s" from milliseconds */
const char *duration_format(char out[NUMBER_TEXT_MAX], uint64_t milliseconds);
/* "1,234,567" */
const char *count_format(char out[NUMBER_TEXT_MAX], uint64_t n);
/* The word that goes with n: "%zu %s", n, plural(n, "job", "jobs") */
const char *plural(uint64_t n, const char *one, const char *many);
/* "2026-11-24T02:30:00Z" from seconds since 1970 */
const char *time_format(char out[NUMBER_TEXT_MAX], uint64_t seconds);

#endif
