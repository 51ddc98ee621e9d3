#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

enum { TOAST_LOOK = 1 << 20 }; /* from here on a row could be too long as text */

static void table_free(struct pgsql_table *t)
{
    for (size_t i = 0; i < t->columns.len; i++)
        free(*(char **)vec_at(&t->columns, i));
    vec_free(&t->columns);
    free(t->schema);
    free(t->name);
    free(t->sql);
    free(t->into);
    free(t->into_schema);
    free(t->into_name);
    free(t->condition);
}

void pgsql_tables_free(struct vec *tables)
{
    for (size_t i = 0; i < tables->len; i++)
        table_free(vec_at(tables, i));
    vec_free(tables);
}

void pgsql_sequences_free(struct vec *sequences)
{
    for (size_t i = 0; i < sequences->len; i++) {
        struct pgsql_sequence *s = vec_at(sequences, i);
        free(s->schema);
        free(s->name);
        free(s->sql);
        free(s->value);
    }
    vec_free(sequences);
}

char *pgsql_qualified(const char *schema, const char *name, struct error *err)
{
    struct buf sql = BUF_INIT;
    int rc = pgsql_quote(&sql, schema, err);
    if (rc == 0)
        rc = buf_append(&sql, ".", 1, err);
    if (rc == 0)
        rc = pgsql_quote(&sql, name, err);
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    if (rc == 0)
        return (char *)sql.data;
    buf_free(&sql);
    return NULL;
}

static int take_column(const PGresult *r, int row, struct pgsql_table *t, struct error *err)
{
    char **slot = vec_push(&t->columns, err);
    if (slot == NULL || (*slot = str_dup(PQgetvalue(r, row, 1), err)) == NULL)
        return E_NOMEM;
    return 0;
}

/* Columns 0..3: oid, schema, name, kind. */
static struct pgsql_table *take_names(const PGresult *r, int row, struct vec *out, struct error *err)
{
    struct pgsql_table *t = vec_push(out, err);
    if (t == NULL)
        return NULL;
    t->columns = (struct vec)VEC_OF(char *);
    t->oid = (uint32_t)strtoul(PQgetvalue(r, row, 0), NULL, 10);
    t->kind = PQgetvalue(r, row, 3)[0];
    if ((t->schema = str_dup(PQgetvalue(r, row, 1), err)) == NULL ||
        (t->name = str_dup(PQgetvalue(r, row, 2), err)) == NULL ||
        (t->sql = pgsql_qualified(t->schema, t->name, err)) == NULL)
        return NULL;
    return t;
}

int pgsql_list_locks(struct pgsql *c, struct vec *out, struct error *err)
{
    PGresult *r = NULL;
    *out = (struct vec)VEC_OF(struct pgsql_table);
    int rc = pgsql_query(c,
                         "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c "
                         "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" PGSQL_EXTENSION_OF
                         "WHERE c.relkind IN ('r', 'p') AND" PGSQL_USERS_OWN "AND" PGSQL_OWN_OR_CONFIG
                         "ORDER BY c.oid",
                         &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        rc = take_names(r, i, out, err) != NULL ? 0 : E_NOMEM;
    PQclear(r);
    return rc;
}

static int by_oid(const void *a, const void *b)
{
    const struct pgsql_table *x = a;
    const struct pgsql_table *y = b;
    return x->oid < y->oid ? -1 : x->oid > y->oid;
}

/* Largest first; then by name, so that nothing depends on the order of the catalog. */
static int by_size(const void *a, const void *b)
{
    const struct pgsql_table *x = a;
    const struct pgsql_table *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    int order = strcmp(x->schema, y->schema);
    return order != 0 ? order : strcmp(x->name, y->name);
}

static int add_columns(struct pgsql *c, struct vec *tables, struct error *err)
{
    PGresult *r = NULL;
    int rc = pgsql_query(c,
                         "SELECT a.attrelid, a.attname FROM pg_catalog.pg_attribute a "
                         "JOIN pg_catalog.pg_class c ON c.oid = a.attrelid "
                         "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                         "WHERE c.relkind = 'r' AND" PGSQL_USERS_OWN
                         "AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' "
                         "ORDER BY a.attrelid, a.attnum",
                         &r, err);
    size_t at = 0;
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        uint32_t oid = (uint32_t)strtoul(PQgetvalue(r, i, 0), NULL, 10);
        while (at < tables->len && ((struct pgsql_table *)vec_at(tables, at))->oid < oid)
            at++;
        struct pgsql_table *t = at < tables->len ? vec_at(tables, at) : NULL;
        if (t != NULL && t->oid == oid)
            rc = take_column(r, i, t, err);
    }
    PQclear(r);
    return rc;
}

/* Columns 4.. of the list of tables. */
static int take_more(const PGresult *r, int row, struct pgsql_table *t, struct error *err)
{
    t->bytes = strtoull(PQgetvalue(r, row, 4), NULL, 10);
    t->toasted = strtoull(PQgetvalue(r, row, 5), NULL, 10) >= TOAST_LOOK;
    if (PQgetvalue(r, row, 7)[0] == 't' && (t->condition = str_dup(PQgetvalue(r, row, 6), err)) == NULL)
        return E_NOMEM;
    if (PQgetisnull(r, row, 8))
        return 0;
    t->into_schema = str_dup(PQgetvalue(r, row, 8), err);
    t->into_name = t->into_schema != NULL ? str_dup(PQgetvalue(r, row, 9), err) : NULL;
    t->into = t->into_name != NULL ? pgsql_qualified(t->into_schema, t->into_name, err) : NULL;
    return t->into != NULL ? 0 : E_NOMEM;
}

/* What a value hashes to may differ in another server (enums, collations): its rows find their partition anew. */
#define HASHED_ROOT                                                                  \
    " LEFT JOIN LATERAL (SELECT rn.nspname, rc.relname FROM pg_catalog.pg_class rc " \
    "JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace "                   \
    "WHERE c.relispartition AND rc.oid = pg_catalog.pg_partition_root(c.oid) "       \
    "AND EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a(relid) "  \
    "JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = a.relid WHERE p.partstrat = 'h')) r ON true "

int pgsql_list_tables(struct pgsql *c, struct vec *out, struct error *err)
{
    PGresult *r = NULL;
    *out = (struct vec)VEC_OF(struct pgsql_table);
    int rc = pgsql_query(
        c,
        "SELECT c.oid, n.nspname, c.relname, c.relkind, pg_catalog.pg_table_size(c.oid), "
        "CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_catalog.pg_relation_size(c.reltoastrelid) END, "
        "e.extcondition[pg_catalog.array_position(e.extconfig, c.oid)], e.oid IS NOT NULL, r.nspname, r.relname "
        "FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" PGSQL_EXTENSION_OF HASHED_ROOT
        "WHERE c.relkind = 'r' AND" PGSQL_USERS_OWN "AND" PGSQL_OWN_OR_CONFIG "ORDER BY c.oid",
        &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        struct pgsql_table *t = take_names(r, i, out, err);
        rc = t != NULL ? take_more(r, i, t, err) : E_NOMEM;
    }
    PQclear(r);
    if (rc == 0)
        vec_sort(out, by_oid);
    if (rc == 0)
        rc = add_columns(c, out, err);
    if (rc == 0)
        vec_sort(out, by_size);
    return rc;
}

int pgsql_list_sequences(struct pgsql *c, struct vec *out, struct error *err)
{
    PGresult *r = NULL;
    *out = (struct vec)VEC_OF(struct pgsql_sequence);
    int rc = pgsql_query(c,
                         "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c "
                         "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" PGSQL_EXTENSION_OF
                         "WHERE c.relkind = 'S' AND" PGSQL_USERS_OWN "AND" PGSQL_OWN_OR_CONFIG
                         "ORDER BY n.nspname, c.relname",
                         &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        struct pgsql_sequence *s = vec_push(out, err);
        if (s == NULL || (s->schema = str_dup(PQgetvalue(r, i, 0), err)) == NULL ||
            (s->name = str_dup(PQgetvalue(r, i, 1), err)) == NULL ||
            (s->sql = pgsql_qualified(s->schema, s->name, err)) == NULL)
            rc = E_NOMEM;
    }
    PQclear(r);
    return rc;
}

int pgsql_column_list(const struct pgsql_table *t, struct buf *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++) {
        rc = i == 0 ? 0 : buf_append(out, ", ", 2, err);
        if (rc == 0)
            rc = pgsql_quote(out, *(char **)vec_at(&t->columns, i), err);
    }
    return rc;
}

/* "TABLE (columns)": without columns COPY must not get a list. */
static int target_sql(const struct pgsql_table *t, bool to, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "%s%s", to || t->into == NULL ? t->sql : t->into,
                        t->columns.len != 0 ? " (" : "");
    if (rc == 0)
        rc = pgsql_column_list(t, out, err);
    return rc == 0 && t->columns.len != 0 ? buf_append(out, ")", 1, err) : rc;
}

static int select_sql(const struct pgsql_table *t, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "(SELECT ");
    if (rc == 0)
        rc = pgsql_column_list(t, out, err);
    return rc == 0 ? buf_printf(out, err, " FROM ONLY %s %s)", t->sql, t->condition) : rc;
}

int pgsql_copy_sql(const struct pgsql_table *t, bool to, struct buf *out, struct error *err)
{
    bool some = to && t->condition != NULL && t->condition[0] != '\0';
    int rc = buf_printf(out, err, "COPY ");
    if (rc == 0)
        rc = some ? select_sql(t, out, err) : target_sql(t, to, out, err);
    if (rc == 0)
        rc = buf_printf(out, err, " %s%s", to ? "TO STDOUT" : "FROM STDIN",
                        t->binary ? " WITH (FORMAT binary)" : "");
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}

int pgsql_table_path(const struct pgsql_table *t, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "tables/");
    if (rc == 0)
        rc = pgsql_encode(out, t->schema, err);
    if (rc == 0)
        rc = buf_append(out, "/", 1, err);
    if (rc == 0)
        rc = pgsql_encode(out, t->name, err);
    return rc == 0 ? buf_printf(out, err, "%s", t->binary ? ".copybin" : ".copy") : rc;
}
