#include "common/state/baseline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/state/history.h"
#include "common/state/history_internal.h"

#include "common/base/banned.h"

enum { DAY = 86400, DENSE_DAYS = 29, NAME_LIMIT = 256 };

#define SELECT_ID "SELECT id FROM run WHERE repository = ?1 AND job = ?2"

static const char schema[] =
    "CREATE TABLE run (id INTEGER PRIMARY KEY AUTOINCREMENT, repository TEXT NOT NULL, job TEXT NOT NULL,"
    " state INTEGER NOT NULL, session INTEGER NOT NULL, time INTEGER NOT NULL, duration INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, fresh INTEGER NOT NULL, stored INTEGER NOT NULL, streams INTEGER NOT NULL,"
    " members INTEGER NOT NULL, ratio INTEGER NOT NULL, space_total INTEGER NOT NULL, space_free INTEGER NOT NULL,"
    " lost INTEGER NOT NULL, lasting INTEGER NOT NULL, writer TEXT NOT NULL, identity TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX run_job ON run (repository, job, id);"
    "CREATE TABLE subject (run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, name TEXT NOT NULL,"
    " count INTEGER NOT NULL, bytes INTEGER NOT NULL, fresh INTEGER NOT NULL, ratio INTEGER NOT NULL,"
    " schema INTEGER NOT NULL, PRIMARY KEY (run, name)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

static const struct state_kind kind = {
    .name = "baseline",
    .lost = "what is usual for the jobs is learned anew, nothing of any backup is lost",
    .schema = schema,
    .version = 1
};

struct baseline {
    struct history *file;
};

int baseline_open(const char *path, struct baseline **out, struct error *err)
{
    struct baseline *b = mem_alloc(1, sizeof *b, err);
    *out = NULL;
    if (b == NULL)
        return E_NOMEM;
    int rc = state_open(path, &kind, &b->file, err);
    if (rc == 0)
        rc = history_execute(b->file, "PRAGMA foreign_keys = ON", err);
    if (rc == 0) /* the last run may be lost with the power */
        rc = history_execute(b->file, "PRAGMA synchronous = NORMAL", err);
    if (rc < 0)
        baseline_close(b);
    else
        *out = b;
    return rc;
}

void baseline_close(struct baseline *b)
{
    if (b == NULL)
        return;
    history_close(b->file);
    free(b);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

/* A statement about one job; NULL with err. */
static sqlite3_stmt *about(struct baseline *b, const char *sql, const char *repository, const char *job,
                           struct error *err)
{
    sqlite3_stmt *s = history_prepare(b->file, sql, err);
    if (s != NULL) {
        history_bind_text(s, 1, repository, NAME_LIMIT);
        history_bind_text(s, 2, job, NAME_LIMIT);
    }
    return s;
}

static const char *text_at(sqlite3_stmt *s, int column)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    return text != NULL ? (const char *)text : "";
}

static uint64_t number_at(sqlite3_stmt *s, int column)
{
    int64_t n = sqlite3_column_int64(s, column);
    return n > 0 ? (uint64_t)n : 0;
}

static int read_run(sqlite3_stmt *s, struct vec *out, struct error *err)
{
    struct baseline_run *r = vec_push(out, err);
    if (r == NULL)
        return E_NOMEM;
    *r = (struct baseline_run){ .id = sqlite3_column_int64(s, 0),
                                .state = (enum baseline_state)sqlite3_column_int(s, 1),
                                .session = (uint32_t)sqlite3_column_int64(s, 2),
                                .time = sqlite3_column_int64(s, 3),
                                .duration_ms = number_at(s, 4),
                                .bytes = number_at(s, 5),
                                .fresh = number_at(s, 6),
                                .stored = number_at(s, 7),
                                .streams = number_at(s, 8),
                                .members = number_at(s, 9),
                                .ratio = sqlite3_column_int64(s, 10),
                                .space_total = number_at(s, 11),
                                .space_free = number_at(s, 12),
                                .lost = number_at(s, 13),
                                .lasting = sqlite3_column_int(s, 14) != 0 };
    (void)snprintf(r->writer, sizeof r->writer, "%s", text_at(s, 15));
    (void)snprintf(r->identity, sizeof r->identity, "%s", text_at(s, 16));
    r->text = str_dup(text_at(s, 17), err);
    return r->text != NULL ? 0 : E_NOMEM;
}

int baseline_runs(struct baseline *b, const char *repository, const char *job, struct vec *out,
                  struct error *err)
{
    sqlite3_stmt *s =
        about(b,
              "SELECT id, state, session, time, duration, bytes, fresh, stored, streams, members, ratio,"
              " space_total, space_free, lost, lasting, writer, identity, text FROM run"
              " WHERE repository = ?1 AND job = ?2 ORDER BY id",
              repository, job, err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    int rc = 0;
    int step = SQLITE_DONE;
    while (rc == 0 && (step = sqlite3_step(s)) == SQLITE_ROW)
        rc = read_run(s, out, err);
    if (rc == 0 && step != SQLITE_DONE)
        rc = history_failed(b->file, "runs", err);
    (void)sqlite3_finalize(s);
    return rc;
}

void baseline_runs_free(struct vec *runs)
{
    for (size_t i = 0; i < runs->len; i++)
        free(((struct baseline_run *)vec_at(runs, i))->text);
    vec_free(runs);
}

int baseline_subjects(struct baseline *b, const char *repository, const char *job,
                      int (*fn)(const struct baseline_subject *s, void *arg), void *arg, struct error *err)
{
    sqlite3_stmt *s = about(b,
                            "SELECT name, run, count, subject.bytes, subject.fresh, subject.ratio, schema"
                            " FROM subject JOIN run ON run.id = subject.run"
                            " WHERE repository = ?1 AND job = ?2 AND state < 2 ORDER BY name, run",
                            repository, job, err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    int rc = 0;
    int step = SQLITE_DONE;
    while (rc >= 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct baseline_subject one = { .name = text_at(s, 0),
                                        .run = sqlite3_column_int64(s, 1),
                                        .rows = sqlite3_column_int64(s, 2),
                                        .bytes = sqlite3_column_int64(s, 3),
                                        .fresh = sqlite3_column_int64(s, 4),
                                        .ratio = sqlite3_column_int64(s, 5),
                                        .schema = sqlite3_column_int64(s, 6) };
        rc = fn(&one, arg);
    }
    if (rc >= 0 && step != SQLITE_DONE)
        rc = history_failed(b->file, "subjects", err);
    (void)sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static int64_t bounded(uint64_t n)
{
    return n < INT64_MAX ? (int64_t)n : INT64_MAX;
}

static int insert_run(struct baseline *b, const char *repository, const char *job,
                      const struct baseline_run *r, struct error *err)
{
    sqlite3_stmt *s = about(
        b,
        "INSERT INTO run (repository, job, state, session, time, duration, bytes, fresh, stored, streams,"
        " members, ratio, space_total, space_free, lost, lasting, writer, identity, text)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        repository, job, err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    const int64_t numbers[] = { r->state,
                                r->session,
                                r->time,
                                bounded(r->duration_ms),
                                bounded(r->bytes),
                                bounded(r->fresh),
                                bounded(r->stored),
                                bounded(r->streams),
                                bounded(r->members),
                                r->ratio,
                                bounded(r->space_total),
                                bounded(r->space_free),
                                bounded(r->lost),
                                r->lasting };
    int n = (int)(sizeof numbers / sizeof numbers[0]);
    for (int i = 0; i < n; i++)
        (void)sqlite3_bind_int64(s, 3 + i, numbers[i]);
    history_bind_text(s, 3 + n, r->writer, sizeof r->writer - 1);
    history_bind_text(s, 4 + n, r->identity, sizeof r->identity - 1);
    history_bind_text(s, 5 + n, r->text, BASELINE_TEXT_MAX);
    return history_step_done(b->file, s, "run", err);
}

static int insert_subjects(struct baseline *b, int64_t run, const struct baseline_subject *list, size_t n,
                           struct error *err)
{
    sqlite3_stmt *s = history_prepare(b->file, "INSERT OR REPLACE INTO subject VALUES (?,?,?,?,?,?,?)", err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n && i < BASELINE_SUBJECTS_MAX; i++) {
        (void)sqlite3_bind_int64(s, 1, run);
        history_bind_text(s, 2, list[i].name, BASELINE_NAME_MAX);
        (void)sqlite3_bind_int64(s, 3, list[i].rows);
        (void)sqlite3_bind_int64(s, 4, list[i].bytes);
        (void)sqlite3_bind_int64(s, 5, list[i].fresh);
        (void)sqlite3_bind_int64(s, 6, list[i].ratio);
        (void)sqlite3_bind_int64(s, 7, list[i].schema);
        if (sqlite3_step(s) != SQLITE_DONE)
            rc = history_failed(b->file, "subject", err);
        (void)sqlite3_reset(s);
    }
    (void)sqlite3_finalize(s);
    return rc;
}

/* Runs of one state: the newest `keep` stay, then up to `more` that are younger than `since`. */
static int forget(struct baseline *b, const char *repository, const char *job, const char *states,
                  const int64_t limits[3], struct error *err)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM run WHERE repository = ?1 AND job = ?2 AND state IN (%s)"
                   " AND id NOT IN (" SELECT_ID " AND state IN (%s) ORDER BY id DESC LIMIT ?3)"
                   " AND id NOT IN (" SELECT_ID
                   " AND state IN (%s) AND time >= ?5 ORDER BY id DESC LIMIT ?4)",
                   states, states, states);
    sqlite3_stmt *s = about(b, sql, repository, job, err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    for (int i = 0; i < 3; i++)
        (void)sqlite3_bind_int64(s, 3 + i, limits[i]);
    return history_step_done(b->file, s, "forget", err);
}

static int forget_old(struct baseline *b, const char *repository, const char *job, int64_t now,
                      size_t subjects, struct error *err)
{
    int64_t dense = BASELINE_ROWS_MAX / (int64_t)(subjects + 1);
    const int64_t usual[3] = { BASELINE_RUNS, dense < BASELINE_RUNS_MAX ? dense : BASELINE_RUNS_MAX,
                               now - (int64_t)DENSE_DAYS * DAY };
    const int64_t accepted[3] = { 0, BASELINE_ACCEPTED_MAX, now - (int64_t)BASELINE_ACCEPTED_DAYS * DAY };
    const int64_t suspicious[3] = { BASELINE_RUNS, 0, now };
    int rc = forget(b, repository, job, "0", usual, err);
    if (rc == 0)
        rc = forget(b, repository, job, "1", accepted, err);
    return rc == 0 ? forget(b, repository, job, "2", suspicious, err) : rc;
}

int baseline_add(struct baseline *b, const char *repository, const char *job, const struct baseline_run *run,
                 const struct baseline_subject *subjects, size_t n, struct error *err)
{
    int rc = history_execute(b->file, "BEGIN IMMEDIATE", err);
    if (rc < 0)
        return rc;
    rc = insert_run(b, repository, job, run, err);
    if (rc == 0)
        rc = insert_subjects(b, sqlite3_last_insert_rowid(b->file->db), subjects, n, err);
    if (rc == 0)
        rc = forget_old(b, repository, job, run->time, n, err);
    if (rc == 0)
        rc = history_execute(b->file, "COMMIT", err);
    if (rc < 0)
        (void)sqlite3_exec(b->file->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int64_t baseline_accept(struct baseline *b, const char *repository, const char *job, struct error *err)
{
    sqlite3_stmt *s =
        about(b,
              "UPDATE run SET state = 1 WHERE repository = ?1 AND job = ?2 AND state = 2 AND id >"
              " (SELECT coalesce(max(id), 0) FROM run WHERE repository = ?1 AND job = ?2 AND state <> 2)",
              repository, job, err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    int rc = history_step_done(b->file, s, "accept", err);
    return rc < 0 ? rc : sqlite3_changes64(b->file->db);
}
