/* What the databases say about themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "restore/drill/internal.h"

#include "common/base/banned.h"

enum { LIST_MAX = 600 };

/* A check that asks: rows are what is wrong, and text says more of each (or NULL). A question that cannot be asked is no
 * verdict on the backup. */
static int nothing_wrong_but(struct drill *d, const char *kind, const char *name, const char *sql,
                             const char *text, struct error *err)
{
    struct error why = ERROR_INIT;
    struct vec rows;
    int rc = drill_ask(d, sql, &rows, &why);
    if (rc == E_CANCELLED || rc == E_NOMEM) {
        drill_rows_free(&rows);
        return error_copy(err, &why);
    }
    if (rc < 0)
        rc = drill_note(d, kind, name, NULL, DRILL_COULD_NOT_RUN, NULL, NULL, why.text, err);
    else if (rows.len == 0)
        rc = drill_note(d, kind, name, NULL, DRILL_PASS, NULL, NULL, NULL, err);
    for (size_t i = 0; rc == 0 && i < rows.len; i++) {
        const struct drill_row *row = vec_at(&rows, i);
        rc = drill_note(d, kind, name, row->fields[0], DRILL_FAIL, row->n > 1 ? row->fields[1] : NULL,
                        row->n > 2 ? row->fields[2] : NULL, text, err);
    }
    drill_rows_free(&rows);
    return rc;
}

static int nothing_wrong(struct drill *d, const char *kind, const char *name, const char *sql,
                         struct error *err)
{
    return nothing_wrong_but(d, kind, name, sql, NULL, err);
}

/* ---- PostgreSQL -------------------------------------------------------------------------------------------- */

/* One question for all sequences that belong to a column, made by a question. One that begins anew at its end may be anywhere. */
static const char sequences_sql[] =
    "SELECT 'SELECT ' || quote_literal(format('%I.%I', sn.nspname, s.relname)) || ' AS what, "
    "''at least '' || m AS expected, v::text AS found FROM (SELECT (SELECT max(' || quote_ident(a.attname) || "
    "')::numeric FROM ' || CASE WHEN t.relkind = 'p' THEN '' ELSE 'ONLY ' END || format('%I.%I', tn.nspname, "
    "t.relname) || ') AS m, (SELECT min(' || quote_ident(a.attname) || ')::numeric FROM ' || "
    "CASE WHEN t.relkind = 'p' THEN '' ELSE 'ONLY ' END || format('%I.%I', tn.nspname, t.relname) || ') AS l, "
    "(SELECT CASE WHEN is_called THEN last_value ELSE last_value::numeric - (' || q.seqincrement || ') END FROM ' || "
    "format('%I.%I', sn.nspname, s.relname) || ') AS v) x WHERE ' || "
    "CASE WHEN q.seqincrement > 0 THEN 'm > v AND m <= ' || q.seqmax ELSE 'l < v AND l >= ' || q.seqmin END "
    "FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = "
    "s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid JOIN pg_class t ON t.oid = d.refobjid AND t.relkind "
    "IN ('r', 'p') JOIN pg_namespace tn ON tn.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = t.oid AND "
    "a.attnum = d.refobjsubid JOIN pg_type y ON y.oid = a.atttypid WHERE d.classid = 'pg_class'::regclass AND "
    "d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND NOT q.seqcycle AND y.typname IN ('int2', 'int4', 'int8', "
    "'numeric')";

/* Their values were compared with those of the backup, and are the same. */
static bool sequences_as_backed_up(const struct drill *d)
{
    bool same = false;
    for (size_t i = 0; i < d->r->checks.len; i++) {
        const struct drill_check *c = vec_at(&d->r->checks, i);
        if (strcmp(c->kind, "sequence") == 0 && c->verdict == DRILL_FAIL)
            return false;
        same = same || strcmp(c->kind, "sequence") == 0;
    }
    return same;
}

static int sequences_behind(struct drill *d, struct error *err)
{
    static const char before[] =
        "it was so when it was backed up: there, too, the next row takes a number that is taken; setval() in the source "
        "mends it, `sequences: false` in the drill says that it is meant";
    struct vec rows;
    struct buf sql = BUF_INIT;
    if (d->o->no_sequences)
        return 0;
    int rc = drill_ask(d, sequences_sql, &rows, err);
    for (size_t i = 0; rc == 0 && i < rows.len; i++) {
        const struct drill_row *row = vec_at(&rows, i);
        rc = buf_printf(&sql, err, "%s%s", i > 0 ? " UNION ALL " : "", row->fields[0]);
    }
    rc = rc == 0 ? buf_append(&sql, "", 1, err) : rc;
    if (rc == 0 && rows.len > 0)
        rc = nothing_wrong_but(d, "sequence", "sequences not behind their columns", (const char *)sql.data,
                               sequences_as_backed_up(d) ? before : NULL, err);
    drill_rows_free(&rows);
    buf_free(&sql);
    return rc;
}

static int amcheck_result(struct drill *d, struct child *c, struct error *err)
{
    struct error why = ERROR_INIT;
    char text[LIST_MAX];
    enum { FOUND_CORRUPTION = 2 };
    int rc = child_finish(c, &why);
    if (rc == E_CANCELLED)
        return error_copy(err, &why);
    if (rc == 0)
        return drill_note(d, "engine", "pg_amcheck", NULL, DRILL_PASS, NULL, NULL, NULL, err);
    if (child_status(c) == FOUND_CORRUPTION)
        return drill_note(d, "engine", "pg_amcheck", NULL, DRILL_FAIL, NULL, NULL,
                          "tables or indexes are not what they should be", err);
    (void)snprintf(text, sizeof text, "%.500s (the extension amcheck comes with the server's package)",
                   why.text);
    return drill_note(d, "engine", "pg_amcheck", NULL, DRILL_COULD_NOT_RUN, NULL, NULL, text, err);
}

/* Event triggers would act on the extension that is made for it. */
static int amcheck(struct drill *d, struct error *err)
{
    static const char quiet[] =
        "DO $$ DECLARE n name; BEGIN FOR n IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('ALTER EVENT "
        "TRIGGER %I DISABLE', n); END LOOP; END $$; CREATE SCHEMA IF NOT EXISTS backupd_amcheck; "
        "CREATE EXTENSION IF NOT EXISTS amcheck SCHEMA backupd_amcheck";
    struct error why = ERROR_INIT;
    char *program = str_printf(err, "%s/pg_amcheck", d->s.bin_dir);
    int rc = program != NULL ? 0 : E_NOMEM;
    if (rc == 0 && access(program, X_OK) < 0) {
        free(program);
        return drill_note(d, "engine", "pg_amcheck", NULL, DRILL_COULD_NOT_RUN, NULL, NULL,
                          "it is not installed: apt-get install postgresql-client of this release", err);
    }
    if (rc == 0 && d->s.engine->ask(d->s.to, quiet, true, NULL, NULL, &why) < 0) {
        free(program);
        return why.code == E_CANCELLED ? error_copy(err, &why)
                                       : drill_note(d, "engine", "pg_amcheck", NULL, DRILL_COULD_NOT_RUN,
                                                    NULL, NULL, why.text, err);
    }
    if (rc == 0) {
        const char *const argv[] = { program,
                                     "--heapallindexed",
                                     d->o->limits.nice > 0 ? "--jobs=1" : "--jobs=2",
                                     "--no-password",
                                     d->s.to,
                                     NULL };
        struct child *c = child_start(argv, NULL, err);
        rc = c != NULL ? amcheck_result(d, c, err) : err->code;
        child_free(c);
    }
    free(program);
    return rc;
}

static int postgres_checks(struct drill *d, struct error *err)
{
    /* That of a partitioned table is not valid as long as a partition lacks its own, in the source, too. */
    int rc =
        nothing_wrong(d, "constraint", "indexes valid",
                      "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class c ON c.oid = indexrelid "
                      "WHERE c.relkind = 'i' AND NOT (indisvalid AND indisready)",
                      err);
    /* Those that were backed up as NOT VALID are compared with the other objects. */
    if (rc == 0)
        rc = nothing_wrong(
            d, "constraint", "foreign keys enforced",
            "SELECT format('%s on %s', conname, conrelid::regclass) FROM pg_constraint c WHERE "
            "contype = 'f' AND convalidated AND (EXISTS (SELECT FROM pg_trigger t WHERE "
            "t.tgconstraint = c.oid AND t.tgenabled = 'D') OR (conparentid = 0 AND NOT EXISTS (SELECT "
            "FROM pg_trigger t WHERE t.tgconstraint = c.oid)))",
            err);
    rc = rc < 0 ? rc : sequences_behind(d, err);
    return rc < 0 ? rc : amcheck(d, err);
}

/* ---- MariaDB ------------------------------------------------------------------------------------------------ */

static const char tables_sql[] =
    "SELECT concat('`', replace(table_schema, '`', '``'), '`.`', replace(table_name, '`', '``'), '`') FROM "
    "information_schema.tables WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_schema NOT IN "
    "('mysql', 'sys', 'information_schema', 'performance_schema')";

/* Table, "check", "status" or "error", text. */
static int take_check(struct drill *d, const struct drill_row *row, size_t *bad, struct error *err)
{
    if (row->n < 4 || row->fields[2] == NULL || strcmp(row->fields[2], "status") != 0 ||
        row->fields[3] == NULL || strcmp(row->fields[3], "OK") == 0 ||
        strstr(row->fields[3], "doesn't support check") != NULL)
        return 0;
    ++*bad;
    return drill_note(d, "engine", "CHECK TABLE EXTENDED", row->fields[0], DRILL_FAIL, "OK", row->fields[3],
                      NULL, err);
}

static int check_table(struct drill *d, const char *table, size_t *bad, struct error *err)
{
    struct vec rows = VEC_OF(struct drill_row);
    char *sql = str_printf(err, "CHECK TABLE %s EXTENDED", table);
    int rc = sql != NULL ? drill_ask(d, sql, &rows, err) : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < rows.len; i++)
        rc = take_check(d, vec_at(&rows, i), bad, err);
    drill_rows_free(&rows);
    free(sql);
    return rc;
}

static int mariadb_checks(struct drill *d, struct error *err)
{
    struct vec tables;
    char text[64];
    size_t bad = 0;
    int rc = drill_ask(d, tables_sql, &tables, err);
    for (size_t i = 0; rc == 0 && i < tables.len; i++)
        rc = check_table(d, ((const struct drill_row *)vec_at(&tables, i))->fields[0], &bad, err);
    (void)snprintf(text, sizeof text, "%zu tables", tables.len);
    if (rc == 0 && bad == 0)
        rc = drill_note(d, "engine", "CHECK TABLE EXTENDED", text, DRILL_PASS, NULL, NULL, NULL, err);
    drill_rows_free(&tables);
    return rc;
}

/* ---- SQLite -------------------------------------------------------------------------------------------------- */

static int sqlite_checks(struct drill *d, struct error *err)
{
    if (d->database == NULL && d->db.m.list.len > 1)
        return drill_note(
            d, "engine", "integrity_check", NULL, DRILL_SKIPPED, NULL, NULL,
            "several databases: quick_check of each passed; name one with --database for all checks", err);
    int rc = nothing_wrong(d, "engine", "integrity_check",
                           "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
                           err);
    if (rc == 0 && !d->o->no_foreign_keys)
        rc = nothing_wrong(
            d, "constraint", "foreign_key_check",
            "SELECT \"table\" || ' row ' || coalesce(rowid, '?'), 'a row in ' || parent, 'none' "
            "FROM pragma_foreign_key_check LIMIT 100",
            err);
    return rc;
}

int drill_engine_checks(struct drill *d, struct error *err)
{
    const char *name = d->db.engine->name;
    if (strcmp(name, "postgres") == 0)
        return postgres_checks(d, err);
    if (strcmp(name, "mariadb") == 0 || strcmp(name, "mariabackup") == 0)
        return mariadb_checks(d, err);
    return strcmp(name, "sqlite") == 0 ? sqlite_checks(d, err) : 0;
}
