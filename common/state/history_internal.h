/* history_internal.h - SQLite's calls with our errors; for the files of this room only. */
#ifndef COMMON_STATE_HISTORY_INTERNAL_H
#define COMMON_STATE_HISTORY_INTERNAL_H

#include <sqlite3.h>
#include <stddef.h>

#include "common/base/error.h"

/* One of the room's files. */
struct history_kind {
    const char *name; /* "history", in messages */
    const char *loss; /* what it means when it is damaged and begins anew */
    const char *schema;
    int version; /* that the schema sets */
};

struct history {
    sqlite3 *db;
    const struct history_kind *kind;
};

/* As history_open(). */
int history_open_kind(const char *path, const struct history_kind *kind, struct history **out,
                      struct error *err);

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
