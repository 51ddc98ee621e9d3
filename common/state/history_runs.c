/* history_runs.c - jobs and runs: one statement each, and what belongs together in one transaction. */
#include <stdio.h>
#include <string.h>

#include "common/state/history.h"
#include "common/state/history_internal.h"

#include "common/base/banned.h"

enum { PASSES_AT_MOST = 7 * 86400 }; /* from one record to the next */

/* ---- jobs ----------------------------------------------------------------------------------------------------------- */

int history_job_read(struct history *h, const char *name, struct history_job *out, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h,
        "SELECT last_due, due, begins, started, not_before, attempt, last, running, by_hand, paused"
        " FROM job WHERE name = ?",
        err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    history_bind_text(s, 1, name, HISTORY_NAME_MAX);
    int step = sqlite3_step(s);
    int rc = step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : history_failed(h, "job", err);
    if (rc == 1)
        *out = (struct history_job){ .name = name,
                                     .last_due = sqlite3_column_int64(s, 0),
                                     .due = sqlite3_column_int64(s, 1),
                                     .from = sqlite3_column_int64(s, 2),
                                     .started = sqlite3_column_int64(s, 3),
                                     .not_before = sqlite3_column_int64(s, 4),
                                     .attempt = (unsigned)sqlite3_column_int(s, 5),
                                     .last = (unsigned)sqlite3_column_int(s, 6),
                                     .running = sqlite3_column_int(s, 7) != 0,
                                     .by_hand = sqlite3_column_int(s, 8) != 0,
                                     .paused = sqlite3_column_int(s, 9) != 0 };
    (void)sqlite3_finalize(s);
    return rc;
}

int history_job_write(struct history *h, const struct history_job *job, struct error *err)
{
    sqlite3_stmt *s = history_prepare(h, "INSERT OR REPLACE INTO job VALUES (?,?,?,?,?,?,?,?,?,?,?)", err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    const int64_t numbers[] = { job->last_due, job->due,  job->from,    job->started, job->not_before,
                                job->attempt,  job->last, job->running, job->by_hand, job->paused };
    history_bind_text(s, 1, job->name, HISTORY_NAME_MAX);
    for (int i = 0; i < (int)(sizeof numbers / sizeof numbers[0]); i++)
        (void)sqlite3_bind_int64(s, i + 2, numbers[i]);
    return history_step_done(h, s, "job", err);
}

/* ---- runs ----------------------------------------------------------------------------------------------------------- */

static int insert_run(struct history *h, const struct history_run *r, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h,
        "INSERT OR REPLACE INTO run (job, reason, due, started, ended, attempt, count, verdict, exit_code, text,"
        " result, id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    history_bind_text(s, 1, r->job, HISTORY_NAME_MAX);
    history_bind_text(s, 2, r->reason, HISTORY_TEXT_MAX);
    (void)sqlite3_bind_int64(s, 3, r->due);
    (void)sqlite3_bind_int64(s, 4, r->started);
    (void)sqlite3_bind_int64(s, 5, r->ended);
    (void)sqlite3_bind_int(s, 6, (int)r->attempt);
    (void)sqlite3_bind_int64(s, 7, (int64_t)r->count);
    (void)sqlite3_bind_int(s, 8, (int)r->verdict);
    (void)sqlite3_bind_int(s, 9, r->exit_code);
    history_bind_text(s, 10, r->text, HISTORY_TEXT_MAX);
    history_bind_text(s, 11, r->result, HISTORY_RESULT_MAX);
    if (r->id != 0) /* else the next one */
        (void)sqlite3_bind_int64(s, 12, r->id);
    return history_step_done(h, s, "run", err);
}

static int update_run(struct history *h, int64_t id, const struct history_run *r, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h, "UPDATE run SET ended = ?, verdict = ?, exit_code = ?, text = ?, result = ? WHERE id = ?", err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    (void)sqlite3_bind_int64(s, 1, r->ended);
    (void)sqlite3_bind_int(s, 2, (int)r->verdict);
    (void)sqlite3_bind_int(s, 3, r->exit_code);
    history_bind_text(s, 4, r->text, HISTORY_TEXT_MAX);
    history_bind_text(s, 5, r->result, HISTORY_RESULT_MAX);
    (void)sqlite3_bind_int64(s, 6, id);
    int rc = history_step_done(h, s, "run", err);
    if (rc < 0 || sqlite3_changes64(h->db) > 0)
        return rc;
    struct history_run whole = *r; /* its beginning is not there */
    whole.id = id;
    return insert_run(h, &whole, err);
}

static int transaction_begin(struct history *h, bool *mine, struct error *err)
{
    *mine = sqlite3_get_autocommit(h->db) != 0;
    return *mine ? history_execute(h, "BEGIN IMMEDIATE", err) : 0;
}

static int transaction_end(struct history *h, bool mine, int rc, struct error *err)
{
    if (rc >= 0 && mine)
        rc = history_execute(h, "COMMIT", err);
    if (rc < 0 && mine)
        (void)sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* Run and job in one transaction; id 0: a new row. */
static int store(struct history *h, int64_t id, const struct history_run *run, const struct history_job *job,
                 int64_t *out, struct error *err)
{
    bool mine = false;
    int rc = transaction_begin(h, &mine, err);
    if (rc < 0)
        return rc;
    rc = id == 0 ? insert_run(h, run, err) : update_run(h, id, run, err);
    if (rc == 0 && out != NULL)
        *out = sqlite3_last_insert_rowid(h->db);
    if (rc == 0 && job != NULL)
        rc = history_job_write(h, job, err);
    return transaction_end(h, mine, rc, err);
}

int history_together(struct history *h, int (*fn)(struct history *h, void *arg, struct error *err), void *arg,
                     struct error *err)
{
    bool mine = false;
    int rc = transaction_begin(h, &mine, err);
    return rc < 0 ? rc : transaction_end(h, mine, fn(h, arg, err), err);
}

int history_last(struct history *h, int64_t *id, struct error *err)
{
    sqlite3_stmt *s =
        history_prepare(h, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'run'", err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(h, "run", err);
    *id = rc == 0 ? sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return rc;
}

int history_begin(struct history *h, const struct history_run *run, const struct history_job *job,
                  int64_t *id, struct error *err)
{
    return store(h, 0, run, job, id, err);
}

int history_end(struct history *h, int64_t id, const struct history_run *result,
                const struct history_job *job, struct error *err)
{
    return store(h, id, result, job, NULL, err);
}

int history_skip(struct history *h, const struct history_run *run, const struct history_job *job,
                 struct error *err)
{
    return store(h, 0, run, job, NULL, err);
}

int64_t history_cut_off(struct history *h, int64_t now, struct error *err)
{
    sqlite3_stmt *s = history_prepare(h,
                                      "UPDATE run SET verdict = 6, ended = ?,"
                                      " text = '" HISTORY_DAEMON_ENDED "' WHERE verdict = 0",
                                      err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    (void)sqlite3_bind_int64(s, 1, now);
    int rc = history_step_done(h, s, "cut off", err);
    return rc < 0 ? rc : sqlite3_changes64(h->db);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

int history_runs(struct history *h, const struct history_filter *filter,
                 int (*fn)(const struct history_run *run, void *arg), void *arg, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h,
        "SELECT id, job, reason, due, started, ended, attempt, count, verdict, exit_code, text, result FROM run"
        " WHERE (?1 IS NULL OR job = ?1) AND (?2 = 0 OR id = ?2) AND max(due, started) >= ?3"
        " AND (?4 = 0 OR verdict <> 5) ORDER BY id DESC LIMIT ?5",
        err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    if (filter->job != NULL)
        history_bind_text(s, 1, filter->job, HISTORY_NAME_MAX);
    (void)sqlite3_bind_int64(s, 2, filter->id);
    (void)sqlite3_bind_int64(s, 3, filter->since);
    (void)sqlite3_bind_int(s, 4, filter->only_runs);
    (void)sqlite3_bind_int64(s, 5, filter->limit > 0 ? (int64_t)filter->limit : 1000);
    int rc = 0;
    int step;
    while (rc >= 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = history_failed(h, "runs", err);
            break;
        }
        struct history_run r = { .id = sqlite3_column_int64(s, 0),
                                 .job = history_text(s, 1),
                                 .reason = history_text(s, 2),
                                 .due = sqlite3_column_int64(s, 3),
                                 .started = sqlite3_column_int64(s, 4),
                                 .ended = sqlite3_column_int64(s, 5),
                                 .attempt = (unsigned)sqlite3_column_int(s, 6),
                                 .count = (uint64_t)sqlite3_column_int64(s, 7),
                                 .verdict = (enum history_verdict)sqlite3_column_int(s, 8),
                                 .exit_code = sqlite3_column_int(s, 9),
                                 .text = history_text(s, 10),
                                 .result = history_text(s, 11) };
        rc = fn(&r, arg);
    }
    (void)sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}

static sqlite3_stmt *result_of(struct history *h, int64_t id, const char *name, struct error *err)
{
    char path[HISTORY_NAME_MAX + 8];
    sqlite3_stmt *s = history_prepare(
        h, "SELECT json_extract(result, ?) FROM run WHERE id = ? AND json_valid(result)", err);
    (void)snprintf(path, sizeof path, "$.%.64s", name);
    if (s != NULL) {
        history_bind_text(s, 1, path, sizeof path);
        (void)sqlite3_bind_int64(s, 2, id);
    }
    return s;
}

int history_result_number(struct history *h, int64_t id, const char *name, int64_t *out, struct error *err)
{
    sqlite3_stmt *s = result_of(h, id, name, err);
    *out = 0;
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    if (sqlite3_step(s) == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return 0;
}

int history_result_text(struct history *h, int64_t id, const char *name, char *out, size_t cap,
                        struct error *err)
{
    sqlite3_stmt *s = result_of(h, id, name, err);
    out[0] = '\0';
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    if (sqlite3_step(s) == SQLITE_ROW)
        (void)snprintf(out, cap, "%s", history_text(s, 0));
    (void)sqlite3_finalize(s);
    return 0;
}

/* ---- forgetting ------------------------------------------------------------------------------------------------------- */

/* The newest record that is too old, by the history's own clock; 0: none. */
static int too_old(struct history *h, int64_t now, int64_t keep, int64_t *out, struct error *err)
{
    int64_t age = 0;
    int64_t later = now;
    int step = SQLITE_ROW;
    sqlite3_stmt *s = history_prepare(
        h, "SELECT id, CASE WHEN started > 0 THEN started ELSE ended END FROM run ORDER BY id DESC", err);
    *out = 0;
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    while (age <= keep && (step = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t at = sqlite3_column_int64(s, 1);
        int64_t passed = later - at;
        age += passed < 0 ? 0 : passed > PASSES_AT_MOST ? PASSES_AT_MOST : passed;
        later = at;
        *out = age > keep ? sqlite3_column_int64(s, 0) : 0;
    }
    int rc = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : history_failed(h, "prune", err);
    (void)sqlite3_finalize(s);
    return rc;
}

int history_prune(struct history *h, int64_t now, int64_t keep, struct error *err)
{
    int64_t last = 0;
    int rc = too_old(h, now, keep, &last, err);
    if (rc < 0 || last == 0)
        return rc;
    sqlite3_stmt *s = history_prepare(
        h, "DELETE FROM run WHERE ended > 0 AND id <= ? AND id NOT IN (SELECT max(id) FROM run GROUP BY job)",
        err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    (void)sqlite3_bind_int64(s, 1, last);
    return history_step_done(h, s, "prune", err);
}

/* ---- clocks ----------------------------------------------------------------------------------------------------------- */

static int one_time(struct history *h, sqlite3_stmt *s, int64_t *out, struct error *err)
{
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(h, "times", err);
    *out = rc == 0 ? sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return rc;
}

int history_decided(struct history *h, const char *job, int64_t now, int64_t *out, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h, "SELECT max(due) FROM run WHERE job = ?1 AND due <= ?2 AND substr(reason, 1, length(?3)) <> ?3",
        err);
    *out = 0;
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    history_bind_text(s, 1, job, HISTORY_NAME_MAX);
    (void)sqlite3_bind_int64(s, 2, now);
    history_bind_text(s, 3, HISTORY_BY_HAND, HISTORY_TEXT_MAX);
    return one_time(h, s, out, err);
}

int history_newest(struct history *h, int64_t *out, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h,
        "SELECT max(CASE WHEN ended > 0 THEN ended ELSE started END) FROM run WHERE id = (SELECT max(id) FROM run)",
        err);
    *out = 0;
    return s != NULL ? one_time(h, s, out, err) : err != NULL ? err->code : E_IO;
}
