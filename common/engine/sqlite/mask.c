/*
 * Masked drills: the values of a restored file are replaced, and what is left is written into a new file, so that nothing
 * of them stays in pages that are free. Nothing that the file defines acts: no triggers, no views, no functions of others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/mask.h"
#include "common/engine/name.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/restore.h"
#include "common/engine/sqlite/sqlite.h"

#include "common/base/banned.h"

enum { PROGRESS_STEPS = 100000 };

static const struct {
    int which;
    int value;
} quiet[] = {
    { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
    { SQLITE_DBCONFIG_ENABLE_FKEY, 0 },
    { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
};

/* Numbers and texts as their text, blobs as their bytes; null stays null. */
static void hash_value(sqlite3_context *c, int n, sqlite3_value **values)
{
    struct mask_hash *h = sqlite3_user_data(c);
    char text[MASK_HASH_MAX + 1];
    (void)n;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL)
        return;
    const void *data = sqlite3_value_type(values[0]) == SQLITE_BLOB ? sqlite3_value_blob(values[0])
                                                                    : sqlite3_value_text(values[0]);
    int len = sqlite3_value_bytes(values[0]);
    if (data == NULL && len != 0) {
        sqlite3_result_error_nomem(c);
        return;
    }
    mask_hash_begin(h);
    mask_hash_add(h, data, (size_t)len);
    mask_hash_text(h, text);
    sqlite3_result_text(c, text, -1, SQLITE_TRANSIENT);
}

static int open_quietly(const char *to, struct mask_hash *hash, sqlite3 **db)
{
    int sq = sqlite3_open_v2(to, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    for (size_t i = 0; sq == SQLITE_OK && i < sizeof quiet / sizeof quiet[0]; i++)
        sq = sqlite3_db_config(*db, quiet[i].which, quiet[i].value, NULL);
    if (sq == SQLITE_OK)
        sqlite_distrust(*db);
    if (sq == SQLITE_OK)
        sq = sqlite3_create_function_v2(*db, "backupd_mask", 1,
                                        SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_DETERMINISTIC, hash,
                                        hash_value, NULL, NULL, NULL);
    /* A journal would hold the original pages, and is of no use: what fails is thrown away. */
    if (sq == SQLITE_OK)
        sq = sqlite3_exec(
            *db,
            "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA secure_delete = ON; "
            "PRAGMA synchronous = OFF",
            NULL, NULL, NULL);
    return sq;
}

/* Text that is always an allocation of SQLite's, for sqlite3_free. */
static char *update_sql(const struct mask_table *t)
{
    char *sql = sqlite3_mprintf("UPDATE main.\"%w\" SET ", t->name);
    for (size_t i = 0; sql != NULL && i < t->columns.len; i++) {
        const struct mask_column *c = vec_at(&t->columns, i);
        const char *comma = i > 0 ? ", " : "";
        char *more = c->rule == MASK_NULL ? sqlite3_mprintf("%s%s\"%w\" = NULL", sql, comma, c->name)
                     : c->rule == MASK_CONSTANT
                         ? sqlite3_mprintf("%s%s\"%w\" = %Q", sql, comma, c->name, c->constant)
                         : sqlite3_mprintf("%s%s\"%w\" = backupd_mask(\"%w\")", sql, comma, c->name, c->name);
        sqlite3_free(sql);
        sql = more;
    }
    return sql;
}

/* How many values there were, before they go. */
static int count_values(sqlite3 *db, struct mask_table *t)
{
    int sq = SQLITE_OK;
    for (size_t i = 0; sq == SQLITE_OK && i < t->columns.len; i++) {
        struct mask_column *c = vec_at(&t->columns, i);
        bool all = c->rule == MASK_CONSTANT;
        int64_t n = 0;
        char *sql = all ? sqlite3_mprintf("SELECT count(*) FROM main.\"%w\"", t->name)
                        : sqlite3_mprintf("SELECT count(\"%w\") FROM main.\"%w\"", c->name, t->name);
        sq = sql != NULL ? sqlite_number(db, sql, &n) : SQLITE_NOMEM;
        c->changed = (uint64_t)n;
        sqlite3_free(sql);
    }
    return sq;
}

static int mask_table(sqlite3 *db, struct mask_table *t)
{
    int sq = count_values(db, t);
    char *sql = sq == SQLITE_OK ? update_sql(t) : NULL;
    if (sq == SQLITE_OK)
        sq = sql != NULL ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    t->rows = sq == SQLITE_OK ? (uint64_t)sqlite3_changes64(db) : 0;
    sqlite3_free(sql);
    return sq;
}

static int exists(sqlite3 *db, const char *table, bool *out)
{
    int64_t n = 0;
    char *sql =
        sqlite3_mprintf("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = %Q", table);
    int sq = sql != NULL ? sqlite_number(db, sql, &n) : SQLITE_NOMEM;
    *out = n > 0;
    sqlite3_free(sql);
    return sq;
}

/* What ANALYZE keeps are values of rows. */
static int drop_samples(sqlite3 *db)
{
    static const char *const samples[] = { "sqlite_stat3", "sqlite_stat4" };
    int sq = SQLITE_OK;
    for (size_t i = 0; sq == SQLITE_OK && i < sizeof samples / sizeof samples[0]; i++) {
        bool there = false;
        char *sql = sqlite3_mprintf("DROP TABLE main.\"%w\"", samples[i]);
        sq = sql != NULL ? exists(db, samples[i], &there) : SQLITE_NOMEM;
        if (sq == SQLITE_OK && there)
            sq = sqlite3_exec(db, sql, NULL, NULL, NULL);
        sqlite3_free(sql);
    }
    return sq;
}

static int keep_name(sqlite3_stmt *stmt, void *arg)
{
    const unsigned char *name = sqlite3_column_text(stmt, 0);
    return name == NULL || names_add(arg, (const char *)name, NULL) < 0 ? SQLITE_NOMEM : SQLITE_OK;
}

/* Full text without a copy of its own is made anew of the masked rows; *at is what failed. */
static int index_anew(sqlite3 *db, struct vec *names, const char **at)
{
    int sq = sqlite_rows(db, "SELECT name FROM main.sqlite_schema v WHERE " SQLITE_FTS_OF_OTHERS, keep_name,
                         names);
    for (size_t i = 0; sq == SQLITE_OK && i < names->len; i++) {
        *at = *(char **)vec_at(names, i);
        char *sql = sqlite3_mprintf("INSERT INTO main.\"%w\"(\"%w\") VALUES ('rebuild')", *at, *at);
        sq = sql != NULL ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
        sqlite3_free(sql);
    }
    return sq;
}

static int write_anew(sqlite3 *db, const char *file)
{
    char *sql = sqlite3_mprintf("VACUUM main INTO %Q", file);
    int sq = sql != NULL ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    return sq;
}

static int replace(const char *to, const char *made, struct error *err)
{
    static const char *const beside[] = { "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        char *path = str_printf(err, "%s%s", to, beside[i]);
        if (path == NULL)
            return E_NOMEM;
        (void)unlink(path);
        free(path);
    }
    return rename(made, to) == 0 ? 0 : error_sys(err, "rename %s to %s", made, to);
}

int sqlite_mask(const char *to, struct vec *tables, struct mask_hash *hash, struct error *err)
{
    struct guard g = { .why = ERROR_INIT };
    sqlite3 *db = NULL;
    const char *at = to;
    struct vec indexed = VEC_OF(char *);
    char *made = str_printf(err, "%s.masked", to);
    if (made == NULL)
        return E_NOMEM;
    int sq = open_quietly(to, hash, &db);
    if (sq == SQLITE_OK)
        sqlite3_progress_handler(db, PROGRESS_STEPS, sqlite_guard_stops, &g);
    for (size_t i = 0; sq == SQLITE_OK && i < tables->len; i++) {
        struct mask_table *t = vec_at(tables, i);
        at = t->name;
        sq = mask_table(db, t);
    }
    sq = sq == SQLITE_OK ? index_anew(db, &indexed, &at) : sq;
    at = sq == SQLITE_OK ? to : at;
    sq = sq == SQLITE_OK ? drop_samples(db) : sq;
    sq = sq == SQLITE_OK ? write_anew(db, made) : sq;
    int rc = sq == SQLITE_OK ? 0 : g.why.code != 0 ? error_copy(err, &g.why) : sqlite_error(err, db, sq, at);
    rc = rc < 0 && at != to ? error_wrap(err, "mask table") : rc;
    names_free(&indexed);
    (void)sqlite3_close(db);
    rc = rc == 0 ? replace(to, made, err) : rc;
    if (rc < 0)
        (void)unlink(made);
    free(made);
    return rc;
}
