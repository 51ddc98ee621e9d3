/* The newest value of the columns that a job names: max(column), in the snapshot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/option.h"
#include "common/engine/postgres/census.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

enum { VALUE_MAX = 200, SHOWN_MAX = 200 };

/* A column as people write it, SCHEMA.TABLE.COLUMN, each a name as in SQL. One row when it is there. */
static int look_up(struct pgsql *c, const char *written, PGresult **out, struct error *err)
{
    struct buf sql = BUF_INIT;
    int rc =
        buf_printf(&sql, err, "SELECT n.nspname, c.relname, a.attname FROM (SELECT pg_catalog.parse_ident(");
    if (rc == 0)
        rc = pgsql_literal(&sql, written, err);
    if (rc == 0)
        rc = buf_printf(
            &sql, err,
            ") AS x) p JOIN pg_catalog.pg_namespace n ON n.nspname = p.x[1] JOIN pg_catalog.pg_class c "
            "ON c.relnamespace = n.oid AND c.relname = p.x[2] JOIN pg_catalog.pg_attribute a ON "
            "a.attrelid = c.oid AND a.attname = p.x[3] WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND "
            "a.attnum > 0 AND NOT a.attisdropped AND pg_catalog.cardinality(p.x) = 3");
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    if (rc == 0)
        rc = pgsql_query(c, (const char *)sql.data, out, err);
    buf_free(&sql);
    return rc;
}

/* "SELECT max(column)::text FROM table", behind `before`. */
static int max_sql(const PGresult *r, const char *before, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "%sSELECT pg_catalog.max(", before);
    if (rc == 0)
        rc = pgsql_quote(out, PQgetvalue(r, 0, 2), err);
    if (rc == 0)
        rc = buf_printf(out, err, ")::pg_catalog.text FROM ");
    if (rc == 0)
        rc = pgsql_quote(out, PQgetvalue(r, 0, 0), err);
    if (rc == 0)
        rc = buf_append(out, ".", 1, err);
    if (rc == 0)
        rc = pgsql_quote(out, PQgetvalue(r, 0, 1), err);
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}

static int add_fact(const PGresult *column, const PGresult *value, struct buf *out, struct error *err)
{
    char shown[VALUE_MAX];
    int rc = buf_printf(out, err, "newest_");
    for (int k = 0; rc == 0 && k < 3; k++) {
        rc = k == 0 ? 0 : buf_append(out, ".", 1, err);
        if (rc == 0)
            rc = pgsql_encode(out, PQgetvalue(column, 0, k), err);
    }
    return rc == 0
               ? buf_printf(out, err, "=%s\n", str_printable(shown, sizeof shown, PQgetvalue(value, 0, 0)))
               : rc;
}

static int add_one(struct pgsql *c, const char *written, struct buf *out, struct error *err)
{
    PGresult *column = NULL;
    PGresult *value = NULL;
    struct buf sql = BUF_INIT;
    int rc = look_up(c, written, &column, err);
    if (rc == 0 && PQntuples(column) == 1) {
        rc = max_sql(column, "", &sql, err);
        if (rc == 0)
            rc = pgsql_query(c, (const char *)sql.data, &value, err);
        if (rc == 0)
            rc = add_fact(column, value, out, err);
    }
    PQclear(column);
    PQclear(value);
    buf_free(&sql);
    return rc;
}

/* What the server refuses is told and left out: the rows matter more than what is known of them. */
int pgsql_newest_facts(struct pgsql *c, const struct pgsql_settings *s, struct buf *out, struct error *err)
{
    struct buf list = BUF_INIT;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < option_count(s->from, "freshness"); i++) {
        const char *written = option_at(s->from, "freshness", i);
        struct error why = ERROR_INIT;
        size_t before = list.len;
        rc = pgsql_exec(c, "SAVEPOINT backupd_newest", err);
        int found = rc == 0 ? add_one(c, written, &list, &why) : 0;
        if (found == E_RETRY || found == E_CANCELLED || found == E_NOMEM)
            rc = error_copy(err, &why);
        else if (found < 0) {
            log_event(LOG_WARN, "%s: freshness of %s: %s", c->where, written, why.text);
            list.len = before;
        }
        if (rc == 0)
            rc = pgsql_exec(
                c, found < 0 ? "ROLLBACK TO SAVEPOINT backupd_newest" : "RELEASE SAVEPOINT backupd_newest",
                err);
    }
    if (rc == 0 && list.len > PGSQL_NEWEST_TEXT_MAX)
        rc = buf_printf(out, err, "newest_omitted=yes\n");
    else if (rc == 0 && list.len != 0)
        rc = buf_append(out, list.data, list.len, err);
    buf_free(&list);
    return rc;
}

static int probe_one(struct pgsql *c, const char *written, unsigned *found, struct error *err)
{
    PGresult *column = NULL;
    struct buf sql = BUF_INIT;
    int rc = look_up(c, written, &column, err);
    if (rc == 0 && PQntuples(column) == 1) {
        ++*found;
        rc = max_sql(column, "EXPLAIN ", &sql, err);
        if (rc == 0)
            rc = pgsql_exec(c, (const char *)sql.data, err);
    }
    PQclear(column);
    buf_free(&sql);
    return rc;
}

int pgsql_newest_probe(struct pgsql *c, const struct pgsql_settings *s, unsigned *found,
                       engine_finding_fn *fn, void *arg, struct error *err)
{
    for (size_t i = 0; i < option_count(s->from, "freshness"); i++) {
        const char *written = option_at(s->from, "freshness", i);
        struct error why = ERROR_INIT;
        char what[ERROR_TEXT_MAX + SHOWN_MAX];
        char shown[SHOWN_MAX];
        int rc = probe_one(c, written, &found[i], &why);
        if (rc == E_RETRY || rc == E_CANCELLED || rc == E_NOMEM)
            return error_copy(err, &why);
        if (rc == 0)
            continue;
        found[i]++;
        (void)snprintf(what, sizeof what, "freshness of %s cannot be read: %s",
                       str_printable(shown, sizeof shown, written), why.text);
        fn(false, what, "name a column that has an order, as SCHEMA.TABLE.COLUMN with quotes as in SQL", arg);
    }
    return 0;
}
