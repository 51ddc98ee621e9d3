#include "common/state/history.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/state/history_internal.h"

#include "common/base/banned.h"

enum { BUSY_MS = 5000 };

static const char schema[] =
    "CREATE TABLE job (name TEXT PRIMARY KEY, last_due INTEGER NOT NULL, due INTEGER NOT NULL, begins INTEGER NOT NULL,"
    " started INTEGER NOT NULL, not_before INTEGER NOT NULL, attempt INTEGER NOT NULL, last INTEGER NOT NULL,"
    " running INTEGER NOT NULL, by_hand INTEGER NOT NULL, paused INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE run (id INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, reason TEXT NOT NULL, due INTEGER NOT NULL,"
    " started INTEGER NOT NULL, ended INTEGER NOT NULL, attempt INTEGER NOT NULL, count INTEGER NOT NULL,"
    " verdict INTEGER NOT NULL, exit_code INTEGER NOT NULL, text TEXT NOT NULL, result TEXT NOT NULL);"
    "CREATE INDEX run_job ON run (job, id);"
    "CREATE INDEX run_open ON run (id) WHERE verdict = 0;"
    "PRAGMA user_version = 1;";

static const struct state_kind history_kind = {
    .name = "history",
    .schema = schema,
    .version = 1,
    .lost = "the history begins anew, nothing of any backup is lost",
    .cure =
        "Restart the daemon: it puts the file aside and begins a new one. No backup is lost by that, only what was known here of "
        "the runs before",
};

const char *history_verdict_name(enum history_verdict verdict)
{
    static const char *const names[] = {
        "running", "ok", "warning", "failed", "stopped", "skipped", "cut off"
    };
    return (size_t)verdict < sizeof names / sizeof names[0] ? names[verdict] : "unknown";
}

bool history_is_cancelled(enum history_verdict verdict, const char *text)
{
    return verdict == HISTORY_STOPPED && text != NULL && str_starts(text, HISTORY_CANCELLED);
}

bool history_is_out_of_time(enum history_verdict verdict, const char *text)
{
    return verdict == HISTORY_STOPPED && text != NULL &&
           (str_starts(text, HISTORY_WINDOW_OVER) || str_starts(text, HISTORY_TOO_LONG));
}

/* ---- SQLite ---------------------------------------------------------------------------------------------------- */

/* SQLite says "disk I/O error" where the system had more to say. */
static int failed_call(const struct history *h, const char *file, const char *what, struct error *err)
{
    int sys = sqlite3_system_errno(h->db);
    const char *text = sys != 0 ? strerrordesc_np(sys) : NULL;
    if (sys == ENOSPC || sys == EDQUOT)
        return error_set(err, E_NO_SPACE, "the %s: no room: database or disk is full (%s)", h->kind->name,
                         file);
    return error_set(err, E_IO, "the %s (%s, %s): %s%s%s", h->kind->name, file, what, sqlite3_errmsg(h->db),
                     text != NULL ? ": " : "", text != NULL ? text : "");
}

/* Where it is and what to do, never a statement of SQL: who reads it knows neither. */
int history_failed(const struct history *h, const char *what, struct error *err)
{
    const char *file = sqlite3_db_filename(h->db, "main");
    int code = sqlite3_errcode(h->db) & 0xff;
    int ours = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? E_CORRUPT
               : code == SQLITE_FULL                           ? E_NO_SPACE
               : code == SQLITE_BUSY || code == SQLITE_LOCKED  ? E_BUSY
               : code == SQLITE_NOMEM                          ? E_NOMEM
                                                               : E_IO;
    if (ours == E_CORRUPT)
        return error_set(err, ours, "the %s is damaged (%s: %s)%s%s", h->kind->name,
                         file != NULL ? file : "?", sqlite3_errmsg(h->db), h->kind->cure != NULL ? ". " : "",
                         h->kind->cure != NULL ? h->kind->cure : "");
    if (code == SQLITE_IOERR || code == SQLITE_CANTOPEN)
        return failed_call(h, file != NULL ? file : "?", what, err);
    return error_set(err, ours, "the %s (%s, %s): %s", h->kind->name, file != NULL ? file : "?", what,
                     sqlite3_errmsg(h->db));
}

int history_execute(struct history *h, const char *sql, struct error *err)
{
    return sqlite3_exec(h->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : history_failed(h, "writing", err);
}

sqlite3_stmt *history_prepare(struct history *h, const char *sql, struct error *err)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(h->db, sql, -1, &s, NULL) != SQLITE_OK)
        (void)history_failed(h, "asking", err);
    return s;
}

/* Text that is bound or shown ends at the limit, between characters. */
static int cut(const char *text, size_t limit)
{
    size_t n = text != NULL ? strnlen(text, limit) : 0;
    while (n == limit && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return (int)n;
}

void history_bind_text(sqlite3_stmt *s, int at, const char *text, size_t limit)
{
    (void)sqlite3_bind_text(s, at, text != NULL ? text : "", cut(text, limit), SQLITE_TRANSIENT);
}

/* Runs a statement without rows. */
int history_step_done(struct history *h, sqlite3_stmt *s, const char *what, struct error *err)
{
    int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : history_failed(h, what, err);
    (void)sqlite3_finalize(s);
    return rc;
}

const char *history_text(sqlite3_stmt *s, int column)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    return text != NULL ? (const char *)text : "";
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

static int configure(struct history *h, struct error *err)
{
    (void)sqlite3_busy_timeout(h->db, BUSY_MS);
    (void)sqlite3_db_config(h->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(h->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    int rc = history_execute(h, "PRAGMA cell_size_check = ON", err);
    /* A reader that may open no file any more can sort, too. */
    return rc == 0 ? history_execute(h, "PRAGMA temp_store = MEMORY", err) : rc;
}

static int version_of(struct history *h, int *out, struct error *err)
{
    sqlite3_stmt *s = history_prepare(h, "PRAGMA user_version", err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(h, "version", err);
    *out = rc == 0 ? sqlite3_column_int(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return rc;
}

static int open_file(const char *path, int flags, const struct state_kind *kind, struct history **out,
                     struct error *err)
{
    struct history *h = mem_alloc(1, sizeof *h, err);
    *out = NULL;
    if (h == NULL)
        return E_NOMEM;
    int rc = 0;
    h->kind = kind;
    if (sqlite3_open_v2(path, &h->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK)
        rc = error_set(err, E_IO, "%s %s: %s", kind->name, path,
                       h->db != NULL ? sqlite3_errmsg(h->db) : "out of memory");
    if (rc == 0)
        rc = configure(h, err);
    if (rc < 0)
        history_close(h);
    else
        *out = h;
    return rc;
}

static int set_up(struct history *h, struct error *err)
{
    int version = 0;
    int rc = version_of(h, &version, err);
    if (rc == 0 && version > h->kind->version)
        return error_set(err, E_UNSUPPORTED, "the %s was written by a newer version of backupd",
                         h->kind->name);
    if (rc == 0)
        rc = history_execute(h, "PRAGMA journal_mode = WAL", err);
    if (rc == 0)
        rc = history_execute(h, "PRAGMA synchronous = FULL", err);
    if (rc < 0 || version == h->kind->version)
        return rc;
    if ((rc = history_execute(h, "BEGIN IMMEDIATE", err)) < 0)
        return rc;
    rc = version_of(h, &version, err); /* again: somebody else may have been first */
    if (rc == 0 && version != h->kind->version)
        rc = history_execute(h, h->kind->schema, err);
    if (rc == 0)
        rc = history_execute(h, "COMMIT", err);
    if (rc < 0)
        (void)sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static int is_sound(struct history *h, struct error *err)
{
    sqlite3_stmt *s = history_prepare(h, "PRAGMA quick_check(1)", err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    int rc = 0;
    if (sqlite3_step(s) != SQLITE_ROW)
        rc = history_failed(h, "quick_check", err);
    else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
        rc = error_set(err, E_CORRUPT, "the %s is damaged: %.200s", h->kind->name,
                       (const char *)sqlite3_column_text(s, 0));
    (void)sqlite3_finalize(s);
    return rc;
}

/* Its -wal and -shm belong to it and go along. */
static int move_aside(const char *path, const struct state_kind *kind, struct error *err)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char from[4096];
    char to[4096];
    uint64_t now = clock_wall();
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(from, sizeof from, "%s%s", path, ends[i]);
        (void)snprintf(to, sizeof to, "%s.damaged-%llu%s", path, (unsigned long long)now, ends[i]);
        if (rename(from, to) < 0 && errno != ENOENT)
            return error_sys(err, "%s", from);
    }
    log_event(LOG_ALARM, "%s was damaged and is now %s.damaged-%llu; %s", path, path, (unsigned long long)now,
              kind->lost);
    return 0;
}

/* SQLite gives its files the mode that the first one has. */
static int make_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_sys(err, "%s", path);
    (void)close(fd);
    return 0;
}

int state_open(const char *path, const struct state_kind *kind, struct history **out, struct error *err)
{
    *out = NULL;
    for (int attempt = 0;; attempt++) {
        struct error why = ERROR_INIT;
        struct history *h = NULL;
        int rc = make_file(path, &why);
        if (rc == 0)
            rc = open_file(path, SQLITE_OPEN_READWRITE, kind, &h, &why);
        if (rc == 0)
            rc = set_up(h, &why);
        if (rc == 0)
            rc = is_sound(h, &why);
        if (rc == 0) {
            *out = h;
            return 0;
        }
        history_close(h);
        if (rc != E_CORRUPT || attempt > 0)
            return error_copy(err, &why);
        if ((rc = move_aside(path, kind, err)) < 0)
            return rc;
    }
}

int state_open_shared(const char *path, const struct state_kind *kind, struct history **out,
                      struct error *err)
{
    struct stat st;
    *out = NULL;
    if (stat(path, &st) < 0)
        return error_sys(err, "%s", path);
    int rc = open_file(path, SQLITE_OPEN_READWRITE, kind, out, err);
    if (rc == 0 && (rc = set_up(*out, err)) < 0) {
        history_close(*out);
        *out = NULL;
    }
    return rc;
}

int state_open_read(const char *path, const struct state_kind *kind, struct history **out, struct error *err)
{
    struct stat st;
    *out = NULL;
    if (stat(path, &st) < 0)
        return error_sys(err, "%s", path);
    return open_file(path, SQLITE_OPEN_READONLY, kind, out, err);
}

int state_open_memory(const struct state_kind *kind, unsigned pages, struct history **out, struct error *err)
{
    char limit[64];
    int rc = open_file(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, kind, out, err);
    (void)snprintf(limit, sizeof limit, "PRAGMA max_page_count = %u", pages);
    if (rc < 0)
        return rc;
    rc = history_execute(*out, kind->schema, err);
    if (rc == 0)
        rc = history_execute(*out, limit, err);
    if (rc < 0) {
        history_close(*out);
        *out = NULL;
    }
    return rc;
}

int history_open(const char *path, struct history **out, struct error *err)
{
    return state_open(path, &history_kind, out, err);
}

int history_open_read(const char *path, struct history **out, struct error *err)
{
    return state_open_read(path, &history_kind, out, err);
}

void history_close(struct history *h)
{
    if (h == NULL)
        return;
    (void)sqlite3_close_v2(h->db);
    free(h);
}
