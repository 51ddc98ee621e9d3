/*
 * fact.h - facts: "key=value\n" lines that describe a stream or a snapshot.
 */
#ifndef COMMON_BASE_FACT_H
#define COMMON_BASE_FACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of `key` into out (cut at cap); false when it is not there. facts NULL: none. */
bool fact_get(const char *facts, const char *key, char *out, size_t cap);
/* The value as a whole number; false also when it is none. */
bool fact_number(const char *facts, const char *key, uint64_t *out);
/* Whether there is a line key=value; for keys that may come several times. facts NULL: none. */
bool fact_has(const char *facts, const char *key, const char *value);
/* Each line in turn; a line without '=' has an empty value. Texts end where their length says. */
typedef void fact_line_fn(const char *key, size_t key_len, const char *value, size_t value_len, void *arg);
void fact_each(const char *facts, fact_line_fn *fn, void *arg);

#endif
