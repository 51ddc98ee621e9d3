/*
 * jsonin.h - JSON that this program reads again: values by key, each with a type.
 *
 *     struct jsonin *doc = jsonin_parse(text, len, err);        // one object, within JSONIN_MAX
 *     const struct jsonin_value *top = jsonin_top(doc);
 *     jsonin_str(top, "id", &id);                               // borrowed, dies with doc
 *     const struct jsonin_value *list = jsonin_get(top, "checks");
 *     for (size_t i = 0; i < jsonin_len(list); i++) ... jsonin_at(list, i) ...
 *     jsonin_free(doc);
 *
 * The getters say false, and leave *out alone, when the key is missing or its
 * value has another type (null too). Every function accepts a NULL value.
 * Numbers above INT64_MAX, which jsonout writes as strings, come back as numbers.
 * The same key twice is refused.
 */
#ifndef COMMON_CLI_JSONIN_H
#define COMMON_CLI_JSONIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum { JSONIN_MAX = 64 * 1024 * 1024, JSONIN_DEPTH = 32 };

struct jsonin;
struct jsonin_value;

/* E_CORRUPT "json" says where it is no JSON. */
struct jsonin *jsonin_parse(const void *text, size_t len, struct error *err);
void jsonin_free(struct jsonin *doc); /* NULL is fine */
const struct jsonin_value *jsonin_top(const struct jsonin *doc);

const struct jsonin_value *jsonin_get(const struct jsonin_value *object, const char *key); /* or NULL */
size_t jsonin_len(const struct jsonin_value *array);                                       /* 0: none */
const struct jsonin_value *jsonin_at(const struct jsonin_value *array, size_t i);
const char *jsonin_text(const struct jsonin_value *value); /* of a string; or NULL */

/* For people: a string as it is, a number or true and false as written, else ""; cut at cap between characters. */
const char *jsonin_show(const struct jsonin_value *value, char *out, size_t cap);

bool jsonin_str(const struct jsonin_value *object, const char *key, const char **out);
bool jsonin_u64(const struct jsonin_value *object, const char *key, uint64_t *out);
bool jsonin_bool(const struct jsonin_value *object, const char *key, bool *out);
bool jsonin_double(const struct jsonin_value *object, const char *key, double *out);

#endif
