/* Questions to a restored file, for drills. */
#include <stdlib.h>

#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/restore.h"

#include "common/base/banned.h"

enum { FIELDS_MAX = 4096, PROGRESS_STEPS = 100000 };

struct answer {
    engine_row_fn *fn;
    void *arg;
    int rc;
    struct error *err;
};

static int take_row(sqlite3_stmt *stmt, void *arg)
{
    struct answer *a = arg;
    const char *fields[FIELDS_MAX];
    int n = sqlite3_column_count(stmt);
    if (a->fn == NULL || n > FIELDS_MAX)
        return SQLITE_OK;
    for (int i = 0; i < n; i++)
        fields[i] = (const char *)sqlite3_column_text(stmt, i);
    a->rc = a->fn(fields, (size_t)n, a->arg, a->err);
    return a->rc < 0 ? SQLITE_ABORT : SQLITE_OK;
}

/* Read only, and what the file itself defines is not trusted; a script may write, as its purpose is. */
int sqlite_ask(const char *to, const char *sql, bool script, engine_row_fn *fn, void *arg, struct error *err)
{
    struct answer a = { .fn = fn, .arg = arg, .err = err };
    struct guard g = { .why = ERROR_INIT };
    sqlite3 *db = NULL;
    int sq = sqlite3_open_v2(to, &db, script ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, NULL);
    if (sq == SQLITE_OK && !script)
        sqlite_distrust(db);
    if (sq == SQLITE_OK)
        sqlite3_progress_handler(db, PROGRESS_STEPS, sqlite_guard_stops, &g);
    if (sq == SQLITE_OK)
        sq = script ? sqlite3_exec(db, sql, NULL, NULL, NULL) : sqlite_rows(db, sql, take_row, &a);
    int rc = a.rc < 0          ? a.rc
             : sq == SQLITE_OK ? 0
             : g.why.code != 0 ? error_copy(err, &g.why)
                               : sqlite_error(err, db, sq, to);
    (void)sqlite3_close(db);
    return rc;
}
