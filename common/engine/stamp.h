/*
 * stamp.h - moments in UTC, for names of databases and files, and for people.
 */
#ifndef COMMON_ENGINE_STAMP_H
#define COMMON_ENGINE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

enum { STAMP_MAX = 32, STAMP_NAME_LEN = 15 };

/* "20261128_154744". Returns out. */
const char *stamp_name(char out[STAMP_MAX], uint64_t seconds);
bool stamp_is_name(const char *text);
/* "2026-11-28 15:47:44 UTC". Returns out. */
const char *stamp_text(char out[STAMP_MAX], uint64_t seconds);

#endif
