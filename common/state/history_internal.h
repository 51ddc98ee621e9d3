/* history_internal.h - SQLite's calls with our errors; for history*.c only. */
#ifndef COMMON_STATE_HISTORY_INTERNAL_H
#define COMMON_STATE_HISTORY_INTERNAL_H

#include <sqlite3.h>
#include <stddef.h>

#include "common/base/error.h"

struct history {
    sqlite3 *db;
};

/* The code for SQLite's, with its text. */
int history_failed(sqlite3 *db, const char *what, struct error *err);
int history_execute(struct history *h, const char *sql, struct error *err);
/* NULL with err. */
sqlite3_stmt *history_prepare(struct history *h, const char *sql, struct error *err);
/* Text ends at the limit, between characters; NULL is "". */
void history_bind_text(sqlite3_stmt *s, int at, const char *text, size_t limit);
/* Runs a statement that has no rows, and ends it. */
int history_step_done(struct history *h, sqlite3_stmt *s, const char *what, struct error *err);

#endif
