#include "common/state/refusals.h"

#include <stdio.h>
#include <string.h>

#include "common/state/history_internal.h"

#include "common/base/banned.h"

/* The account "" counts all of them. */
#define TOTAL ""

const char *refusals_who(const char *account, char out[REFUSALS_WHO_MAX])
{
    /* No name of an account has a blank: "uid 1001" is none. */
    bool name = strchr(account, ' ') == NULL && strcmp(account, REFUSALS_OTHERS) != 0;
    (void)snprintf(out, REFUSALS_WHO_MAX, name ? "'%s'" : "%s", account);
    return out;
}

static int code_of(const struct error *err)
{
    return err != NULL ? err->code : E_IO;
}

/* 1: there is a table. */
static int has_table(struct history *h, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'refusal'", err);
    if (s == NULL)
        return code_of(err);
    int rc = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : history_failed(h, "refusals", err);
    (void)sqlite3_finalize(s);
    return rc;
}

static int add_one(struct history *h, const char *account, const struct refusal *r, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        h,
        "INSERT INTO refusal (account, what, first, last, count) VALUES (?1, ?2, ?3, ?6, ?4)"
        " ON CONFLICT (account) DO UPDATE SET what = excluded.what,"
        " first = CASE WHEN ?1 <> '' AND ?3 - last > ?5 THEN ?3 ELSE first END,"
        " count = CASE WHEN ?1 <> '' AND ?3 - last > ?5 THEN ?4 ELSE count + ?4 END, last = ?6",
        err);
    if (s == NULL)
        return code_of(err);
    history_bind_text(s, 1, account, REFUSALS_TEXT_MAX);
    history_bind_text(s, 2, account[0] != '\0' ? r->what : "", REFUSALS_TEXT_MAX);
    (void)sqlite3_bind_int64(s, 3, r->first);
    (void)sqlite3_bind_int64(s, 4, (int64_t)r->count);
    (void)sqlite3_bind_int64(s, 5, REFUSALS_PAUSE);
    (void)sqlite3_bind_int64(s, 6, r->last);
    return history_step_done(h, s, "refusal", err);
}

static int forget_old(struct history *h, struct error *err)
{
    sqlite3_stmt *s =
        history_prepare(h,
                        "DELETE FROM refusal WHERE account <> '' AND account NOT IN (SELECT account"
                        " FROM refusal WHERE account <> '' ORDER BY last DESC LIMIT ?1)",
                        err);
    if (s == NULL)
        return code_of(err);
    (void)sqlite3_bind_int64(s, 1, REFUSALS_KEPT);
    return history_step_done(h, s, "refusals", err);
}

int refusals_add(struct history *h, const struct refusal *r, struct error *err)
{
    int rc = history_execute(h, "BEGIN IMMEDIATE", err);
    if (rc < 0)
        return rc;
    rc = history_execute(
        h,
        "CREATE TABLE IF NOT EXISTS refusal (account TEXT PRIMARY KEY, what TEXT NOT NULL,"
        " first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL) WITHOUT ROWID",
        err);
    if (rc == 0)
        rc = add_one(h, r->account, r, err);
    if (rc == 0)
        rc = add_one(h, TOTAL, r, err);
    if (rc == 0)
        rc = forget_old(h, err);
    if (rc == 0)
        rc = history_execute(h, "COMMIT", err);
    if (rc < 0)
        (void)sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int refusals_each(struct history *h, int64_t since, int (*fn)(const struct refusal *r, void *arg), void *arg,
                  struct error *err)
{
    int rc = has_table(h, err);
    if (rc <= 0)
        return rc;
    sqlite3_stmt *s =
        history_prepare(h,
                        "SELECT account, what, first, last, count FROM refusal WHERE account <> ''"
                        " AND last >= ?1 ORDER BY last DESC, account LIMIT ?2",
                        err);
    if (s == NULL)
        return code_of(err);
    (void)sqlite3_bind_int64(s, 1, since);
    (void)sqlite3_bind_int64(s, 2, REFUSALS_KEPT);
    rc = 0;
    int step;
    while (rc >= 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = history_failed(h, "refusals", err);
            break;
        }
        const struct refusal r = { .account = history_text(s, 0),
                                   .what = history_text(s, 1),
                                   .first = sqlite3_column_int64(s, 2),
                                   .last = sqlite3_column_int64(s, 3),
                                   .count = (uint64_t)sqlite3_column_int64(s, 4) };
        rc = fn(&r, arg);
    }
    (void)sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}

int refusals_total(struct history *h, uint64_t *out, struct error *err)
{
    int rc = has_table(h, err);
    *out = 0;
    if (rc <= 0)
        return rc;
    sqlite3_stmt *s = history_prepare(h, "SELECT total(count) FROM refusal WHERE account = ''", err);
    if (s == NULL)
        return code_of(err);
    rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(h, "refusals", err);
    *out = rc == 0 ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return rc;
}
