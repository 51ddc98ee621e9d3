#include "common/cli/jsonflat.h"

#include "common/base/banned.h"

static const struct jsonin_value *member(const struct jsonin *doc, const char *key)
{
    return doc != NULL ? jsonin_get(jsonin_top(doc), key) : NULL;
}

const char *jsonflat_text(const struct jsonin *doc, const char *key)
{
    return jsonin_text(member(doc, key));
}

uint64_t jsonflat_number(const struct jsonin *doc, const char *key, uint64_t fallback)
{
    uint64_t n = fallback;
    (void)(doc != NULL && jsonin_u64(jsonin_top(doc), key, &n));
    return n;
}

bool jsonflat_true(const struct jsonin *doc, const char *key)
{
    bool is = false;
    return doc != NULL && jsonin_bool(jsonin_top(doc), key, &is) && is;
}

size_t jsonflat_count(const struct jsonin *doc, const char *key)
{
    return jsonin_len(member(doc, key));
}

const char *jsonflat_text_at(const struct jsonin *doc, const char *key, size_t i)
{
    return i < jsonflat_count(doc, key) ? jsonin_text(jsonin_at(member(doc, key), i)) : NULL;
}
