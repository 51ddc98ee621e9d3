/*
 * json_in.h - reading one JSON value that another process of ours has written.
 *
 *     struct jsonin *root = jsonin_parse(text, len, err);
 *     const struct jsonin *list = jsonin_get(root, "anomalies");
 *     for (size_t i = 0; i < jsonin_count(list); i++)
 *         (void)jsonin_show(jsonin_get(jsonin_at(list, i), "what"), out, sizeof out);
 *     jsonin_free(root);
 *
 * What is not there, or is of another kind, is NULL, 0 or ""; every function accepts NULL. Only the root is owned. At most
 * JSONIN_MAX bytes and 2048 levels (jansson's own limit); the same key twice is refused.
 */
#ifndef COMMON_CLI_JSON_IN_H
#define COMMON_CLI_JSON_IN_H

#include <stddef.h>

#include "common/base/error.h"

enum { JSONIN_MAX = 1024 * 1024 };

struct jsonin;

/* E_CORRUPT when it is no JSON. */
struct jsonin *jsonin_parse(const char *text, size_t len, struct error *err);
void jsonin_free(struct jsonin *root);

const struct jsonin *jsonin_get(const struct jsonin *object, const char *key);
size_t jsonin_count(const struct jsonin *array);
const struct jsonin *jsonin_at(const struct jsonin *array, size_t i);
/* NULL when it is no string. */
const char *jsonin_text(const struct jsonin *value);
/* For people: a string as it is, a number or true and false as written; cut at cap between characters. Returns out. */
const char *jsonin_show(const struct jsonin *value, char *out, size_t cap);

#endif
