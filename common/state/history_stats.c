#include "common/state/history_stats.h"

#include "common/state/history_internal.h"

#include "common/base/banned.h"

static const char *text_of(sqlite3_stmt *s, int column)
{
    const unsigned char *text = sqlite3_column_text(s, column);
    return text != NULL ? (const char *)text : "";
}

static struct history_point point_of(sqlite3_stmt *s)
{
    return (struct history_point){ .id = sqlite3_column_int64(s, 0),
                                   .due = sqlite3_column_int64(s, 1),
                                   .started = sqlite3_column_int64(s, 2),
                                   .ended = sqlite3_column_int64(s, 3),
                                   .count = (uint64_t)sqlite3_column_int64(s, 4),
                                   .verdict = (enum history_verdict)sqlite3_column_int(s, 5),
                                   .exit_code = sqlite3_column_int(s, 6),
                                   .reason = text_of(s, 7),
                                   .text = text_of(s, 8),
                                   .has_bytes = sqlite3_column_type(s, 9) != SQLITE_NULL,
                                   .read = sqlite3_column_int64(s, 9),
                                   .fresh = sqlite3_column_int64(s, 10),
                                   .stored = sqlite3_column_int64(s, 11) };
}

static sqlite3_stmt *points_of(struct history *h, const struct history_filter *filter, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h,
        "SELECT id, due, started, ended, count, verdict, exit_code, reason, text,"
        " json_extract(summary, '$.total_bytes_processed'), json_extract(summary, '$.data_added'),"
        " json_extract(summary, '$.data_added_packed') FROM"
        " (SELECT *, CASE WHEN json_valid(result) THEN result END AS summary FROM run"
        " WHERE (?1 IS NULL OR job = ?1) AND (?2 = 0 OR id = ?2) AND max(due, started) >= ?3"
        " AND (?4 = 0 OR verdict <> 5) ORDER BY id DESC LIMIT ?5)",
        err);
    if (s == NULL)
        return NULL;
    if (filter->job != NULL)
        history_bind_text(s, 1, filter->job, HISTORY_NAME_MAX);
    (void)sqlite3_bind_int64(s, 2, filter->id);
    (void)sqlite3_bind_int64(s, 3, filter->since);
    (void)sqlite3_bind_int(s, 4, filter->only_runs);
    (void)sqlite3_bind_int64(s, 5, filter->limit > 0 ? (int64_t)filter->limit : 1000);
    return s;
}

int history_points(struct history *h, const struct history_filter *filter,
                   int (*fn)(const struct history_point *p, void *arg), void *arg, struct error *err)
{
    sqlite3_stmt *s = points_of(h, filter, err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    int rc = 0;
    int step;
    while (rc >= 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = history_failed(h, "runs", err);
            break;
        }
        struct history_point p = point_of(s);
        rc = fn(&p, arg);
    }
    (void)sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}

/* One pass in the order of the index: nothing to sort, however long the history is. */
static int count_verdicts(struct history *h, const char *job, struct history_sums *out, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h,
        "SELECT total(verdict = 0), total(verdict = 1), total(verdict = 2), total(verdict = 3), total(verdict = 4),"
        " total(verdict = 5), total(verdict = 6), total(CASE WHEN verdict = 5 THEN count END),"
        " max(CASE WHEN verdict IN (1, 2) THEN id END) FROM run WHERE job = ?",
        err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    history_bind_text(s, 1, job, HISTORY_NAME_MAX);
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(h, "sums", err);
    for (int v = 0; rc == 0 && v < HISTORY_VERDICTS; v++)
        out->runs[v] = sqlite3_column_int64(s, v);
    if (rc == 0) {
        out->skipped = sqlite3_column_int64(s, HISTORY_VERDICTS);
        out->last_ok = sqlite3_column_int64(s, HISTORY_VERDICTS + 1);
    }
    (void)sqlite3_finalize(s);
    return rc;
}

/* The one number that the statement selects. */
static int one_number(struct history *h, sqlite3_stmt *s, const char *what, int64_t *out, struct error *err)
{
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(h, what, err);
    *out = rc == 0 ? sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return rc;
}

int history_sums(struct history *h, const char *job, struct history_sums *out, struct error *err)
{
    *out = (struct history_sums){ .last_ok = 0 };
    int rc = count_verdicts(h, job, out, err);
    if (rc < 0)
        return rc;
    sqlite3_stmt *s =
        history_prepare(h,
                        "SELECT count(*) FROM run WHERE job = ? AND id > ? AND verdict IN (3, 4, 6)"
                        " AND NOT (verdict = 4 AND text LIKE '" HISTORY_CANCELLED "%')",
                        err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    history_bind_text(s, 1, job, HISTORY_NAME_MAX);
    (void)sqlite3_bind_int64(s, 2, out->last_ok);
    return one_number(h, s, "sums", &out->failures, err);
}

int history_version(struct history *h, int64_t *out, struct error *err)
{
    sqlite3_stmt *s = history_prepare(h, "PRAGMA data_version", err);
    *out = 0;
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    return one_number(h, s, "version", out, err);
}
