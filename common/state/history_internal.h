/*
 * history_internal.h - SQLite files of the state directory: opening them, SQLite's calls with our errors; for this room only.
 *
 * The history and the queue of notices (notices.h) are two such files, and a struct history is one that is open.
 */
#ifndef COMMON_STATE_HISTORY_INTERNAL_H
#define COMMON_STATE_HISTORY_INTERNAL_H

#include <sqlite3.h>
#include <stddef.h>

#include "common/base/error.h"

struct state_kind {
    const char *name;   /* "history": for messages */
    const char *schema; /* sets user_version */
    int version;
    const char *lost; /* what it means when a damaged one was put aside */
    const char *cure; /* what somebody does who finds it damaged; or NULL */
};

struct history {
    sqlite3 *db;
    const struct state_kind *kind;
};

/* As history_open(). */
int state_open(const char *path, const struct state_kind *kind, struct history **out, struct error *err);
/* One that somebody else made and looks after: E_NOT_FOUND, E_CORRUPT, and nothing is moved aside. */
int state_open_shared(const char *path, const struct state_kind *kind, struct history **out,
                      struct error *err);
/* One that is nowhere else; it takes so many pages of 4 KiB. */
int state_open_memory(const struct state_kind *kind, unsigned pages, struct history **out, struct error *err);
/* As history_open_read(). */
int state_open_read(const char *path, const struct state_kind *kind, struct history **out, struct error *err);

/* The code for SQLite's, with its text; what: was being done. */
int history_failed(const struct history *h, const char *what, struct error *err);
int history_execute(struct history *h, const char *sql, struct error *err);
/* NULL with err. */
sqlite3_stmt *history_prepare(struct history *h, const char *sql, struct error *err);
/* Text ends at the limit, between characters; NULL is "". */
void history_bind_text(sqlite3_stmt *s, int at, const char *text, size_t limit);
/* Runs a statement that has no rows, and ends it. */
int history_step_done(struct history *h, sqlite3_stmt *s, const char *what, struct error *err);
/* Never NULL. */
const char *history_text(sqlite3_stmt *s, int column);

#endif
