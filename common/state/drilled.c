#include "common/state/drilled.h"

#include <sqlite3.h>

#include "common/state/history.h"
#include "common/state/history_internal.h"

#include "common/base/banned.h"

/* struct drilled is a struct history: the calls of that file do for both. */
static struct history *of(struct drilled *d)
{
    return (struct history *)(void *)d;
}

static const char schema[] =
    "CREATE TABLE job (repository TEXT NOT NULL, job TEXT NOT NULL, snapshot_time INTEGER NOT NULL,"
    " sampled INTEGER NOT NULL, PRIMARY KEY (repository, job)) WITHOUT ROWID;"
    "CREATE TABLE item (repository TEXT NOT NULL, job TEXT NOT NULL, database TEXT NOT NULL, name TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, seen INTEGER NOT NULL,"
    " PRIMARY KEY (repository, job, database, name)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

static const struct state_kind the_drilled = {
    .name = "list of drilled tables",
    .lost = "every table counts as never drilled, and comes around again",
    .schema = schema,
    .version = 1
};

int drilled_open(const char *path, struct drilled **out, struct error *err)
{
    struct history *h = NULL;
    int rc = state_open(path, &the_drilled, &h, err);
    *out = (struct drilled *)(void *)h;
    return rc;
}

int drilled_open_read(const char *path, struct drilled **out, struct error *err)
{
    struct history *h = NULL;
    int rc = state_open_read(path, &the_drilled, &h, err);
    *out = (struct drilled *)(void *)h;
    return rc;
}

void drilled_close(struct drilled *d)
{
    history_close(of(d));
}

static int failed(const struct error *err)
{
    return err != NULL && err->code < 0 ? err->code : E_IO;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static int job_number(struct drilled *d, const char *repository, const char *job, const char *sql,
                      int64_t *out, struct error *err)
{
    *out = 0;
    sqlite3_stmt *s = history_prepare(of(d), sql, err);
    if (s == NULL)
        return failed(err);
    history_bind_text(s, 1, repository, DRILLED_TEXT_MAX);
    history_bind_text(s, 2, job, DRILLED_TEXT_MAX);
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(of(d), "job", err);
    *out = rc == 0 ? sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return rc;
}

int drilled_sampled(struct drilled *d, const char *repository, const char *job, int64_t *out,
                    struct error *err)
{
    return job_number(d, repository, job,
                      "SELECT coalesce(max(sampled), 0) FROM job WHERE repository = ? AND job = ?", out, err);
}

int drilled_each(struct drilled *d, const char *repository, const char *job, drilled_fn *fn, void *arg,
                 struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        of(d),
        "SELECT database, name, bytes, first, last FROM item WHERE (?1 IS NULL OR repository = ?1)"
        " AND job = ?2 ORDER BY database, name",
        err);
    int rc = 0;
    int step = SQLITE_DONE;
    if (s == NULL)
        return failed(err);
    if (repository != NULL)
        history_bind_text(s, 1, repository, DRILLED_TEXT_MAX);
    history_bind_text(s, 2, job, DRILLED_TEXT_MAX);
    while (rc >= 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
        const struct drilled_table t = { .database = history_text(s, 0),
                                         .name = history_text(s, 1),
                                         .bytes = (uint64_t)sqlite3_column_int64(s, 2),
                                         .first = sqlite3_column_int64(s, 3),
                                         .last = sqlite3_column_int64(s, 4) };
        rc = fn(&t, arg, err);
    }
    if (rc >= 0 && step != SQLITE_DONE)
        rc = history_failed(of(d), "tables", err);
    (void)sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

/* `add`: also a table that is not known yet. */
static int keep_table(struct drilled *d, const struct drilled_drill *k, const struct drilled_table *t,
                      bool add, struct error *err)
{
    static const char *const sql[] = {
        "UPDATE item SET last = CASE ?7 WHEN 1 THEN ?6 WHEN 2 THEN 0 ELSE last END"
        " WHERE repository = ?1 AND job = ?2 AND database = ?3 AND name = ?4 AND ?5 >= 0",
        "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6, iif(?7 = 1, ?6, 0), ?6) ON CONFLICT DO UPDATE SET"
        " bytes = ?5, seen = ?6, last = CASE ?7 WHEN 1 THEN ?6 WHEN 2 THEN 0 ELSE last END"
    };
    sqlite3_stmt *s = history_prepare(of(d), sql[add], err);
    if (s == NULL)
        return failed(err);
    history_bind_text(s, 1, k->repository, DRILLED_TEXT_MAX);
    history_bind_text(s, 2, k->job, DRILLED_TEXT_MAX);
    history_bind_text(s, 3, t->database, DRILLED_TEXT_MAX);
    history_bind_text(s, 4, t->name, DRILLED_TEXT_MAX);
    (void)sqlite3_bind_int64(s, 5, t->bytes < INT64_MAX ? (int64_t)t->bytes : INT64_MAX);
    (void)sqlite3_bind_int64(s, 6, k->time);
    (void)sqlite3_bind_int(s, 7, (int)t->result);
    return history_step_done(of(d), s, "table", err);
}

/* Tables of the job that this drill's snapshot does not have. */
static int forget(struct drilled *d, const struct drilled_drill *k, struct error *err)
{
    sqlite3_stmt *s =
        history_prepare(of(d), "DELETE FROM item WHERE repository = ? AND job = ? AND seen <> ?", err);
    if (s == NULL)
        return failed(err);
    history_bind_text(s, 1, k->repository, DRILLED_TEXT_MAX);
    history_bind_text(s, 2, k->job, DRILLED_TEXT_MAX);
    (void)sqlite3_bind_int64(s, 3, k->time);
    return history_step_done(of(d), s, "tables that are gone", err);
}

static int keep_job(struct drilled *d, const struct drilled_drill *k, struct error *err)
{
    sqlite3_stmt *s =
        history_prepare(of(d),
                        "INSERT INTO job VALUES (?1, ?2, ?3, iif(?4, ?5, 0)) ON CONFLICT DO UPDATE SET"
                        " snapshot_time = max(snapshot_time, ?3), sampled = iif(?4, ?5, sampled)",
                        err);
    if (s == NULL)
        return failed(err);
    history_bind_text(s, 1, k->repository, DRILLED_TEXT_MAX);
    history_bind_text(s, 2, k->job, DRILLED_TEXT_MAX);
    (void)sqlite3_bind_int64(s, 3, k->snapshot_time);
    (void)sqlite3_bind_int(s, 4, k->sample);
    (void)sqlite3_bind_int64(s, 5, k->time);
    return history_step_done(of(d), s, "job", err);
}

static int keep_all(struct drilled *d, const struct drilled_drill *k, struct error *err)
{
    int64_t newest = 0;
    int rc = job_number(d, k->repository, k->job,
                        "SELECT coalesce(max(snapshot_time), 0) FROM job WHERE repository = ? AND job = ?",
                        &newest, err);
    bool newer = k->snapshot_time >= newest;
    for (size_t i = 0; rc == 0 && i < k->ntables; i++)
        rc = keep_table(d, k, &k->tables[i], newer, err);
    if (rc == 0 && newer)
        rc = forget(d, k, err);
    return rc == 0 ? keep_job(d, k, err) : rc;
}

int drilled_keep(struct drilled *d, const struct drilled_drill *k, struct error *err)
{
    int rc = history_execute(of(d), "BEGIN IMMEDIATE", err);
    if (rc < 0)
        return rc;
    rc = keep_all(d, k, err);
    if (rc == 0)
        rc = history_execute(of(d), "COMMIT", err);
    if (rc < 0)
        (void)history_execute(of(d), "ROLLBACK", NULL);
    return rc;
}
