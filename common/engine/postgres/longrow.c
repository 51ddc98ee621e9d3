/* Rows that are too long for COPY's text, which is 1 GB at most; found before any of them is stored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

enum {
    ROW_TEXT_MAX = 1000000000, /* a little less than what a server can build */
    TEXT_FACTOR = 2,           /* hexadecimal, or every character escaped */
    OTHER_FACTOR = 765,        /* best compression, times the longest text of a byte */
};

/* An upper bound for the text of a row, from sizes that are known without reading the values. */
static int bound_sql(struct pgsql *c, const struct pgsql_table *t, struct buf *out, struct error *err)
{
    PGresult *r = NULL;
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "SELECT a.attname, a.atttypid IN ('pg_catalog.bytea'::pg_catalog.regtype, "
                   "'pg_catalog.text'::pg_catalog.regtype, 'pg_catalog.varchar'::pg_catalog.regtype) "
                   "FROM pg_catalog.pg_attribute a WHERE a.attrelid = %lu AND a.attnum > 0 "
                   "AND NOT a.attisdropped AND a.attgenerated = '' AND a.attlen = -1 ORDER BY a.attnum",
                   (unsigned long)t->oid);
    int rc = pgsql_query(c, sql, &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++) {
        bool plain = PQgetvalue(r, i, 1)[0] == 't';
        rc = buf_printf(out, err, "%scoalesce(pg_catalog.%s(", i == 0 ? "" : " + ",
                        plain ? "octet_length" : "pg_column_size");
        if (rc == 0)
            rc = pgsql_quote(out, PQgetvalue(r, i, 0), err);
        if (rc == 0)
            rc = buf_printf(out, err, ")::pg_catalog.int8, 0) * %d", plain ? TEXT_FACTOR : OTHER_FACTOR);
    }
    if (rc == 0 && PQntuples(r) == 0)
        rc = buf_printf(out, err, "0");
    PQclear(r);
    return rc;
}

/* Copies the rows that could be too long, for nothing but the verdict. */
static int try_rows(struct pgsql *c, const struct pgsql_table *t, struct error *err)
{
    struct buf bound = BUF_INIT;
    struct buf where = BUF_INIT;
    struct pgsql_table some = *t;
    char block[8192];
    bool own = t->condition != NULL && t->condition[0] != '\0';
    int rc = bound_sql(c, t, &bound, err);
    if (rc == 0)
        rc = buf_append(&bound, "", 1, err);
    if (rc == 0)
        rc = buf_printf(&where, err, "%s%s%s > %d", own ? t->condition : "WHERE ", own ? " AND " : "",
                        (const char *)bound.data, ROW_TEXT_MAX);
    if (rc == 0)
        rc = buf_append(&where, "", 1, err);
    if (rc == 0) {
        some.condition = (char *)where.data;
        struct source *s = pgsql_copy_source(c, &some, 0, err);
        int64_t n = s != NULL ? 1 : pgsql_failed(err);
        while (n > 0)
            n = source_read(s, block, sizeof block, err);
        rc = (int)n;
        source_free(s);
    }
    buf_free(&bound);
    buf_free(&where);
    return rc;
}

/* A server that says so lives on: "out of memory ... cannot enlarge", "invalid memory alloc request size". */
static bool is_too_long(int rc)
{
    return rc < 0 && rc != E_RETRY && rc != E_CANCELLED && rc != E_NOMEM && rc != E_DENIED;
}

/* The rows that text cannot carry, in the other format; what fails there, too, cannot be copied at all. */
static int try_binary(struct pgsql *c, const struct pgsql_table *t, struct error *err)
{
    struct error why = ERROR_INIT;
    struct pgsql_table binary = *t;
    char shown[200];
    binary.binary = true;
    int rc = pgsql_exec(c, "ROLLBACK TO SAVEPOINT backupd_look", err);
    if (rc < 0)
        return rc;
    rc = try_rows(c, &binary, &why);
    if (!is_too_long(rc))
        return rc < 0 ? error_copy(err, &why) : 0;
    (void)pgsql_exec(c, "ROLLBACK TO SAVEPOINT backupd_look", NULL);
    return error_set(
        err, E_UNSUPPORTED,
        "table %s holds a row of more than 1 GB, which no COPY and no pg_dump can carry: split its values "
        "into several rows, or into large objects (SELECT ctid, pg_column_size(t) FROM %s t ORDER BY 2 "
        "DESC LIMIT 5 finds it), or leave its rows out (`exclude_table_data`)",
        str_printable(shown, sizeof shown, t->sql), shown);
}

int pgsql_needs_binary(struct pgsql *c, const struct pgsql_table *t, bool *out, struct error *err)
{
    struct error why = ERROR_INIT;
    *out = false;
    if (!t->toasted || t->columns.len == 0)
        return 0;
    int rc = pgsql_exec(c, "SAVEPOINT backupd_look", err);
    if (rc < 0)
        return rc;
    rc = try_rows(c, t, &why);
    *out = is_too_long(rc);
    if (rc < 0 && !*out)
        return error_copy(err, &why);
    rc = *out ? try_binary(c, t, err) : 0;
    return rc == 0 ? pgsql_exec(c, "RELEASE SAVEPOINT backupd_look", err) : rc;
}
