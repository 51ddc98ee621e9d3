#include "common/engine/postgres/census.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

/* ---- rows to kinds --------------------------------------------------------------------------------------- */

struct kind {
    char name[CENSUS_NAME_MAX];
    struct fingerprint *structure;
    struct fingerprint *definition;
};

static void kinds_free(struct vec *kinds)
{
    for (size_t i = 0; i < kinds->len; i++) {
        struct kind *k = vec_at(kinds, i);
        fingerprint_free(k->structure);
        fingerprint_free(k->definition);
    }
    vec_free(kinds);
}

static struct kind *kind_of(struct vec *kinds, const char *name, struct error *err)
{
    for (size_t i = 0; i < kinds->len; i++) {
        struct kind *k = vec_at(kinds, i);
        if (strcmp(k->name, name) == 0)
            return k;
    }
    if (strlen(name) >= CENSUS_NAME_MAX || kinds->len >= CENSUS_KINDS_MAX) {
        (void)error_set(err, E_INTERNAL, "the census has too many kinds of objects");
        return NULL;
    }
    struct kind *k = vec_push(kinds, err);
    if (k == NULL)
        return NULL;
    (void)snprintf(k->name, sizeof k->name, "%s", name);
    k->structure = fingerprint_new(0, err);
    k->definition = k->structure != NULL ? fingerprint_new(0, err) : NULL;
    return k->definition != NULL ? k : NULL;
}

static void add_line(struct fingerprint *fp, const PGresult *r, int row, int column)
{
    fingerprint_piece(fp, PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
    fingerprint_row(fp);
}

static int take_rows(const PGresult *r, struct vec *kinds, struct error *err)
{
    for (int i = 0; i < PQntuples(r); i++) {
        struct kind *k = kind_of(kinds, PQgetvalue(r, i, 0), err);
        if (k == NULL)
            return pgsql_failed(err);
        add_line(k->structure, r, i, 1);
        if (!PQgetisnull(r, i, 2))
            add_line(k->definition, r, i, 2);
    }
    return 0;
}

/* A cursor: a database may have more functions than should be in memory at once. */
static int take_cursor(struct pgsql *c, const char *sql, struct vec *kinds, struct error *err)
{
    char *declare = str_printf(err, "DECLARE backupd_census NO SCROLL CURSOR FOR %s", sql);
    int rc = declare != NULL ? pgsql_exec(c, declare, err) : E_NOMEM;
    for (int n = 1; rc == 0 && n > 0;) {
        PGresult *r = NULL;
        rc = pgsql_query(c, "FETCH 500 FROM backupd_census", &r, err);
        if (rc == 0)
            rc = take_rows(r, kinds, err);
        n = PQntuples(r);
        PQclear(r);
    }
    free(declare);
    return rc;
}

/* All rows are wanted, and what belongs to one of them comes by an index, which a reader's session does without for the
 * sake of the order of rows: else each table reads whole catalogs, minutes for thousands of tables. */
static const char *const planned[] = {
    "SET LOCAL enable_indexscan = on",  "SET LOCAL enable_indexonlyscan = on",
    "SET LOCAL enable_bitmapscan = on", "SET LOCAL enable_hashjoin = off",
    "SET LOCAL enable_mergejoin = off", "SET LOCAL cursor_tuple_fraction = 1",
};

/* Who writes down a view locks what it reads; the savepoint gives these locks back, and ends the cursor. */
static int take_query(struct pgsql *c, const char *sql, struct vec *kinds, struct error *err)
{
    int rc = pgsql_exec(c, "SAVEPOINT backupd_census", err);
    for (size_t i = 0; rc == 0 && i < sizeof planned / sizeof planned[0]; i++)
        rc = pgsql_exec(c, planned[i], err);
    if (rc == 0)
        rc = take_cursor(c, sql, kinds, err);
    if (rc == 0)
        rc = pgsql_exec(c, "ROLLBACK TO SAVEPOINT backupd_census", err);
    return rc == 0 ? pgsql_exec(c, "RELEASE SAVEPOINT backupd_census", err) : rc;
}

/* ---- kinds to facts -------------------------------------------------------------------------------------- */

static const char *digits(const struct fingerprint *fp, char out[FINGERPRINT_TEXT_MAX])
{
    return fingerprint_text(fp, out) + sizeof FINGERPRINT_METHOD;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct kind *)a)->name, ((const struct kind *)b)->name);
}

static int add_kinds(struct vec *kinds, const char *prefix, bool definitions, struct buf *out,
                     struct error *err)
{
    char text[2][FINGERPRINT_TEXT_MAX];
    int rc = 0;
    vec_sort(kinds, by_name);
    for (size_t i = 0; rc == 0 && i < kinds->len; i++) {
        const struct kind *k = vec_at(kinds, i);
        rc = buf_printf(out, err, "%s%s=%llu %s", prefix, k->name,
                        (unsigned long long)fingerprint_rows(k->structure), digits(k->structure, text[0]));
        if (rc == 0 && definitions && fingerprint_rows(k->definition) != 0)
            rc = buf_printf(out, err, " %s", digits(k->definition, text[1]));
        if (rc == 0)
            rc = buf_append(out, "\n", 1, err);
    }
    return rc;
}

/* One line for all kinds: of "KIND COUNT HASH", in any order. */
static int add_hash(const struct vec *kinds, struct buf *out, struct error *err)
{
    char text[FINGERPRINT_TEXT_MAX];
    char line[CENSUS_NAME_MAX + 24 + FINGERPRINT_TEXT_MAX];
    struct fingerprint *all = fingerprint_new(0, err);
    if (all == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < kinds->len; i++) {
        const struct kind *k = vec_at(kinds, i);
        int n = snprintf(line, sizeof line, "%s %llu %s\n", k->name,
                         (unsigned long long)fingerprint_rows(k->structure), digits(k->structure, text));
        fingerprint_lines(all, line, (size_t)n);
    }
    int rc = buf_printf(out, err, "schema_hash=%s\n", digits(all, text));
    fingerprint_free(all);
    return rc;
}

static int take_all(struct pgsql *c, const char *const *queries, bool objects, const char *prefix,
                    struct buf *out, struct error *err)
{
    struct vec kinds = VEC_OF(struct kind);
    int rc = 0;
    for (size_t i = 0; rc == 0 && queries[i] != NULL; i++)
        rc = take_query(c, queries[i], &kinds, err);
    if (rc == 0 && objects)
        rc = add_hash(&kinds, out, err);
    if (rc == 0)
        rc = add_kinds(&kinds, prefix, objects, out, err);
    kinds_free(&kinds);
    return rc;
}

/* Collations whose order indexes and columns rely on, with the version their rules had when they were made. */
static const char collations[] =
    "SELECT n.nspname, o.collname, o.collprovider, coalesce(o.collversion, '') FROM pg_collation o JOIN "
    "pg_namespace n ON n.oid = o.collnamespace WHERE o.collname NOT IN ('default', 'C', 'POSIX') AND o.oid IN "
    "(SELECT a.attcollation FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attcollation <> 0 AND "
    "c.relkind IN ('r', 'p', 'm') AND NOT a.attisdropped UNION SELECT u.id FROM pg_index i, "
    "unnest(i.indcollation::oid[]) u(id)) ORDER BY 1, 2";

static int add_collations(struct pgsql *c, struct buf *out, struct error *err)
{
    PGresult *r = NULL;
    struct buf list = BUF_INIT;
    int rc = pgsql_query(c, collations, &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        rc = buf_printf(&list, err, "%s", i == 0 ? "" : ",");
        for (int k = 0; rc == 0 && k < 4; k++) {
            rc = k == 0 ? 0 : buf_append(&list, k == 1 ? "." : ":", 1, err);
            if (rc == 0)
                rc = pgsql_encode(&list, PQgetvalue(r, i, k), err);
        }
    }
    if (rc == 0 && list.len > PGSQL_COLLATIONS_TEXT_MAX)
        rc = buf_printf(out, err, "collations_omitted=yes\n");
    else if (rc == 0 && list.len != 0)
        rc = buf_printf(out, err, "collations=%.*s\n", (int)list.len, (const char *)list.data);
    PQclear(r);
    buf_free(&list);
    return rc;
}

static int add_public(struct pgsql *c, struct buf *out, struct error *err)
{
    int64_t n = 0;
    int rc = pgsql_number(c, "SELECT count(*) FROM pg_namespace WHERE nspname = 'public'", &n, err);
    return rc == 0 && n == 0 ? buf_printf(out, err, "public_schema=no\n") : rc;
}

int pgsql_census(struct pgsql *c, struct buf *out, struct error *err)
{
    if (PQserverVersion(c->conn) / 10000 < CENSUS_MAJOR_MIN)
        return buf_printf(out, err, "census_omitted=yes\n");
    int rc = buf_printf(out, err, "census=%d\n", CENSUS_VERSION);
    if (rc == 0)
        rc = take_all(c, pgsql_census_objects, true, "objects_", out, err);
    if (rc == 0)
        rc = take_all(c, pgsql_census_grants, false, "grants_", out, err);
    if (rc == 0)
        rc = take_all(c, pgsql_census_owners, false, "", out, err);
    if (rc == 0)
        rc = add_public(c, out, err);
    return rc == 0 ? add_collations(c, out, err) : rc;
}

/* ---- facts back to kinds --------------------------------------------------------------------------------- */

static bool is_census(const char *key)
{
    return str_starts(key, "objects_") || str_starts(key, "grants_") || strcmp(key, "owners") == 0;
}

int pgsql_census_each(const char *facts, pgsql_census_fn *fn, void *arg, struct error *err)
{
    int rc = 0;
    for (const char *line = facts; rc >= 0 && line != NULL && *line != '\0';) {
        char text[CENSUS_NAME_MAX + 160];
        const char *end = strchr(line, '\n');
        size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
        char *value = NULL;
        if (len < sizeof text) {
            memcpy(text, line, len);
            text[len] = '\0';
            value = strchr(text, '=');
        }
        if (value != NULL)
            *value++ = '\0';
        if (value != NULL && is_census(text)) {
            char *hash = NULL;
            uint64_t count = strtoull(value, &hash, 10);
            if (*hash == ' ')
                hash++;
            hash[strcspn(hash, " ")] = '\0';
            rc = fn(text, count, hash, arg, err);
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return rc < 0 ? rc : 0;
}

/* ---- sequences ------------------------------------------------------------------------------------------- */

int pgsql_sequence_facts(const struct vec *sequences, struct buf *out, struct error *err)
{
    char text[FINGERPRINT_TEXT_MAX];
    struct buf list = BUF_INIT;
    struct fingerprint *fp = fingerprint_new(0, err);
    int rc = fp != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < sequences->len; i++) {
        const struct pgsql_sequence *s = vec_at(sequences, i);
        const char *comma = strchr(s->value, ',');
        size_t from = list.len;
        rc = pgsql_encode(&list, s->schema, err);
        if (rc == 0)
            rc = buf_append(&list, ".", 1, err);
        if (rc == 0)
            rc = pgsql_encode(&list, s->name, err);
        if (rc == 0)
            rc = buf_printf(&list, err, ":%.*s:%s", comma != NULL ? (int)(comma - s->value) : 0, s->value,
                            strstr(s->value, "true") != NULL ? "used" : "next");
        if (rc == 0) {
            fingerprint_piece(fp, list.data + from, list.len - from);
            fingerprint_row(fp);
            rc = buf_append(&list, ",", 1, err);
        }
    }
    if (rc == 0)
        rc = buf_printf(out, err, "sequences=%zu\nsequence_hash=%s\n", sequences->len, digits(fp, text));
    if (rc == 0 && list.len > PGSQL_VALUES_TEXT_MAX)
        rc = buf_printf(out, err, "sequence_values_omitted=yes\n");
    else if (rc == 0 && list.len != 0)
        rc = buf_printf(out, err, "sequence_values=%.*s\n", (int)list.len - 1, (const char *)list.data);
    fingerprint_free(fp);
    buf_free(&list);
    return rc;
}
