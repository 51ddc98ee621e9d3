#include <stdio.h>
#include <string.h>

#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

static int busy_error(struct error *err, const char *path, const char *text)
{
    return error_set(err, E_BUSY,
                     "%s: %s (another process keeps it locked); raise `busy_timeout`, find what holds it "
                     "(fuser FILE), or switch the database to WAL",
                     path, text);
}

int sqlite_error(struct error *err, sqlite3 *db, int rc, const char *path)
{
    const char *text =
        db != NULL && sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    int extended = db != NULL ? sqlite3_extended_errcode(db) : rc;
    if (extended == SQLITE_READONLY_ROLLBACK)
        return error_set(
            err, E_DENIED,
            "%s: an interrupted transaction must be rolled back first, and a backup does not write; "
            "start the application once, or open the file with the sqlite3 shell and read from it",
            path);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return busy_error(err, path, text);
    case SQLITE_NOTADB:
        return error_set(
            err, E_CORRUPT,
            "%s: %s (it may be encrypted, damaged, or no database at all); correct `path`, or for SQLCipher "
            "and the like use the engine `command` with the program that has the key",
            path, text);
    case SQLITE_CORRUPT:
        return error_set(err, E_CORRUPT, "%s: %s; look at it with PRAGMA integrity_check", path, text);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return error_set(err, E_DENIED,
                         "%s: %s; check the rights on the file, its -wal and -shm, and its directory", path,
                         text);
    case SQLITE_FULL:
        return error_set(err, E_NO_SPACE, "%s: %s", path, text);
    case SQLITE_NOMEM:
        return error_set(err, E_NOMEM, "%s: %s", path, text);
    case SQLITE_INTERRUPT:
        return error_set(err, E_CANCELLED, "%s: %s", path, text);
    default:
        return error_set(err, E_IO, "%s: %s (SQLite code %d)", path, text, extended);
    }
}

static int query(sqlite3 *db, const char *sql, bool all, int (*fn)(sqlite3_stmt *stmt, void *arg), void *arg)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW)
            break;
        rc = fn(stmt, arg);
        if (!all)
            break;
    }
    int end = sqlite3_finalize(stmt);
    return rc == SQLITE_OK || rc == SQLITE_DONE ? end : rc;
}

int sqlite_rows(sqlite3 *db, const char *sql, int (*fn)(sqlite3_stmt *stmt, void *arg), void *arg)
{
    return query(db, sql, true, fn, arg);
}

static int take_number(sqlite3_stmt *stmt, void *arg)
{
    *(int64_t *)arg = sqlite3_column_int64(stmt, 0);
    return SQLITE_OK;
}

int sqlite_number(sqlite3 *db, const char *sql, int64_t *out)
{
    return query(db, sql, false, take_number, out);
}

struct text {
    char *out;
    size_t cap;
};

static int take_text(sqlite3_stmt *stmt, void *arg)
{
    const struct text *t = arg;
    const unsigned char *s = sqlite3_column_text(stmt, 0);
    (void)snprintf(t->out, t->cap, "%s", s == NULL ? "" : (const char *)s);
    return s == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

int sqlite_text(sqlite3 *db, const char *sql, char *out, size_t cap)
{
    struct text t = { .out = out, .cap = cap };
    out[0] = '\0';
    return query(db, sql, false, take_text, &t);
}

void sqlite_distrust(sqlite3 *db)
{
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
}
