/* Masked drills: what the three databases are asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/postgres/name.h"
#include "common/engine/sqlite/sqlite.h"
#include "restore/drill/mask.h"

#include "common/base/banned.h"

/* Fields of an answer, in this order: those of struct mask_found; flags are 1 or 0. */
enum {
    F_SCHEMA,
    F_TABLE,
    F_FULL,
    F_COLUMN,
    F_TABLE_SQL,
    F_COLUMN_SQL,
    F_TYPE,
    F_TEXT,
    F_ROOM,
    F_BLANKS,
    F_NOT_NULL,
    F_WHY,
    F_CONSTANT,
    FIELDS
};

/* A column of a partition or an heir goes by the names of all tables above, too. */
static const char postgres_sql[] =
    "WITH RECURSIVE up AS (SELECT oid, oid AS above FROM pg_class WHERE relkind IN ('r', 'p') UNION SELECT up.oid, "
    "i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.above), dom AS (SELECT oid, oid AS base, -1 AS m, "
    "false AS nn FROM pg_type UNION ALL SELECT d.oid, t.typbasetype, t.typtypmod, d.nn OR t.typnotnull FROM dom d "
    "JOIN pg_type t ON t.oid = d.base AND t.typtype = 'd') SELECT n.nspname, c.relname, format('%s.%s.%s', "
    "an.nspname, ac.relname, a.attname), a.attname, format('%I.%I', n.nspname, c.relname), quote_ident(a.attname), "
    "format_type(a.atttypid, a.atttypmod), CASE WHEN b.typcategory = 'S' AND b.typname <> 'name' THEN 1 ELSE 0 "
    "END, CASE WHEN b.typname IN ('varchar', 'bpchar') AND l.m > 4 THEN l.m - 4 END, CASE WHEN b.typname = "
    "'bpchar' THEN 1 ELSE 0 END, CASE WHEN a.attnotnull OR dom.nn THEN 1 ELSE 0 END, CASE WHEN a.attgenerated <> "
    "'' THEN 'it is generated from other columns: mask those' END, 1 FROM up JOIN pg_class c ON c.oid = up.oid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class ac ON ac.oid = up.above JOIN pg_namespace an ON "
    "an.oid = ac.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "JOIN dom ON dom.oid = a.atttypid JOIN pg_type b ON b.oid = dom.base AND b.typtype <> 'd', LATERAL (SELECT "
    "CASE WHEN dom.oid = dom.base THEN a.atttypmod ELSE dom.m END AS m) l WHERE n.nspname NOT IN ('pg_catalog', "
    "'information_schema')";

static const char mariadb_sql[] =
    "SELECT NULL, c.table_name, concat(c.table_name, '.', c.column_name), c.column_name, concat('`', "
    "replace(c.table_name, '`', '``'), '`', if(t.table_type = 'SYSTEM VERSIONED', ' FOR SYSTEM_TIME ALL', '')), "
    "concat('`', replace(c.column_name, '`', '``'), '`'), c.column_type, if(c.data_type IN ('char', 'varchar', "
    "'tinytext', 'text', 'mediumtext', 'longtext') AND c.character_set_name NOT IN ('ucs2', 'utf16', 'utf16le', "
    "'utf32'), 1, 0), c.character_maximum_length, 0, if(c.is_nullable = 'NO', 1, 0), if(c.is_generated = 'ALWAYS', "
    "'it is generated from other columns: mask those', NULL), if((c.data_type IN ('char', 'varchar', 'tinytext', "
    "'text', 'mediumtext', 'longtext') AND c.character_set_name NOT IN ('ucs2', 'utf16', 'utf16le', 'utf32')) OR "
    "c.data_type IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal', 'double', 'date', 'datetime', "
    "'timestamp', 'time', 'year'), 1, 0) FROM information_schema.columns c JOIN information_schema.tables t ON "
    "t.table_schema = c.table_schema AND t.table_name = c.table_name WHERE c.table_schema = database() AND "
    "t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')";

static const char sqlite_sql[] =
    "SELECT NULL, m.name, m.name || '.' || x.name, x.name, '\"' || replace(m.name, '\"', '\"\"') || '\"', '\"' || "
    "replace(x.name, '\"', '\"\"') || '\"', x.type, CASE WHEN instr(upper(x.type), 'INT') > 0 THEN 0 WHEN "
    "instr(upper(x.type), 'CHAR') > 0 OR instr(upper(x.type), 'CLOB') > 0 OR instr(upper(x.type), 'TEXT') > 0 OR "
    "upper(x.type) IN ('', 'ANY') THEN 1 ELSE 0 END, NULL, 0, x.\"notnull\" OR x.pk > 0, CASE WHEN x.hidden IN (2, "
    "3) THEN 'it is generated from other columns: mask those' END, 1 FROM (SELECT name FROM sqlite_schema WHERE "
    "type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%') m JOIN "
    "pragma_table_xinfo(m.name) x";

static bool is(const struct drill *d, const char *engine)
{
    return strcmp(d->db.engine->name, engine) == 0;
}

int drill_mask_columns(const struct drill *d, mask_found_fn *fn, void *arg, struct error *err)
{
    struct vec rows;
    const char *sql = is(d, "postgres") ? postgres_sql : is(d, "mariadb") ? mariadb_sql : sqlite_sql;
    int rc = drill_ask(d, sql, &rows, err);
    for (size_t i = 0; rc == 0 && i < rows.len; i++) {
        const struct drill_row *row = vec_at(&rows, i);
        char **f = row->fields;
        uint64_t room = 0;
        if (row->n != FIELDS || f[F_TABLE] == NULL || f[F_FULL] == NULL || f[F_COLUMN] == NULL ||
            f[F_TABLE_SQL] == NULL || f[F_COLUMN_SQL] == NULL) {
            rc = error_set(err, E_INTERNAL, "the columns of the database could not be listed");
            break;
        }
        if (f[F_ROOM] != NULL)
            (void)number_parse(f[F_ROOM], 0, UINT32_MAX, &room, NULL);
        const struct mask_found found = { .schema = f[F_SCHEMA],
                                          .table = f[F_TABLE],
                                          .full = f[F_FULL],
                                          .column = f[F_COLUMN],
                                          .table_sql = f[F_TABLE_SQL],
                                          .column_sql = f[F_COLUMN_SQL],
                                          .type = f[F_TYPE] != NULL ? f[F_TYPE] : "",
                                          .text = f[F_TEXT] != NULL && f[F_TEXT][0] == '1',
                                          .room = (size_t)room,
                                          .blanks = f[F_BLANKS] != NULL && f[F_BLANKS][0] == '1',
                                          .not_null = f[F_NOT_NULL] != NULL && f[F_NOT_NULL][0] == '1',
                                          .why = f[F_WHY],
                                          .constant = f[F_CONSTANT] != NULL && f[F_CONSTANT][0] == '1' };
        rc = fn(&found, arg, err);
    }
    drill_rows_free(&rows);
    return rc;
}

/* ---- constants ---------------------------------------------------------------------------------------------- */

/* The one field of the one row, for free(). */
static int ask_text(const struct drill *d, const char *sql, char **out, struct error *err)
{
    struct vec rows;
    int rc = drill_ask(d, sql, &rows, err);
    struct drill_row *row = rc == 0 && rows.len == 1 ? vec_at(&rows, 0) : NULL;
    if (rc == 0 && (row == NULL || row->n != 1 || row->fields[0] == NULL))
        rc = error_set(err, E_INTERNAL, "no answer to %s", sql);
    if (rc == 0) {
        *out = row->fields[0];
        row->fields[0] = NULL;
    }
    drill_rows_free(&rows);
    return rc;
}

static bool is_ascii(const char *text)
{
    while (*text != '\0' && (unsigned char)*text < 0x80)
        text++;
    return *text == '\0';
}

static int finish_sql(struct buf *sql, int rc, struct error *err)
{
    return rc == 0 ? buf_append(sql, "", 1, err) : rc;
}

static int postgres_constant(const struct drill *d, const struct mask_found *f, const char *text, char **out,
                             struct error *err)
{
    struct buf sql = BUF_INIT;
    char encoding[64] = "";
    (void)fact_get(d->base.facts, "encoding", encoding, sizeof encoding);
    if (!is_ascii(text) && strcmp(encoding, "UTF8") != 0)
        return error_set(err, E_UNSUPPORTED, "a constant for a database in %s is of ASCII characters only",
                         encoding);
    int rc = buf_printf(&sql, err, "SELECT CAST(");
    rc = rc == 0 ? pgsql_literal(&sql, text, err) : rc;
    rc = rc == 0 ? buf_printf(&sql, err, " AS %s)", f->type) : rc;
    rc = finish_sql(&sql, rc, err);
    rc = rc == 0 ? ask_text(d, (const char *)sql.data, out, err) : rc;
    buf_free(&sql);
    return rc;
}

/* A database of its own for a moment: a table with that column only, which takes the constant or refuses it. */
static int mariadb_constant(const struct drill *d, const struct mask_found *f, const char *text, char **out,
                            struct error *err)
{
    struct buf sql = BUF_INIT;
    struct error why = ERROR_INIT;
    int rc = buf_printf(
        &sql, err,
        "CREATE DATABASE `backupd_mask`; CREATE TABLE `backupd_mask`.`c` AS SELECT %s AS v FROM %s "
        "LIMIT 0; SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'; INSERT INTO "
        "`backupd_mask`.`c` VALUES (",
        f->column_sql, f->table_sql);
    rc = rc == 0 ? maria_literal(&sql, text, err) : rc;
    rc = rc == 0 ? buf_append(&sql, ")", 1, err) : rc;
    rc = finish_sql(&sql, rc, err);
    if (rc < 0) {
        buf_free(&sql);
        return rc;
    }
    rc = d->s.engine->ask(d->s.to, (const char *)sql.data, true, NULL, NULL, err);
    rc = rc == 0 ? ask_text(d, "SELECT v FROM `backupd_mask`.`c`", out, err) : rc;
    int dropped = d->s.engine->ask(d->s.to, "DROP DATABASE IF EXISTS `backupd_mask`", true, NULL, NULL, &why);
    buf_free(&sql);
    return rc == 0 && dropped < 0 ? error_copy(err, &why) : rc;
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

int drill_mask_constant(const struct drill *d, const struct mask_found *f, const char *text, char **out,
                        struct error *err)
{
    if (f->room != 0 && characters(text) > f->room)
        return error_set(err, E_UNSUPPORTED, "the constant has %zu characters, and there is room for %zu",
                         characters(text), f->room);
    if (is(d, "postgres"))
        return postgres_constant(d, f, text, out, err);
    if (is(d, "mariadb"))
        return mariadb_constant(d, f, text, out, err);
    *out = str_dup(text, err);
    return *out != NULL ? 0 : E_NOMEM;
}

/* ---- what is left ------------------------------------------------------------------------------------------- */

static int postgres_left(struct buf *sql, const struct mask_column *c, size_t length, struct error *err)
{
    if (c->rule == MASK_HASH)
        return buf_printf(sql, err, "%s IS NOT NULL AND (%s::text COLLATE \"C\") !~ '^[a-z2-7]{%zu} *$'",
                          c->sql, c->sql, length);
    int rc = buf_printf(sql, err, "%s IS NULL OR (%s::text COLLATE \"C\") <> (CAST(", c->sql, c->sql);
    rc = rc == 0 ? pgsql_literal(sql, c->constant, err) : rc;
    return rc == 0 ? buf_printf(sql, err, " AS %s)::text COLLATE \"C\")", c->type) : rc;
}

static int mariadb_left(struct buf *sql, const struct mask_column *c, size_t length, struct error *err)
{
    if (c->rule == MASK_HASH)
        return buf_printf(sql, err, "%s IS NOT NULL AND CAST(%s AS BINARY) NOT REGEXP '^[a-z2-7]{%zu}$'",
                          c->sql, c->sql, length);
    char *hex = str_printf(err, "%*s", (int)(2 * strlen(c->constant)), "");
    if (hex == NULL)
        return E_NOMEM;
    hex_encode(hex, c->constant, strlen(c->constant));
    int rc = buf_printf(sql, err, "%s IS NULL OR CAST(%s AS BINARY) <> x'%s'", c->sql, c->sql, hex);
    free(hex);
    return rc;
}

static int sqlite_left(struct buf *sql, const struct mask_column *c, size_t length, struct error *err)
{
    if (c->rule == MASK_HASH)
        return buf_printf(
            sql, err,
            "%s IS NOT NULL AND (typeof(%s) <> 'text' OR length(%s) <> %zu OR %s GLOB '*[^a-z2-7]*')", c->sql,
            c->sql, c->sql, length, c->sql);
    int rc = buf_printf(sql, err, "%s IS NULL OR (%s COLLATE BINARY) <> ", c->sql, c->sql);
    return rc == 0 ? pgsql_literal(sql, c->constant, err) : rc;
}

static int left_of(const struct drill *d, struct buf *sql, const struct mask_column *c, struct error *err)
{
    size_t length = mask_hash_length(d->mask->hash);
    if (c->rule == MASK_NULL)
        return buf_printf(sql, err, "%s IS NOT NULL", c->sql);
    return is(d, "mariadb")    ? mariadb_left(sql, c, length, err)
           : is(d, "postgres") ? postgres_left(sql, c, length, err)
                               : sqlite_left(sql, c, length, err);
}

int drill_mask_remaining(const struct drill *d, const struct mask_table *t, const struct mask_column *c,
                         uint64_t *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    char *n = NULL;
    int rc =
        buf_printf(&sql, err, "SELECT count(*) FROM %s%s WHERE ", is(d, "postgres") ? "ONLY " : "", t->sql);
    rc = rc == 0 ? left_of(d, &sql, c, err) : rc;
    rc = finish_sql(&sql, rc, err);
    rc = rc == 0 ? ask_text(d, (const char *)sql.data, &n, err) : rc;
    rc = rc == 0 ? number_parse(n, 0, UINT64_MAX, out, err) : rc;
    free(n);
    buf_free(&sql);
    return rc < 0 ? error_wrap(err, "ask whether original values of %s.%s are left", t->name, c->name) : 0;
}

int drill_mask_copies(struct drill *d, struct error *err)
{
    static const char virtual_tables[] = "SELECT name FROM sqlite_schema v WHERE sql LIKE "
                                         "'CREATE VIRTUAL%' AND NOT (" SQLITE_FTS_OF_OTHERS ")";
    static const char large_objects[] =
        "SELECT 'large objects' WHERE EXISTS (SELECT FROM pg_largeobject_metadata)";
    struct vec rows;
    bool sqlite = is(d, "sqlite");
    if (!sqlite && !is(d, "postgres"))
        return 0;
    int rc = drill_ask(d, sqlite ? virtual_tables : large_objects, &rows, err);
    for (size_t i = 0; rc == 0 && i < rows.len; i++)
        rc = drill_note(
            d, "mask", "copies of masked values", ((struct drill_row *)vec_at(&rows, i))->fields[0],
            DRILL_COULD_NOT_RUN, NULL, NULL,
            sqlite ? "a virtual table (full text and the like) may keep copies of its own: it was not "
                     "masked"
                   : "they may hold what the columns held: they were not masked",
            err);
    drill_rows_free(&rows);
    return rc;
}
