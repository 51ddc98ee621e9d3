#include "common/cli/jsonin.h"

#include <jansson.h>
#include <stdlib.h>

#include "common/base/alloc.h"

#include "common/base/banned.h"

struct jsonin {
    json_t *root;
};

struct jsonin *jsonin_parse(const char *text, size_t len, struct error *err)
{
    json_error_t why;
    struct jsonin *in = mem_alloc(1, sizeof *in, err);
    if (in == NULL)
        return NULL;
    in->root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(in->root))
        return in;
    (void)error_set(err, E_USAGE, "no JSON object: %s",
                    in->root != NULL ? "another kind of value" : why.text);
    jsonin_free(in);
    return NULL;
}

void jsonin_free(struct jsonin *in)
{
    if (in == NULL)
        return;
    json_decref(in->root);
    free(in);
}

bool jsonin_has(const struct jsonin *in, const char *key)
{
    return json_object_get(in->root, key) != NULL;
}

const char *jsonin_str(const struct jsonin *in, const char *key)
{
    return json_string_value(json_object_get(in->root, key));
}

int64_t jsonin_int(const struct jsonin *in, const char *key, int64_t fallback)
{
    const json_t *v = json_object_get(in->root, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : fallback;
}

bool jsonin_true(const struct jsonin *in, const char *key)
{
    return json_is_true(json_object_get(in->root, key));
}

size_t jsonin_count(const struct jsonin *in, const char *key)
{
    return json_array_size(json_object_get(in->root, key));
}

const char *jsonin_str_at(const struct jsonin *in, const char *key, size_t i)
{
    return json_string_value(json_array_get(json_object_get(in->root, key), i));
}
