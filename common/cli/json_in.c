#include "common/cli/json_in.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/banned.h"

/* A struct jsonin is jansson's value under another name. */
static json_t *value_of(const struct jsonin *v)
{
    return (json_t *)(uintptr_t)v;
}

struct jsonin *jsonin_parse(const char *text, size_t len, struct error *err)
{
    json_error_t why;
    json_t *root = len <= JSONIN_MAX ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &why) : NULL;
    if (len > JSONIN_MAX)
        (void)error_set(err, E_CORRUPT, "%zu bytes of JSON are too many", len);
    else if (root == NULL)
        (void)error_set(err, E_CORRUPT, "no JSON: %.100s", why.text);
    return (struct jsonin *)root;
}

void jsonin_free(struct jsonin *root)
{
    json_decref(value_of(root));
}

const struct jsonin *jsonin_get(const struct jsonin *object, const char *key)
{
    return (const struct jsonin *)json_object_get(value_of(object), key);
}

size_t jsonin_count(const struct jsonin *array)
{
    return json_array_size(value_of(array));
}

const struct jsonin *jsonin_at(const struct jsonin *array, size_t i)
{
    return (const struct jsonin *)json_array_get(value_of(array), i);
}

const char *jsonin_text(const struct jsonin *value)
{
    return json_string_value(value_of(value));
}

const char *jsonin_show(const struct jsonin *value, char *out, size_t cap)
{
    json_t *v = value_of(value);
    out[0] = '\0';
    if (json_is_integer(v))
        (void)snprintf(out, cap, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        (void)snprintf(out, cap, "%.6g", json_real_value(v));
    else if (json_is_boolean(v))
        (void)snprintf(out, cap, "%s", json_is_true(v) ? "true" : "false");
    else if (json_is_string(v)) {
        size_t n = strnlen(json_string_value(v), cap - 1);
        while (n == cap - 1 && n > 0 && ((unsigned char)json_string_value(v)[n] & 0xc0) == 0x80)
            n--;
        memcpy(out, json_string_value(v), n);
        out[n] = '\0';
    }
    return out;
}
