/* What a server and its databases hold, from information_schema. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/name.h"
#include "common/engine/option.h"

#include "common/base/banned.h"

const char *const maria_counts[] = { "views", "triggers", "procedures", "functions", "packages", "events" };

static void table_free(struct maria_table *t)
{
    for (size_t i = 0; i < t->columns.len; i++)
        free(((struct maria_column *)vec_at(&t->columns, i))->name);
    vec_free(&t->columns);
    names_free(&t->fresh);
    names_free(&t->freshest);
    free(t->database);
    free(t->name);
    free(t->range);
}

void maria_tables_free(struct vec *tables)
{
    for (size_t i = 0; i < tables->len; i++)
        table_free(vec_at(tables, i));
    vec_free(tables);
}

static void database_free(struct maria_database *db)
{
    for (size_t i = 0; i < db->sequences.len; i++) {
        struct maria_sequence *s = vec_at(&db->sequences, i);
        free(s->name);
        free(s->value);
    }
    vec_free(&db->sequences);
    names_free(&db->views);
    names_free(&db->relations);
    names_free(&db->excluded);
    names_free(&db->empty);
    names_free(&db->definers);
    free(db->name);
    free(db->charset);
    free(db->collation);
    free(db->comment);
}

void maria_databases_free(struct vec *databases)
{
    for (size_t i = 0; i < databases->len; i++)
        database_free(vec_at(databases, i));
    vec_free(databases);
}

const char *maria_field(MYSQL_ROW row, unsigned i)
{
    return row[i] != NULL ? row[i] : "";
}

/* ---- databases -------------------------------------------------------------------------------------------- */

static int take_database(MYSQL_ROW row, struct vec *out, struct error *err)
{
    struct maria_database *db = vec_push(out, err);
    if (db == NULL)
        return E_NOMEM;
    db->views = db->relations = db->excluded = db->empty = db->definers = (struct vec)VEC_OF(char *);
    db->sequences = (struct vec)VEC_OF(struct maria_sequence);
    if ((db->name = str_dup(maria_field(row, 0), err)) == NULL ||
        (db->charset = str_dup(maria_field(row, 1), err)) == NULL ||
        (db->collation = str_dup(maria_field(row, 2), err)) == NULL ||
        (db->comment = str_dup(maria_field(row, 3), err)) == NULL)
        return E_NOMEM;
    return 0;
}

static bool has_database(const struct vec *databases, const char *name)
{
    for (size_t i = 0; i < databases->len; i++)
        if (strcmp(((struct maria_database *)vec_at(databases, i))->name, name) == 0)
            return true;
    return false;
}

static bool is_wanted(const struct maria_settings *s, const char *name)
{
    static const char *const own[] = { "information_schema", "performance_schema", "mysql", "sys" };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (s->all_databases && strcmp(own[i], name) == 0)
            return false;
    for (size_t i = 0; i < option_count(s->job, "database"); i++)
        if (strcmp(option_at(s->job, "database", i), name) == 0)
            return true;
    return s->all_databases && !maria_is_excluded_database(s, name);
}

int maria_list_databases(struct maria *c, const struct maria_settings *s, struct vec *out, struct error *err)
{
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    *out = (struct vec)VEC_OF(struct maria_database);
    int rc =
        maria_query(c,
                    "SELECT schema_name, default_character_set_name, default_collation_name, schema_comment "
                    "FROM information_schema.schemata ORDER BY BINARY schema_name",
                    &r, err);
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL)
        if (is_wanted(s, maria_field(row, 0)))
            rc = take_database(row, out, err);
    mysql_free_result(r);
    for (size_t i = 0; rc == 0 && i < option_count(s->job, "database"); i++) {
        char shown[200];
        const char *name = option_at(s->job, "database", i);
        if (!has_database(out, name))
            rc = error_set(
                err, E_NOT_FOUND,
                "%s: there is no database %s, or the account has no right in it: correct `database`, or "
                "GRANT it",
                c->where, str_printable(shown, sizeof shown, name));
    }
    return rc;
}

/* ---- tables ------------------------------------------------------------------------------------------------ */

/* Their rows are in other tables or elsewhere; mariadb-dump takes none of them either. */
static bool is_elsewhere(const char *engine)
{
    static const char *const engines[] = { "MRG_MyISAM", "FEDERATED", "CONNECT", "OQGRAPH",
                                           "SPIDER",     "SPHINX",    "S3",      "VP" };
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
        if (strcasecmp(engines[i], engine) == 0)
            return true;
    return false;
}

/* name, type, engine, transactions, bytes, comment */
enum { T_NAME, T_TYPE, T_ENGINE, T_TRANSACTIONS, T_BYTES, T_COMMENT };

static int add_table(const struct maria_database *db, MYSQL_ROW row, struct vec *tables, struct error *err)
{
    struct maria_table *t = vec_push(tables, err);
    if (t == NULL)
        return E_NOMEM;
    t->columns = (struct vec)VEC_OF(struct maria_column);
    t->fresh = t->freshest = (struct vec)VEC_OF(char *);
    t->bytes = strtoull(maria_field(row, T_BYTES), NULL, 10);
    t->versioned = strcmp(maria_field(row, T_TYPE), "SYSTEM VERSIONED") == 0;
    t->transactional = strcmp(maria_field(row, T_TRANSACTIONS), "YES") == 0;
    if ((t->database = str_dup(db->name, err)) == NULL ||
        (t->name = str_dup(maria_field(row, T_NAME), err)) == NULL)
        return E_NOMEM;
    return 0;
}

static int add_sequence(struct maria_database *db, const char *name, struct error *err)
{
    struct maria_sequence *s = vec_push(&db->sequences, err);
    if (s == NULL || (s->name = str_dup(name, err)) == NULL)
        return E_NOMEM;
    return names_add(&db->relations, name, err);
}

/* information_schema hides what it cannot open behind a comment. */
static int unreadable(const struct maria_database *db, MYSQL_ROW row, struct error *err)
{
    char shown[2][200];
    return error_set(err, E_CORRUPT, "table %s.%s cannot be opened by the server: %s",
                     str_printable(shown[0], sizeof shown[0], db->name), maria_field(row, T_NAME),
                     str_printable(shown[1], sizeof shown[1], maria_field(row, T_COMMENT)));
}

static int take_relation(const struct maria_settings *s, struct maria_database *db, MYSQL_ROW row,
                         struct vec *tables, struct error *err)
{
    const char *name = maria_field(row, T_NAME);
    const char *type = maria_field(row, T_TYPE);
    if (maria_is_excluded(s, "exclude_tables", db->name, name))
        return names_add(&db->excluded, name, err);
    if (strcmp(type, "VIEW") == 0)
        return names_add(&db->views, name, err);
    if (strcmp(type, "SEQUENCE") == 0)
        return add_sequence(db, name, err);
    if (row[T_ENGINE] == NULL)
        return unreadable(db, row, err);
    int rc = names_add(&db->relations, name, err);
    if (rc == 0 &&
        (is_elsewhere(row[T_ENGINE]) || maria_is_excluded(s, "exclude_table_data", db->name, name)))
        return names_add(&db->empty, name, err);
    return rc == 0 ? add_table(db, row, tables, err) : rc;
}

static int list_relations(struct maria *c, const struct maria_settings *s, struct maria_database *db,
                          const char *literal, struct vec *tables, struct error *err)
{
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    int rc = maria_queryf(c, &r, err,
                          "SELECT t.table_name, t.table_type, t.engine, e.transactions, t.data_length, "
                          "t.table_comment FROM information_schema.tables t "
                          "LEFT JOIN information_schema.engines e ON e.engine = t.engine "
                          "WHERE t.table_schema = %s AND BINARY t.table_schema = %s "
                          "AND t.table_type NOT LIKE '%%TEMPORARY%%' ORDER BY BINARY t.table_name",
                          literal, literal);
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL)
        rc = take_relation(s, db, row, tables, err);
    mysql_free_result(r);
    return rc;
}

/* ---- code -------------------------------------------------------------------------------------------------- */

int maria_count_code(struct maria *c, const char *database, uint64_t counts[MARIA_COUNTS], struct error *err)
{
    MYSQL_RES *r = NULL;
    char *d = maria_literal_text(database, err);
    int rc =
        d == NULL
            ? E_NOMEM
            : maria_queryf(c, &r, err,
                           "SELECT (SELECT count(*) FROM information_schema.tables WHERE table_schema = %s "
                           "AND BINARY table_schema = %s AND table_type = 'VIEW'), "
                           "(SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = %s "
                           "AND BINARY trigger_schema = %s), "
                           "sum(routine_type = 'PROCEDURE'), sum(routine_type = 'FUNCTION'), "
                           "sum(routine_type = 'PACKAGE'), "
                           "(SELECT count(*) FROM information_schema.events WHERE event_schema = %s "
                           "AND BINARY event_schema = %s) "
                           "FROM information_schema.routines WHERE routine_schema = %s "
                           "AND BINARY routine_schema = %s",
                           d, d, d, d, d, d, d, d);
    MYSQL_ROW row = rc == 0 ? mysql_fetch_row(r) : NULL;
    for (unsigned i = 0; row != NULL && i < MARIA_COUNTS; i++)
        counts[i] = strtoull(maria_field(row, i), NULL, 10);
    mysql_free_result(r);
    free(d);
    return rc;
}

static int list_definers(struct maria *c, const char *d, struct maria_database *db, struct error *err)
{
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    int rc = maria_queryf(
        c, &r, err,
        "SELECT definer FROM information_schema.views WHERE table_schema = %s AND BINARY table_schema = %s "
        "UNION SELECT definer FROM information_schema.triggers WHERE trigger_schema = %s "
        "AND BINARY trigger_schema = %s "
        "UNION SELECT definer FROM information_schema.routines WHERE routine_schema = %s "
        "AND BINARY routine_schema = %s "
        "UNION SELECT definer FROM information_schema.events WHERE event_schema = %s AND BINARY event_schema = %s "
        "ORDER BY 1",
        d, d, d, d, d, d, d, d);
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL)
        rc = names_add(&db->definers, maria_field(row, 0), err);
    mysql_free_result(r);
    return rc;
}

int maria_list_contents(struct maria *c, const struct maria_settings *s, struct maria_database *db,
                        struct vec *tables, struct error *err)
{
    size_t from = tables->len;
    char *literal = maria_literal_text(db->name, err);
    int rc = literal != NULL ? list_relations(c, s, db, literal, tables, err) : E_NOMEM;
    if (rc == 0)
        rc = maria_list_columns(c, s, literal, tables, from, err);
    if (rc == 0)
        rc = maria_order_views(c, literal, db, err);
    if (rc == 0)
        rc = maria_count_code(c, db->name, db->counts, err);
    if (rc == 0)
        rc = list_definers(c, literal, db, err);
    if (rc == 0)
        rc = maria_schema_hash(c, db->name, s->seed, db->schema, err);
    free(literal);
    return rc;
}

int maria_read_sequences(struct maria *c, struct maria_database *db, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < db->sequences.len; i++) {
        struct maria_sequence *s = vec_at(&db->sequences, i);
        char *name = maria_qualified(db->name, s->name, err);
        char *sql =
            name != NULL
                ? str_printf(err, "SELECT concat(next_not_cached_value, ', 0, ', cycle_count) FROM %s", name)
                : NULL;
        free(s->value);
        s->value = sql != NULL ? maria_text(c, sql, err) : NULL;
        rc = s->value != NULL ? 0 : maria_failed(err);
        free(name);
        free(sql);
    }
    return rc;
}
