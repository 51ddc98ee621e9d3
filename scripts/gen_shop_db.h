/*
 * gen_shop_db.h - SQLite for a small tool: every failure prints one line and ends the program.
 */
#ifndef SCRIPTS_GEN_SHOP_DB_H
#define SCRIPTS_GEN_SHOP_DB_H

#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((format(printf, 1, 2), noreturn)) static inline void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fputs("gen-shop: ", stderr);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static inline void check(sqlite3 *db, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
        die("%s: %s", sqlite3_db_filename(db, "main"), sqlite3_errmsg(db));
}

static inline void run(sqlite3 *db, const char *sql)
{
    check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static inline sqlite3 *open_db(const char *path, int flags)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK)
        die("%s: %s", path, db == NULL ? "out of memory" : sqlite3_errmsg(db));
    check(db, sqlite3_busy_timeout(db, 60000));
    return db;
}

static inline sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    check(db, sqlite3_prepare_v2(db, sql, -1, &s, NULL));
    return s;
}

static inline int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = prepare(db, sql);
    check(db, sqlite3_step(s));
    int64_t n = sqlite3_column_int64(s, 0);
    check(db, sqlite3_finalize(s));
    return n;
}

static inline void done(sqlite3 *db, sqlite3_stmt *s)
{
    check(db, sqlite3_step(s));
    check(db, sqlite3_reset(s));
}

static inline void close_db(sqlite3 *db)
{
    if (sqlite3_close(db) != SQLITE_OK)
        die("close: %s", sqlite3_errmsg(db));
}

#endif
