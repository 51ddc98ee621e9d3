#include "common/cli/jsonin.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/number.h"

#include "common/base/banned.h"

struct jsonin {
    json_t *top;
};

/* The opaque type is jansson's own, under a name that the other rooms may know. */
static const json_t *in(const struct jsonin_value *v)
{
    return (const json_t *)(const void *)v;
}

static const struct jsonin_value *out_of(const json_t *v)
{
    return (const struct jsonin_value *)(const void *)v;
}

/* jansson itself goes 2048 deep; what nests deeper than any of our documents is none of them. */
static int depth_check(const char *text, size_t len, struct error *err)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!quoted && (text[i] == '}' || text[i] == ']') && depth > 0)
            depth--;
        if (depth > JSONIN_DEPTH)
            return error_corrupt(err, "json", "it nests deeper than %d levels", JSONIN_DEPTH);
    }
    return 0;
}

struct jsonin *jsonin_parse(const void *text, size_t len, struct error *err)
{
    json_error_t why;
    if (len > JSONIN_MAX) {
        (void)error_corrupt(err, "json", "%zu bytes are more than %d", len, JSONIN_MAX);
        return NULL;
    }
    if (depth_check(text, len, err) < 0)
        return NULL;
    struct jsonin *doc = mem_alloc(1, sizeof *doc, err);
    if (doc == NULL)
        return NULL;
    doc->top = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (doc->top == NULL)
        (void)error_corrupt(err, "json", "no JSON at line %d, column %d: %s", why.line, why.column, why.text);
    else if (!json_is_object(doc->top))
        (void)error_corrupt(err, "json", "it is not an object");
    else
        return doc;
    jsonin_free(doc);
    return NULL;
}

void jsonin_free(struct jsonin *doc)
{
    if (doc == NULL)
        return;
    json_decref(doc->top);
    free(doc);
}

const struct jsonin_value *jsonin_top(const struct jsonin *doc)
{
    return doc != NULL ? out_of(doc->top) : NULL;
}

const struct jsonin_value *jsonin_get(const struct jsonin_value *object, const char *key)
{
    return object != NULL ? out_of(json_object_get(in(object), key)) : NULL;
}

size_t jsonin_len(const struct jsonin_value *array)
{
    return array != NULL ? json_array_size(in(array)) : 0;
}

const struct jsonin_value *jsonin_at(const struct jsonin_value *array, size_t i)
{
    return array != NULL ? out_of(json_array_get(in(array), i)) : NULL;
}

const char *jsonin_text(const struct jsonin_value *value)
{
    return value != NULL ? json_string_value(in(value)) : NULL;
}

static void show_text(const char *text, char *out, size_t cap)
{
    size_t n = strnlen(text, cap - 1);
    while (n == cap - 1 && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    memcpy(out, text, n);
    out[n] = '\0';
}

const char *jsonin_show(const struct jsonin_value *value, char *out, size_t cap)
{
    const json_t *v = in(value);
    out[0] = '\0';
    if (json_is_integer(v))
        (void)snprintf(out, cap, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        (void)snprintf(out, cap, "%.6g", json_real_value(v));
    else if (json_is_boolean(v))
        (void)snprintf(out, cap, "%s", json_is_true(v) ? "true" : "false");
    else if (json_is_string(v))
        show_text(json_string_value(v), out, cap);
    return out;
}

bool jsonin_str(const struct jsonin_value *object, const char *key, const char **out)
{
    const char *text = jsonin_text(jsonin_get(object, key));
    if (text == NULL)
        return false;
    *out = text;
    return true;
}

bool jsonin_u64(const struct jsonin_value *object, const char *key, uint64_t *out)
{
    const json_t *v = in(jsonin_get(object, key));
    if (v != NULL && json_is_string(v))
        return number_parse(json_string_value(v), 0, UINT64_MAX, out, NULL) == 0;
    if (v == NULL || !json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

bool jsonin_bool(const struct jsonin_value *object, const char *key, bool *out)
{
    const json_t *v = in(jsonin_get(object, key));
    if (v == NULL || !json_is_boolean(v))
        return false;
    *out = json_is_true(v);
    return true;
}

bool jsonin_double(const struct jsonin_value *object, const char *key, double *out)
{
    const json_t *v = in(jsonin_get(object, key));
    if (v == NULL || !json_is_number(v))
        return false;
    *out = json_number_value(v);
    return true;
}
