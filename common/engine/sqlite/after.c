/* A script of the person who restores, on a file that nobody else knows yet. */
#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/sqlite/restore.h"

#include "common/base/banned.h"

enum { SHOWN_MAX = 200, PROGRESS_STEPS = 100000 };

static const char *name_of(const struct engine_target *t)
{
    return t->after_name != NULL ? t->after_name : "the script";
}

static size_t line_of(const char *script, const char *at)
{
    size_t n = 1;
    for (const char *p = script; p < at; p++)
        n += *p == '\n';
    return n;
}

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n;");
}

static int refuse(const struct engine_target *t, const char *at, const char *why, struct error *err)
{
    char text[SHOWN_MAX];
    char shown[SHOWN_MAX];
    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(at, "\n;"), at);
    return error_set(err, E_USAGE, "%s, line %zu: %s: %s", name_of(t), line_of(t->after_sql, at),
                     str_printable(shown, sizeof shown, text), why);
}

static int failed(sqlite3 *db, const struct engine_target *t, const char *at, int sq, struct error *err)
{
    (void)sqlite_error(err, db, sq, name_of(t));
    return error_wrap(err, "line %zu", line_of(t->after_sql, at));
}

/* One statement; its rows are of no interest. */
static int step(sqlite3 *db, sqlite3_stmt *s, const struct engine_target *t, const char *at,
                struct error *err)
{
    int sq;
    do
        sq = sqlite3_step(s);
    while (sq == SQLITE_ROW);
    if (sq != SQLITE_DONE)
        return failed(db, t, at, sq, err);
    if (sqlite3_get_autocommit(db) != 0)
        return refuse(t, at, "the whole script is one transaction, without its own COMMIT", err);
    return 0;
}

static int run(sqlite3 *db, const struct engine_target *t, uint64_t *statements, struct error *err)
{
    int rc = 0;
    for (const char *at = skip_space(t->after_sql); rc == 0 && *at != '\0';) {
        sqlite3_stmt *s = NULL;
        const char *rest = at;
        if (*at == '.')
            return refuse(t, at, "this is a command of the sqlite3 shell; the script may hold SQL only", err);
        int sq = sqlite3_prepare_v2(db, at, -1, &s, &rest);
        rc = sq != SQLITE_OK ? failed(db, t, at, sq, err) : s != NULL ? step(db, s, t, at, err) : 0;
        *statements += rc == 0 && s != NULL;
        (void)sqlite3_finalize(s);
        at = skip_space(rest);
    }
    return rc;
}

static int exec(sqlite3 *db, const char *sql, const struct engine_target *t, struct error *err)
{
    int sq = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return sq == SQLITE_OK ? 0 : sqlite_error(err, db, sq, name_of(t));
}

/* The file of a database in WAL mode is left without a log: closing the last connection folds it in. */
int sqlite_after(const char *file, const char *shown, const struct engine_target *target, struct error *err)
{
    struct guard g = { .why = ERROR_INIT };
    sqlite3 *db = NULL;
    uint64_t statements = 0;
    (void)shown;
    int sq = sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL);
    if (sq == SQLITE_OK)
        sqlite3_progress_handler(db, PROGRESS_STEPS, sqlite_guard_stops, &g);
    int rc = sq == SQLITE_OK ? exec(db, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE", target, err)
                             : sqlite_error(err, db, sq, name_of(target));
    if (rc == 0)
        rc = run(db, target, &statements, err);
    if (rc == 0)
        rc = exec(db, "COMMIT", target, err);
    sq = sqlite3_close(db);
    if (rc == 0 && sq != SQLITE_OK)
        rc = error_set(err, E_INTERNAL, "%s: the database did not close", name_of(target));
    if (rc == 0 && target->after_statements != NULL)
        *target->after_statements = statements;
    return rc;
}
