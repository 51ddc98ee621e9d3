#include "common/state/drills.h"

#include <sqlite3.h>

#include "common/state/history.h"
#include "common/state/history_internal.h"

#include "common/base/banned.h"

/* struct drills is a struct history: the calls of that file do for both. */
static struct history *of(struct drills *d)
{
    return (struct history *)(void *)d;
}

#define COLUMNS                                                                                          \
    "id, repository, job, drill, snapshot, record, engine, server, reason, verdict, started, finished,"  \
    " snapshot_time, rto_ms, rto_target, prepare_ms, fetch_ms, decrypt_ms, load_ms, index_ms, check_ms," \
    " age, rpo, bytes, bytes_fetched, checks, failed, whole, signed, stored"
enum { TEXTS = 9, COLUMNS_N = 30 };

static const char schema[] =
    "CREATE TABLE drill (id TEXT PRIMARY KEY, repository TEXT NOT NULL, job TEXT NOT NULL, drill TEXT NOT NULL,"
    " snapshot TEXT NOT NULL, record TEXT NOT NULL, engine TEXT NOT NULL, server TEXT NOT NULL, reason TEXT NOT NULL,"
    " verdict INTEGER NOT NULL, started INTEGER NOT NULL, finished INTEGER NOT NULL, snapshot_time INTEGER NOT NULL,"
    " rto_ms INTEGER NOT NULL, rto_target INTEGER NOT NULL, prepare_ms INTEGER NOT NULL, fetch_ms INTEGER NOT NULL,"
    " decrypt_ms INTEGER NOT NULL, load_ms INTEGER NOT NULL, index_ms INTEGER NOT NULL, check_ms INTEGER NOT NULL,"
    " age INTEGER NOT NULL, rpo INTEGER NOT NULL, bytes INTEGER NOT NULL, bytes_fetched INTEGER NOT NULL,"
    " checks INTEGER NOT NULL, failed INTEGER NOT NULL, whole INTEGER NOT NULL, signed INTEGER NOT NULL,"
    " stored INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX drill_job ON drill (repository, job, finished);"
    "CREATE INDEX drill_time ON drill (finished);"
    "PRAGMA user_version = 1;";

static const struct state_kind the_drills = {
    .name = "history of drills",
    .lost = "the list of drills begins anew; their certificates are where they were",
    .schema = schema,
    .version = 1
};

const char *drills_verdict_name(enum drills_verdict v)
{
    static const char *const names[] = { "pass", "fail", "could_not_run" };
    return (unsigned)v < sizeof names / sizeof names[0] ? names[v] : "unknown";
}

int drills_open(const char *path, struct drills **out, struct error *err)
{
    struct history *h = NULL;
    int rc = state_open(path, &the_drills, &h, err);
    *out = (struct drills *)(void *)h;
    return rc;
}

int drills_open_read(const char *path, struct drills **out, struct error *err)
{
    struct history *h = NULL;
    int rc = state_open_read(path, &the_drills, &h, err);
    *out = (struct drills *)(void *)h;
    return rc;
}

void drills_close(struct drills *d)
{
    history_close(of(d));
}

/* ---- writing ------------------------------------------------------------------------------------------- */

int drills_add(struct drills *d, const struct drills_row *r, struct error *err)
{
    const char *const texts[TEXTS] = { r->id,     r->repository, r->job,    r->drill, r->snapshot,
                                       r->record, r->engine,     r->server, r->reason };
    const int64_t numbers[COLUMNS_N - TEXTS] = {
        r->verdict,     r->started,     r->finished,   r->snapshot_time, r->rto_ms,   r->rto_target_seconds,
        r->prepare_ms,  r->fetch_ms,    r->decrypt_ms, r->load_ms,       r->index_ms, r->check_ms,
        r->age_seconds, r->rpo_seconds, r->bytes,      r->bytes_fetched, r->checks,   r->failed,
        r->whole,       r->signed_,     r->stored
    };
    sqlite3_stmt *s =
        history_prepare(of(d),
                        "INSERT OR REPLACE INTO drill (" COLUMNS
                        ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                        err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    for (int i = 0; i < TEXTS; i++)
        history_bind_text(s, i + 1, texts[i], DRILLS_TEXT_MAX);
    for (int i = TEXTS; i < COLUMNS_N; i++)
        (void)sqlite3_bind_int64(s, i + 1, numbers[i - TEXTS]);
    return history_step_done(of(d), s, "drill", err);
}

int drills_stored(struct drills *d, const char *id, struct error *err)
{
    sqlite3_stmt *s = history_prepare(of(d), "UPDATE drill SET stored = 1 WHERE id = ?", err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    history_bind_text(s, 1, id, DRILLS_TEXT_MAX);
    return history_step_done(of(d), s, "drill", err);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static struct drills_row row_of(sqlite3_stmt *s)
{
    struct drills_row r = { .verdict = (enum drills_verdict)sqlite3_column_int(s, TEXTS) };
    const char **const texts[TEXTS] = { &r.id,     &r.repository, &r.job,    &r.drill, &r.snapshot,
                                        &r.record, &r.engine,     &r.server, &r.reason };
    int64_t *const numbers[] = {
        &r.started,    &r.finished,    &r.snapshot_time, &r.rto_ms,  &r.rto_target_seconds,
        &r.prepare_ms, &r.fetch_ms,    &r.decrypt_ms,    &r.load_ms, &r.index_ms,
        &r.check_ms,   &r.age_seconds, &r.rpo_seconds,   &r.bytes,   &r.bytes_fetched,
        &r.checks,     &r.failed
    };
    enum { NUMBERS = sizeof numbers / sizeof numbers[0] };
    _Static_assert(TEXTS + 1 + NUMBERS + 3 == COLUMNS_N, "all columns");
    for (int i = 0; i < TEXTS; i++)
        *texts[i] = history_text(s, i);
    for (int i = 0; i < NUMBERS; i++)
        *numbers[i] = sqlite3_column_int64(s, TEXTS + 1 + i);
    r.whole = sqlite3_column_int(s, COLUMNS_N - 3) != 0;
    r.signed_ = sqlite3_column_int(s, COLUMNS_N - 2) != 0;
    r.stored = sqlite3_column_int(s, COLUMNS_N - 1) != 0;
    return r;
}

/* Ends the statement. */
static int rows(struct drills *d, sqlite3_stmt *s, drills_fn *fn, void *arg, struct error *err)
{
    int rc = 0;
    int step;
    while (rc >= 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = history_failed(of(d), "drills", err);
            break;
        }
        struct drills_row r = row_of(s);
        rc = fn(&r, arg);
    }
    (void)sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}

int drills_each(struct drills *d, const struct drills_filter *f, drills_fn *fn, void *arg, struct error *err)
{
    sqlite3_stmt *s = history_prepare(of(d),
                                      "SELECT " COLUMNS " FROM drill WHERE (?1 IS NULL OR repository = ?1)"
                                      " AND (?2 IS NULL OR job = ?2) AND (?3 IS NULL OR drill = ?3)"
                                      " AND (?4 IS NULL OR engine = ?4) AND (?5 IS NULL OR id = ?5)"
                                      " ORDER BY finished DESC, id DESC LIMIT ?6",
                                      err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    const char *const by[] = { f->repository, f->job, f->drill, f->engine, f->id };
    for (int i = 0; i < (int)(sizeof by / sizeof by[0]); i++)
        if (by[i] != NULL)
            history_bind_text(s, i + 1, by[i], DRILLS_TEXT_MAX);
    (void)sqlite3_bind_int64(s, 6, f->limit > 0 ? (int64_t)f->limit : 1000);
    return rows(d, s, fn, arg, err);
}

int drills_last_per_job(struct drills *d, drills_fn *fn, void *arg, struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        of(d),
        "SELECT " COLUMNS
        " FROM drill AS x WHERE id = (SELECT id FROM drill AS y WHERE y.repository = x.repository"
        " AND y.job = x.job ORDER BY finished DESC, id DESC LIMIT 1) ORDER BY repository, job",
        err);
    return s != NULL ? rows(d, s, fn, arg, err) : err != NULL ? err->code : E_IO;
}

int drills_old(struct drills *d, int64_t before, unsigned most, drills_old_fn *fn, void *arg,
               struct error *err)
{
    sqlite3_stmt *s = history_prepare(
        of(d),
        "SELECT " COLUMNS
        ", verdict = 0 AND whole AND id = (SELECT id FROM drill AS y WHERE y.repository = x.repository"
        " AND y.job = x.job AND y.record = x.record AND y.verdict = 0 AND y.whole ORDER BY y.finished DESC, y.id DESC"
        " LIMIT 1) FROM drill AS x WHERE finished < ?1"
        " OR id NOT IN (SELECT id FROM drill ORDER BY finished DESC, id DESC LIMIT ?2) ORDER BY finished, id",
        err);
    int rc = 0;
    int step = SQLITE_DONE;
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    (void)sqlite3_bind_int64(s, 1, before);
    (void)sqlite3_bind_int64(s, 2, most);
    while (rc >= 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct drills_row r = row_of(s);
        rc = fn(&r, sqlite3_column_int(s, COLUMNS_N) != 0, arg);
    }
    if (rc >= 0 && step != SQLITE_DONE)
        rc = history_failed(of(d), "drills", err);
    (void)sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}

int drills_remove(struct drills *d, const char *id, struct error *err)
{
    sqlite3_stmt *s = history_prepare(of(d), "DELETE FROM drill WHERE id = ?", err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    history_bind_text(s, 1, id, DRILLS_TEXT_MAX);
    return history_step_done(of(d), s, "drill", err);
}

int drills_last_pass(struct drills *d, const char *repository, const char *job, const char *drill,
                     int64_t *out, struct error *err)
{
    *out = 0;
    sqlite3_stmt *s = history_prepare(
        of(d),
        "SELECT max(finished) FROM drill WHERE verdict = 0 AND (?1 IS NULL OR repository = ?1) AND job = ?2"
        " AND (?3 IS NULL OR drill = ?3)",
        err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    if (repository != NULL)
        history_bind_text(s, 1, repository, DRILLS_TEXT_MAX);
    history_bind_text(s, 2, job, DRILLS_TEXT_MAX);
    if (drill != NULL)
        history_bind_text(s, 3, drill, DRILLS_TEXT_MAX);
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(of(d), "drills", err);
    *out = rc == 0 ? sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_finalize(s);
    return rc;
}
