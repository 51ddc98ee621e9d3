/* A drill's result as JSON, and back. */
#include <string.h>

#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/jsonin.h"
#include "restore/drill/result.h"

#include "common/base/banned.h"

/* ---- the fields that both ways share --------------------------------------------------------------------- */

struct text_field {
    const char *key;
    size_t at;
};
struct number_field {
    const char *key;
    size_t at;
};
#define FIELD(type, key, member)    \
    {                               \
        key, offsetof(type, member) \
    }
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct text_field result_texts[] = {
    FIELD(struct drill_result, "drill", drill),
    FIELD(struct drill_result, "host", host),
    FIELD(struct drill_result, "snapshot", snapshot),
    FIELD(struct drill_result, "job", job),
    FIELD(struct drill_result, "engine", engine),
    FIELD(struct drill_result, "database", database),
    FIELD(struct drill_result, "reason", reason),
    FIELD(struct drill_result, "cure", cure),
    FIELD(struct drill_result, "tool_version", tool_version),
    FIELD(struct drill_result, "server_version", server_version),
    FIELD(struct drill_result, "isolation", isolation),
    FIELD(struct drill_result, "connect", connect),
};
static const struct number_field result_numbers[] = {
    FIELD(struct drill_result, "snapshot_time", snapshot_time),
    FIELD(struct drill_result, "started", started),
    FIELD(struct drill_result, "finished", finished),
    FIELD(struct drill_result, "rto_ms", rto_ms),
    FIELD(struct drill_result, "rto_target_seconds", rto_target_seconds),
    FIELD(struct drill_result, "age_seconds", age_seconds),
    FIELD(struct drill_result, "bytes", bytes),
    FIELD(struct drill_result, "bytes_fetched", bytes_fetched),
    FIELD(struct drill_result, "tables_total", tables_total),
};
static const struct number_field phase_numbers[] = {
    FIELD(struct drill_phases, "prepare_ms", prepare_ms), FIELD(struct drill_phases, "fetch_ms", fetch_ms),
    FIELD(struct drill_phases, "decrypt_ms", decrypt_ms), FIELD(struct drill_phases, "load_ms", load_ms),
    FIELD(struct drill_phases, "index_ms", index_ms),     FIELD(struct drill_phases, "check_ms", check_ms),
};
static const struct text_field check_texts[] = {
    FIELD(struct drill_check, "kind", kind),       FIELD(struct drill_check, "name", name),
    FIELD(struct drill_check, "subject", subject), FIELD(struct drill_check, "expected", expected),
    FIELD(struct drill_check, "found", found),     FIELD(struct drill_check, "text", text),
};
static const struct number_field check_numbers[] = { FIELD(struct drill_check, "ms", ms) };
static const struct text_field masked_texts[] = {
    FIELD(struct drill_masked, "table", table),
    FIELD(struct drill_masked, "column", column),
    FIELD(struct drill_masked, "rule", rule),
};
static const struct number_field masked_numbers[] = {
    FIELD(struct drill_masked, "rows", rows),
    FIELD(struct drill_masked, "remaining", remaining),
};

/* ---- out --------------------------------------------------------------------------------------------------- */

static void put_texts(struct jsonout *o, const struct text_field *f, size_t n, const void *from)
{
    for (size_t i = 0; i < n; i++)
        jsonout_str(o, f[i].key, *(char *const *)(const void *)((const char *)from + f[i].at));
}

static void put_numbers(struct jsonout *o, const struct number_field *f, size_t n, const void *from)
{
    for (size_t i = 0; i < n; i++)
        jsonout_u64(o, f[i].key, *(const uint64_t *)(const void *)((const char *)from + f[i].at));
}

static void put_lists(struct jsonout *o, const struct drill_result *r)
{
    struct jsonout *checks = jsonout_array(o, "checks");
    for (size_t i = 0; i < r->checks.len; i++) {
        const struct drill_check *c = vec_at(&r->checks, i);
        struct jsonout *item = jsonout_object(checks, NULL);
        jsonout_str(item, "verdict", drill_verdict_name(c->verdict));
        put_texts(item, check_texts, COUNT(check_texts), c);
        put_numbers(item, check_numbers, COUNT(check_numbers), c);
    }
    struct jsonout *masked = jsonout_array(o, "masked");
    for (size_t i = 0; i < r->masked.len; i++) {
        struct jsonout *item = jsonout_object(masked, NULL);
        put_texts(item, masked_texts, COUNT(masked_texts), vec_at(&r->masked, i));
        put_numbers(item, masked_numbers, COUNT(masked_numbers), vec_at(&r->masked, i));
    }
    struct jsonout *tables = jsonout_array(o, "tables");
    for (size_t i = 0; i < r->tables.len; i++)
        jsonout_str(tables, NULL, *(char **)vec_at(&r->tables, i));
}

int drill_result_to_json(const struct drill_result *r, struct buf *out, struct error *err)
{
    char hash[2 * HASH_LEN + 1];
    struct jsonout *o = jsonout_new("drill");
    hex_encode(hash, r->record_hash, HASH_LEN);
    jsonout_u64(o, "version", DRILL_RESULT_VERSION);
    jsonout_str(o, "id", r->id);
    jsonout_str(o, "verdict", drill_verdict_name(r->verdict));
    jsonout_str(o, "record_hash", hash);
    jsonout_str(o, "writer", r->writer);
    put_texts(o, result_texts, COUNT(result_texts), r);
    put_numbers(o, result_numbers, COUNT(result_numbers), r);
    if (r->rpo_known)
        jsonout_u64(o, "rpo_seconds", r->rpo_seconds);
    else
        jsonout_str(o, "rpo_seconds", NULL);
    put_numbers(jsonout_object(o, "phases"), phase_numbers, COUNT(phase_numbers), &r->phases);
    put_lists(o, r);
    return jsonout_text(o, out, err);
}

/* ---- back -------------------------------------------------------------------------------------------------- */

static int bad(const char *what, struct error *err)
{
    return error_corrupt(err, "drill-result", "no result of a drill: %s", what);
}

static int get_texts(const struct jsonin_value *v, const struct text_field *f, size_t n, void *to,
                     struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *text = NULL;
        if (jsonin_str(v, f[i].key, &text) &&
            drill_text((char **)(void *)((char *)to + f[i].at), text, err) < 0)
            return E_NOMEM;
    }
    return 0;
}

static void get_numbers(const struct jsonin_value *v, const struct number_field *f, size_t n, void *to)
{
    for (size_t i = 0; i < n; i++)
        (void)jsonin_u64(v, f[i].key, (uint64_t *)(void *)((char *)to + f[i].at));
}

static int get_verdict(const struct jsonin_value *v, enum drill_verdict *out, struct error *err)
{
    const char *text = NULL;
    if (!jsonin_str(v, "verdict", &text) || !drill_verdict_parse(text, out))
        return bad("it has no verdict", err);
    return 0;
}

static int get_checks(const struct jsonin_value *list, struct drill_result *r, struct error *err)
{
    int rc = jsonin_len(list) > DRILL_CHECKS_MAX ? bad("too many checks", err) : 0;
    for (size_t i = 0; rc == 0 && i < jsonin_len(list); i++) {
        const struct jsonin_value *v = jsonin_at(list, i);
        struct drill_check *c = vec_push(&r->checks, err);
        if (c == NULL)
            return E_NOMEM;
        get_numbers(v, check_numbers, COUNT(check_numbers), c);
        rc = get_texts(v, check_texts, COUNT(check_texts), c, err);
        rc = rc < 0 ? rc : get_verdict(v, &c->verdict, err);
        if (rc == 0 && (c->kind == NULL || c->name == NULL))
            rc = bad("a check without a name", err);
    }
    return rc;
}

static int get_lists(const struct jsonin_value *top, struct drill_result *r, struct error *err)
{
    const struct jsonin_value *masked = jsonin_get(top, "masked");
    const struct jsonin_value *tables = jsonin_get(top, "tables");
    int rc = get_checks(jsonin_get(top, "checks"), r, err);
    for (size_t i = 0; rc == 0 && i < jsonin_len(masked); i++) {
        struct drill_masked *m = vec_push(&r->masked, err);
        if (m == NULL)
            return E_NOMEM;
        get_numbers(jsonin_at(masked, i), masked_numbers, COUNT(masked_numbers), m);
        rc = get_texts(jsonin_at(masked, i), masked_texts, COUNT(masked_texts), m, err);
        if (rc == 0 && (m->table == NULL || m->column == NULL || m->rule == NULL))
            rc = bad("a masked column without a name", err);
    }
    for (size_t i = 0; rc == 0 && i < jsonin_len(tables); i++) {
        const char *text = jsonin_text(jsonin_at(tables, i));
        char **slot = text != NULL ? vec_push(&r->tables, err) : NULL;
        if (text == NULL)
            rc = bad("a table without a name", err);
        else if (slot == NULL || (*slot = str_dup(text, err)) == NULL)
            rc = E_NOMEM;
    }
    return rc;
}

static int get_names(const struct jsonin_value *top, struct drill_result *r, struct error *err)
{
    const char *text = NULL;
    if (!jsonin_str(top, "id", &text) || *text == '\0' || strlen(text) >= sizeof r->id)
        return bad("it has no id", err);
    memcpy(r->id, text, strlen(text) + 1);
    if (jsonin_str(top, "writer", &text) && strlen(text) < sizeof r->writer)
        memcpy(r->writer, text, strlen(text) + 1);
    if (!jsonin_str(top, "record_hash", &text) || !hex_decode(r->record_hash, HASH_LEN, text))
        return bad("it does not say which snapshot", err);
    return 0;
}

static int read_all(const struct jsonin_value *top, struct drill_result *r, struct error *err)
{
    uint64_t version = 0;
    if (!jsonin_u64(top, "version", &version) || version == 0)
        return bad("it has no version", err);
    if (version > DRILL_RESULT_VERSION)
        return error_set(err, E_UNSUPPORTED,
                         "the result of a drill has version %llu, this program knows %d: use a newer one",
                         (unsigned long long)version, DRILL_RESULT_VERSION);
    int rc = get_names(top, r, err);
    rc = rc < 0 ? rc : get_verdict(top, &r->verdict, err);
    rc = rc < 0 ? rc : get_texts(top, result_texts, COUNT(result_texts), r, err);
    get_numbers(top, result_numbers, COUNT(result_numbers), r);
    r->rpo_known = jsonin_u64(top, "rpo_seconds", &r->rpo_seconds);
    get_numbers(jsonin_get(top, "phases"), phase_numbers, COUNT(phase_numbers), &r->phases);
    return rc < 0 ? rc : get_lists(top, r, err);
}

int drill_result_from_json(const void *text, size_t len, struct drill_result *out, struct error *err)
{
    drill_result_init(out);
    struct jsonin *doc = jsonin_parse(text, len, err);
    int rc = doc == NULL ? (err != NULL && err->code < 0 ? err->code : E_CORRUPT)
                         : read_all(jsonin_top(doc), out, err);
    jsonin_free(doc);
    return rc;
}
