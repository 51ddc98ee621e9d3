/*
 * jsonin.h - reading one JSON object that another program has written.
 *
 *     struct jsonin *in = jsonin_parse(text, len, &err);          // NULL with err: no object
 *     const char *verb = jsonin_str(in, "verb");                  // NULL: not there, or no string
 *     for (size_t i = 0; i < jsonin_count(in, "jobs"); i++)
 *         ... jsonin_str_at(in, "jobs", i) ...
 *     jsonin_free(in);
 *
 * Refused: what is no object, a key twice, more than one value, strings that are not UTF-8 or hold a NUL. How deep values
 * are nested is limited by the parser. A member of another type is as one that is not there. Strings live as long as the
 * object.
 */
#ifndef COMMON_CLI_JSONIN_H
#define COMMON_CLI_JSONIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

struct jsonin;

struct jsonin *jsonin_parse(const char *text, size_t len, struct error *err);
void jsonin_free(struct jsonin *in);

bool jsonin_has(const struct jsonin *in, const char *key);
const char *jsonin_str(const struct jsonin *in, const char *key);
/* fallback when it is not there or no whole number. */
int64_t jsonin_int(const struct jsonin *in, const char *key, int64_t fallback);
bool jsonin_true(const struct jsonin *in, const char *key);
/* Members of an array; 0 when it is none. */
size_t jsonin_count(const struct jsonin *in, const char *key);
const char *jsonin_str_at(const struct jsonin *in, const char *key, size_t i);

#endif
