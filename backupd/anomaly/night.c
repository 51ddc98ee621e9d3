#include "backupd/anomaly/night.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/crypto/hash.h"

#include "common/base/banned.h"

enum { SAMPLE_LEAST = 16 * 1024, THOUSAND = 1000 };

static const char tables[] = "/tables/";

int64_t night_ratio(uint64_t sampled, uint64_t packed)
{
    return sampled < SAMPLE_LEAST ? -1 : (int64_t)(packed * THOUSAND / sampled);
}

/* ---- facts ----------------------------------------------------------------------------------------------------------- */

/* Takes the name. */
static struct baseline_subject *add(struct night *n, char *name, struct error *err)
{
    struct baseline_subject *s =
        name != NULL && n->subjects.len < BASELINE_SUBJECTS_MAX ? vec_push(&n->subjects, err) : NULL;
    if (s == NULL) {
        free(name);
        return NULL;
    }
    *s = (struct baseline_subject){ .name = name, .rows = -1, .bytes = -1, .fresh = -1, .ratio = -1 };
    return s;
}

struct reading {
    struct night *night;
    const char *stream;
    int64_t rows;
    uint64_t schema;
    size_t tables;
    int rc;
    struct error *err;
};

static int64_t count_of(const char *text, size_t len)
{
    int64_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || n > INT64_MAX / 10 - 10)
            return -1;
        n = n * 10 + (text[i] - '0');
    }
    return len > 0 ? n : -1;
}

/* NAME:COUNT,NAME:COUNT */
static void read_table_rows(struct reading *r, const char *list, size_t len)
{
    size_t at = 0;
    while (r->rc == 0 && at < len) {
        const char *item = list + at;
        const char *comma = memchr(item, ',', len - at);
        size_t n = comma != NULL ? (size_t)(comma - item) : len - at;
        const char *colon = memchr(item, ':', n);
        if (colon != NULL) {
            char *name = str_printf(r->err, "%s%s%.*s", r->stream, tables, (int)(colon - item), item);
            struct baseline_subject *s = add(r->night, name, r->err);
            r->tables++;
            if (s != NULL)
                s->rows = count_of(colon + 1, n - (size_t)(colon - item) - 1);
            else if (r->night->subjects.len < BASELINE_SUBJECTS_MAX)
                r->rc = E_NOMEM;
        }
        at += n + 1;
    }
}

static bool is(const char *key, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(key, name, len) == 0;
}

static void on_fact(const char *key, size_t key_len, const char *value, size_t value_len, void *arg)
{
    struct reading *r = arg;
    if (is(key, key_len, "rows"))
        r->rows = count_of(value, value_len);
    else if (is(key, key_len, "table_rows"))
        read_table_rows(r, value, value_len);
    else if (is(key, key_len, "schema_hash") || is(key, key_len, "columns") ||
             (is(key, key_len, "schema") && memchr(value, ':', value_len) != NULL)) {
        /* For postgres `schema` is where a table is, for the others a fingerprint with a colon in it. */
        uint8_t hash[CHECK_LEN];
        uint64_t part = 0;
        check_hash(value, value_len, hash);
        memcpy(&part, hash, sizeof part);
        r->schema = (r->schema ^ part) & INT64_MAX;
    }
}

/* ---- subjects -------------------------------------------------------------------------------------------------------- */

static char *subject_name(const char *stream, struct error *err)
{
    static const char *const ends[] = { ".copy", ".copybin", ".tsv" };
    size_t len = strlen(stream);
    for (size_t i = 0; strstr(stream, tables) != NULL && i < sizeof ends / sizeof ends[0]; i++)
        if (str_ends(stream, ends[i]))
            return str_dup_len(stream, len - strlen(ends[i]), err);
    return str_dup(stream, err);
}

int night_stream(struct night *n, const char *name, const struct session_stream_numbers *numbers,
                 const char *facts, struct error *err)
{
    struct reading r = { .night = n, .stream = name, .rows = -1, .err = err };
    fact_each(facts, on_fact, &r);
    if (r.rc < 0 || n->subjects.len >= BASELINE_SUBJECTS_MAX)
        return r.rc;
    struct baseline_subject *s = add(n, subject_name(name, err), err);
    if (s == NULL)
        return E_NOMEM;
    s->rows = r.tables > 0 ? -1 : r.rows; /* those of its tables say more */
    s->bytes = (int64_t)numbers->len;
    s->fresh = (int64_t)numbers->fresh;
    s->ratio = night_ratio(numbers->sampled, numbers->packed);
    s->schema = (int64_t)r.schema;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct baseline_subject *)a)->name, ((const struct baseline_subject *)b)->name);
}

void night_sort(struct night *n)
{
    vec_sort(&n->subjects, by_name);
}

const struct baseline_subject *night_find(const struct night *n, const char *name)
{
    const struct baseline_subject key = { .name = name };
    return n->subjects.len == 0 ? NULL
                                : bsearch(&key, n->subjects.data, n->subjects.len, sizeof key, by_name);
}

void night_clear(struct night *n)
{
    for (size_t i = 0; i < n->subjects.len; i++)
        free((char *)(uintptr_t)((struct baseline_subject *)vec_at(&n->subjects, i))->name);
    vec_clear(&n->subjects);
}

void night_free(struct night *n)
{
    night_clear(n);
    vec_free(&n->subjects);
}

const char *night_name(char *out, size_t cap, const char *name)
{
    char safe[512];
    const char *at = NULL;
    (void)str_printable(safe, sizeof safe, name);
    for (char *p = strstr(safe, tables); p != NULL; p = strstr(p + 1, tables))
        at = p;
    if (at == NULL) {
        (void)snprintf(out, cap, "%s", safe);
        return out;
    }
    char table[512];
    (void)snprintf(table, sizeof table, "%s", at + sizeof tables - 1);
    char *slash = strchr(table, '/'); /* SCHEMA/TABLE as people write it */
    if (slash != NULL)
        *slash = '.';
    (void)snprintf(out, cap, "table %s of %.*s", table, (int)(at - safe), safe);
    return out;
}
