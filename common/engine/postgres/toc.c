#include "common/engine/postgres/toc.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/map.h"
#include "common/base/number.h"
#include "common/base/reader.h"
#include "common/base/str.h"

#include "common/base/banned.h"

/*
 * "PGDMP" | u8 major, minor, revision | u8 bytes of an integer | u8 bytes of an offset | u8 format (1)
 * | compression: an integer, from 1.15 on u8 | 7 integers: time | 3 strings: database, server, pg_dump
 * | integer: entries | entries
 * entry: id, has-data | table-oid, oid, tag, description: strings | section | definition, drop, copy, schema,
 * tablespace, access method: strings | from 1.16 on relation kind | owner, with-oids: strings | strings: ids of
 * dependencies, up to one that is absent | u8 state, offset
 * An integer is u8 sign and its bytes, low first. A string is its length as an integer, -1 for absent, and bytes.
 */
#define ERR_TOC "postgres-toc"
enum {
    MAGIC_LEN = 5,
    INT_MIN_BYTES = 4,
    INT_MAX_BYTES = 8,
    OFFSET_MAX = 8,
    FORMAT_CUSTOM = 1,
    TIME_FIELDS = 7
};
enum { VERSION_MIN = 14, VERSION_BYTE_COMPRESSION = 15, VERSION_RELKIND = 16, VERSION_MAX = 16 };
enum { ENTRIES_MAX = 1 << 24 };

struct toc_reader {
    struct reader r;
    size_t int_bytes;
    size_t offset_bytes;
    unsigned minor;
};

static int64_t read_int(struct toc_reader *t)
{
    uint8_t sign = reader_u8(&t->r);
    uint64_t v = 0;
    for (size_t i = 0; i < t->int_bytes; i++)
        v |= (uint64_t)reader_u8(&t->r) << (8 * i);
    if (sign > 1 || v > INT32_MAX)
        reader_fail(&t->r);
    return sign != 0 ? -(int64_t)v : (int64_t)v;
}

/* *present says whether there is one; the bytes are borrowed. */
static const char *read_raw(struct toc_reader *t, size_t *len, bool *present)
{
    int64_t n = read_int(t);
    *present = n >= 0;
    *len = n > 0 ? (size_t)n : 0;
    return *len != 0 ? (const char *)reader_bytes(&t->r, *len) : "";
}

static void skip_strings(struct toc_reader *t, size_t n)
{
    size_t len = 0;
    bool present = false;
    for (size_t i = 0; i < n; i++)
        (void)read_raw(t, &len, &present);
}

static char *read_text(struct toc_reader *t, struct error *err)
{
    size_t len = 0;
    bool present = false;
    const char *raw = read_raw(t, &len, &present);
    return str_dup_len(raw != NULL ? raw : "", raw != NULL ? len : 0, err);
}

/* Ids of what it depends on; they become places when all entries are known. */
static int read_deps(struct toc_reader *t, struct toc_entry *e, struct error *err)
{
    for (;;) {
        size_t len = 0;
        bool present = false;
        const char *raw = read_raw(t, &len, &present);
        char digits[12] = "";
        uint64_t id = 0;
        if (!present || !reader_ok(&t->r))
            return 0;
        if (len >= sizeof digits) {
            reader_fail(&t->r);
            return 0;
        }
        memcpy(digits, raw, len);
        if (number_parse(digits, 0, INT32_MAX, &id, NULL) < 0)
            reader_fail(&t->r);
        size_t *slot = vec_push(&e->deps, err);
        if (slot == NULL)
            return E_NOMEM;
        *slot = (size_t)id;
    }
}

static int read_entry(struct toc_reader *t, struct toc_entry *e, struct error *err)
{
    e->deps = (struct vec)VEC_OF(size_t);
    e->id = (int32_t)read_int(t);
    (void)read_int(t); /* has data */
    skip_strings(t, 2);
    e->tag = read_text(t, err);
    e->desc = read_text(t, err);
    (void)read_int(t); /* section */
    e->sql = read_text(t, err);
    skip_strings(t, 2);
    e->schema = read_text(t, err);
    e->tablespace = read_text(t, err);
    skip_strings(t, 1);
    if (t->minor >= VERSION_RELKIND)
        (void)read_int(t);
    e->owner = read_text(t, err);
    skip_strings(t, 1);
    if (e->tag == NULL || e->desc == NULL || e->sql == NULL || e->schema == NULL || e->tablespace == NULL ||
        e->owner == NULL)
        return E_NOMEM;
    int rc = read_deps(t, e, err);
    (void)reader_bytes(&t->r, 1 + t->offset_bytes);
    return rc;
}

static int read_head(struct toc_reader *t, struct error *err)
{
    const uint8_t *magic = reader_bytes(&t->r, MAGIC_LEN);
    uint8_t major = reader_u8(&t->r);
    t->minor = reader_u8(&t->r);
    (void)reader_u8(&t->r);
    t->int_bytes = reader_u8(&t->r);
    t->offset_bytes = reader_u8(&t->r);
    uint8_t format = reader_u8(&t->r);
    if (!reader_ok(&t->r) || memcmp(magic, "PGDMP", MAGIC_LEN) != 0)
        return error_corrupt(err, ERR_TOC, "this is no dump of pg_dump");
    if (major != 1 || t->minor < VERSION_MIN || t->minor > VERSION_MAX || format != FORMAT_CUSTOM ||
        t->int_bytes < INT_MIN_BYTES || t->int_bytes > INT_MAX_BYTES || t->offset_bytes > OFFSET_MAX)
        return error_set(err, E_UNSUPPORTED,
                         "the definitions are an archive of version %u.%u: this program reads 1.%d to 1.%d",
                         major, t->minor, VERSION_MIN, VERSION_MAX);
    if (t->minor >= VERSION_BYTE_COMPRESSION)
        (void)reader_u8(&t->r);
    else
        (void)read_int(t);
    for (int i = 0; i < TIME_FIELDS; i++)
        (void)read_int(t);
    skip_strings(t, 3);
    return 0;
}

static int to_places(struct pgsql_toc *toc, struct error *err)
{
    struct map places = MAP_OF(sizeof(uint64_t), sizeof(size_t));
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < toc->entries.len; i++) {
        uint64_t id = (uint64_t)toc_at(toc, i)->id;
        size_t *place = map_put(&places, &id, NULL, err);
        if (place == NULL)
            rc = E_NOMEM;
        else
            *place = i;
    }
    for (size_t i = 0; rc == 0 && i < toc->entries.len; i++) {
        struct toc_entry *e = vec_at(&toc->entries, i);
        size_t kept = 0;
        for (size_t j = 0; j < e->deps.len; j++) {
            uint64_t id = *(size_t *)vec_at(&e->deps, j);
            const size_t *place = map_get(&places, &id);
            if (place != NULL)
                *(size_t *)vec_at(&e->deps, kept++) = *place;
        }
        e->deps.len = kept;
    }
    map_free(&places);
    return rc;
}

int pgsql_toc_read(const void *data, size_t len, struct pgsql_toc *out, struct error *err)
{
    struct toc_reader t = { .r = reader_of(data, len) };
    *out = (struct pgsql_toc){ .entries = VEC_OF(struct toc_entry) };
    int rc = read_head(&t, err);
    int64_t n = rc == 0 ? read_int(&t) : 0;
    if (rc == 0 && (n < 0 || n > ENTRIES_MAX))
        reader_fail(&t.r);
    for (int64_t i = 0; rc == 0 && reader_ok(&t.r) && i < n; i++) {
        struct toc_entry *e = vec_push(&out->entries, err);
        rc = e != NULL ? read_entry(&t, e, err) : E_NOMEM;
    }
    if (rc == 0 && !reader_ok(&t.r))
        rc = error_corrupt(err, ERR_TOC, "the list of definitions is damaged or ends early");
    if (rc == 0)
        rc = to_places(out, err);
    if (rc < 0)
        pgsql_toc_free(out);
    return rc;
}

void pgsql_toc_free(struct pgsql_toc *toc)
{
    for (size_t i = 0; i < toc->entries.len; i++) {
        struct toc_entry *e = vec_at(&toc->entries, i);
        free(e->desc);
        free(e->schema);
        free(e->tag);
        free(e->sql);
        free(e->tablespace);
        free(e->owner);
        vec_free(&e->deps);
    }
    vec_free(&toc->entries);
}

const struct toc_entry *toc_at(const struct pgsql_toc *toc, size_t i)
{
    return vec_at(&toc->entries, i);
}

bool toc_is(const struct toc_entry *e, const char *desc)
{
    return strcmp(e->desc, desc) == 0;
}
