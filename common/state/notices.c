#include "common/state/notices.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/state/history.h"
#include "common/state/history_internal.h"

#include "common/base/banned.h"

enum { NAME_MAX_LEN = 64 };

/* The queue is an open file of this room, and nothing else. */
struct notices {
    struct history file;
};

static struct history *file_of(struct notices *q)
{
    return &q->file;
}

static const char schema[] =
    "CREATE TABLE notice (id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL, channel TEXT NOT NULL,"
    " event TEXT NOT NULL, job TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL, body TEXT NOT NULL,"
    " created INTEGER NOT NULL, next INTEGER NOT NULL, tries INTEGER NOT NULL, refused INTEGER NOT NULL,"
    " error TEXT NOT NULL);"
    "CREATE INDEX notice_channel ON notice (channel, id);"
    "CREATE TABLE told (channel TEXT NOT NULL, job TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,"
    " since INTEGER NOT NULL, seen INTEGER NOT NULL, told INTEGER NOT NULL, count INTEGER NOT NULL,"
    " PRIMARY KEY (channel, job, kind, reason)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

static const struct state_kind kind = { .name = "queue of notices",
                                        .schema = schema,
                                        .version = 1,
                                        .lost = "what waited in it to be told is not told" };

int notices_open(const char *path, struct notices **out, struct error *err)
{
    struct history *h = NULL;
    int rc = state_open(path, &kind, &h, err);
    *out = (struct notices *)h;
    return rc;
}

int notices_open_shared(const char *path, struct notices **out, struct error *err)
{
    struct history *h = NULL;
    int rc = state_open_shared(path, &kind, &h, err);
    *out = (struct notices *)h;
    return rc;
}

int notices_open_read(const char *path, struct notices **out, struct error *err)
{
    struct history *h = NULL;
    int rc = state_open_read(path, &kind, &h, err);
    *out = (struct notices *)h;
    return rc;
}

void notices_close(struct notices *q)
{
    if (q != NULL)
        history_close(file_of(q));
}

int notices_begin(struct notices *q, struct error *err)
{
    return history_execute(file_of(q), "BEGIN IMMEDIATE", err);
}

int notices_end(struct notices *q, int rc, struct error *err)
{
    if (rc >= 0)
        rc = history_execute(file_of(q), "COMMIT", err);
    if (rc < 0)
        (void)sqlite3_exec(file_of(q)->db, "ROLLBACK", NULL, NULL, NULL);
    return rc < 0 ? rc : 0;
}

/* A statement with texts ("s") and numbers ("i") bound in order. */
static sqlite3_stmt *statement(struct notices *q, const char *sql, const char *const *texts, size_t ntexts,
                               const int64_t *numbers, size_t nnumbers, struct error *err)
{
    sqlite3_stmt *s = history_prepare(file_of(q), sql, err);
    for (size_t i = 0; s != NULL && i < ntexts; i++)
        history_bind_text(s, (int)i + 1, texts[i], NOTICES_BODY_MAX);
    for (size_t i = 0; s != NULL && i < nnumbers; i++)
        (void)sqlite3_bind_int64(s, (int)(ntexts + i) + 1, numbers[i]);
    return s;
}

static int code_of(const struct error *err)
{
    return err != NULL && err->code < 0 ? err->code : E_IO;
}

static int run(struct notices *q, const char *sql, const char *const *texts, size_t ntexts,
               const int64_t *numbers, size_t nnumbers, struct error *err)
{
    sqlite3_stmt *s = statement(q, sql, texts, ntexts, numbers, nnumbers, err);
    return s != NULL ? history_step_done(file_of(q), s, "notices", err) : code_of(err);
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- what has been told ---------------------------------------------------------------------------------------------- */

/* "after 31 s" and "after 32 s" are the same reason. */
static void normalise(char out[NOTICES_REASON_MAX + 1], const char *reason)
{
    size_t n = 0;
    for (const char *p = reason; *p != '\0' && n < NOTICES_REASON_MAX; p++) {
        bool digit = isdigit((unsigned char)*p) != 0;
        if (digit && n > 0 && out[n - 1] == '#')
            continue;
        out[n++] = digit ? '#' : *p;
    }
    out[n] = '\0';
}

static int told_read(struct notices *q, const char *const key[4], struct notice_told *out, struct error *err)
{
    sqlite3_stmt *s = statement(
        q, "SELECT since, told, count FROM told WHERE channel = ? AND job = ? AND kind = ? AND reason = ?",
        key, 4, NULL, 0, err);
    if (s == NULL)
        return code_of(err);
    int step = sqlite3_step(s);
    int rc = step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : history_failed(file_of(q), "told", err);
    if (rc == 1)
        *out = (struct notice_told){ .since = sqlite3_column_int64(s, 0),
                                     .told = sqlite3_column_int64(s, 1),
                                     .count = (uint64_t)sqlite3_column_int64(s, 2) };
    (void)sqlite3_finalize(s);
    return rc;
}

static int forget_oldest(struct notices *q, struct error *err)
{
    const int64_t limit = NOTICES_TOLD_MAX;
    return run(
        q,
        "DELETE FROM told WHERE (channel, job, kind, reason) IN (SELECT channel, job, kind, reason FROM told"
        " ORDER BY seen LIMIT max(0, (SELECT count(*) FROM told) - ?))",
        NULL, 0, &limit, 1, err);
}

int notices_seen(struct notices *q, const struct notice_seen *seen, struct notice_told *out,
                 struct error *err)
{
    char reason[NOTICES_REASON_MAX + 1];
    normalise(reason, seen->reason);
    const char *const key[] = { seen->channel, seen->job, seen->kind, reason };
    *out = (struct notice_told){ .since = seen->now };
    int rc = told_read(q, key, out, err);
    if (rc < 0)
        return rc;
    bool known = rc == 1;
    /* A clock that was set back must not silence anybody. */
    bool tell = out->told == 0 || seen->now < out->told || seen->now - out->told >= seen->repeat_after;
    out->count++;
    const int64_t numbers[] = { out->since, seen->now, tell ? seen->now : out->told, (int64_t)out->count };
    rc = run(q, "INSERT OR REPLACE INTO told VALUES (?,?,?,?,?,?,?,?)", key, COUNT(key), numbers,
             COUNT(numbers), err);
    if (rc == 0 && !known)
        rc = forget_oldest(q, err);
    return rc < 0 ? rc : tell ? 1 : 0;
}

int notices_over(struct notices *q, const char *channel, const char *job, const char *of,
                 struct notice_told *out, struct error *err)
{
    const char *const key[] = { channel, job, of };
    *out = (struct notice_told){ .since = 0 };
    sqlite3_stmt *s = statement(q,
                                "SELECT count(*), min(since), max(told), sum(count) FROM told"
                                " WHERE channel = ? AND job = ? AND kind = ?",
                                key, COUNT(key), NULL, 0, err);
    if (s == NULL)
        return code_of(err);
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(file_of(q), "told", err);
    bool any = rc == 0 && sqlite3_column_int64(s, 0) > 0;
    if (any)
        *out = (struct notice_told){ .since = sqlite3_column_int64(s, 1),
                                     .told = sqlite3_column_int64(s, 2),
                                     .count = (uint64_t)sqlite3_column_int64(s, 3) };
    (void)sqlite3_finalize(s);
    if (rc == 0 && any)
        rc = run(q, "DELETE FROM told WHERE channel = ? AND job = ? AND kind = ?", key, COUNT(key), NULL, 0,
                 err);
    return rc < 0 ? rc : any ? 1 : 0;
}

/* ---- what waits -------------------------------------------------------------------------------------------------------- */

static int make_room(struct notices *q, const char *channel, uint64_t *dropped, struct error *err)
{
    const char *const key[] = { channel, channel };
    const int64_t keep = NOTICES_MAX - 1;
    int rc = run(q,
                 "DELETE FROM notice WHERE channel = ? AND id NOT IN (SELECT id FROM notice WHERE channel = ?"
                 " ORDER BY id DESC LIMIT ?)",
                 key, COUNT(key), &keep, 1, err);
    if (rc == 0)
        *dropped += (uint64_t)sqlite3_changes64(file_of(q)->db);
    return rc;
}

int notices_put(struct notices *q, const struct notice *n, uint64_t *dropped, struct error *err)
{
    if (strlen(n->body) > NOTICES_BODY_MAX || strlen(n->text) > NOTICES_TEXT_MAX)
        return error_set(err, E_USAGE, "a notice is longer than %d bytes", NOTICES_BODY_MAX);
    const char *const texts[] = { n->uid, n->channel, n->event, n->job, n->subject, n->text, n->body };
    const int64_t numbers[] = { n->created, n->created };
    int rc = make_room(q, n->channel, dropped, err);
    if (rc == 0)
        rc = run(
            q,
            "INSERT INTO notice (uid, channel, event, job, subject, text, body, created, next, tries, refused,"
            " error) VALUES (?,?,?,?,?,?,?,?,?,0,0,'')",
            texts, COUNT(texts), numbers, COUNT(numbers), err);
    return rc;
}

int notices_supersede(struct notices *q, const char *channel, const char *job, struct error *err)
{
    const char *const key[] = { channel, job };
    return run(q, "DELETE FROM notice WHERE channel = ? AND job = ?", key, COUNT(key), NULL, 0, err);
}

static int rows(struct notices *q, sqlite3_stmt *s, int (*fn)(const struct notice *n, void *arg), void *arg,
                struct error *err)
{
    int rc = 0;
    int step;
    if (s == NULL)
        return code_of(err);
    while (rc >= 0 && (step = sqlite3_step(s)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            rc = history_failed(file_of(q), "notices", err);
            break;
        }
        struct notice n = { .id = sqlite3_column_int64(s, 0),
                            .uid = history_text(s, 1),
                            .channel = history_text(s, 2),
                            .event = history_text(s, 3),
                            .job = history_text(s, 4),
                            .subject = history_text(s, 5),
                            .text = history_text(s, 6),
                            .body = history_text(s, 7),
                            .created = sqlite3_column_int64(s, 8),
                            .next = sqlite3_column_int64(s, 9),
                            .tries = (unsigned)sqlite3_column_int(s, 10),
                            .refused = sqlite3_column_int(s, 11) != 0,
                            .error = history_text(s, 12) };
        rc = fn(&n, arg);
    }
    (void)sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}

#define COLUMNS \
    "SELECT id, uid, channel, event, job, subject, text, body, created, next, tries, refused, error FROM notice"

int notices_list(struct notices *q, const char *channel, int64_t now,
                 int (*fn)(const struct notice *n, void *arg), void *arg, struct error *err)
{
    const char *const key[] = { channel != NULL ? channel : "" };
    sqlite3_stmt *s = statement(
        q,
        COLUMNS
        " WHERE CASE WHEN ?1 = '' THEN next <= ?2 ELSE channel = ?1 AND (next <= ?2 OR NOT refused) END ORDER BY id",
        key, COUNT(key), &now, 1, err);
    return rows(q, s, fn, arg, err);
}

int notices_get(struct notices *q, int64_t id, int (*fn)(const struct notice *n, void *arg), void *arg,
                struct error *err)
{
    return rows(q, statement(q, COLUMNS " WHERE id = ?", NULL, 0, &id, 1, err), fn, arg, err);
}

int notices_sent(struct notices *q, int64_t id, int64_t now, struct error *err)
{
    const int64_t numbers[] = { now, id };
    int rc = notices_begin(q, err);
    if (rc < 0)
        return rc;
    rc = run(
        q,
        "UPDATE notice SET next = min(next, ?1) WHERE NOT refused AND channel = (SELECT channel FROM notice"
        " WHERE id = ?2)",
        NULL, 0, numbers, COUNT(numbers), err);
    if (rc == 0)
        rc = run(q, "DELETE FROM notice WHERE id = ?", NULL, 0, &id, 1, err);
    return notices_end(q, rc, err);
}

int notices_failed(struct notices *q, int64_t id, int64_t next, bool refused, const char *why,
                   struct error *err)
{
    const char *const texts[] = { why };
    const int64_t numbers[] = { next, refused, id };
    const int64_t others[] = { next, id };
    int rc = notices_begin(q, err);
    if (rc < 0)
        return rc;
    rc = run(q, "UPDATE notice SET tries = tries + 1, error = ?, next = ?, refused = ? WHERE id = ?", texts,
             1, numbers, COUNT(numbers), err);
    if (rc == 0 && !refused)
        rc = run(
            q,
            "UPDATE notice SET next = max(next, ?1) WHERE channel = (SELECT channel FROM notice WHERE id = ?2)",
            NULL, 0, others, COUNT(others), err);
    return notices_end(q, rc, err);
}

int notices_defer(struct notices *q, const char *channel, int64_t until, struct error *err)
{
    return run(q, "UPDATE notice SET next = max(next, ?2) WHERE channel = ?1", &channel, 1, &until, 1, err);
}

int notices_no_later(struct notices *q, int64_t latest, struct error *err)
{
    return run(q, "UPDATE notice SET next = ?1 WHERE next > ?1", NULL, 0, &latest, 1, err);
}

int64_t notices_expire(struct notices *q, const char *channel, const char *event, int64_t before,
                       struct error *err)
{
    const char *const texts[] = { channel, event != NULL ? event : "" };
    int rc = run(q, "DELETE FROM notice WHERE channel = ?1 AND (?2 = '' OR event = ?2) AND created < ?3",
                 texts, COUNT(texts), &before, 1, err);
    return rc < 0 ? rc : sqlite3_changes64(file_of(q)->db);
}

int notices_wake(struct notices *q, const char *channel, int64_t *out, struct error *err)
{
    *out = INT64_MAX;
    sqlite3_stmt *s =
        statement(q, "SELECT min(next) FROM notice WHERE channel = ?", &channel, 1, NULL, 0, err);
    if (s == NULL)
        return code_of(err);
    int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : history_failed(file_of(q), "notices", err);
    if (rc == 0 && sqlite3_column_type(s, 0) != SQLITE_NULL)
        *out = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return rc;
}

/* ---- in memory ------------------------------------------------------------------------------------------------------------ */

/* A statement for each row of the other: what a row says of one told thing. */
static int copy_told(struct notices *from, struct notices *to, struct error *err)
{
    int rc = 0;
    int step = SQLITE_DONE;
    sqlite3_stmt *s = statement(from, "SELECT channel, job, kind, reason, since, seen, told, count FROM told",
                                NULL, 0, NULL, 0, err);
    if (s == NULL)
        return code_of(err);
    while (rc == 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
        const char *const texts[] = { history_text(s, 0), history_text(s, 1), history_text(s, 2),
                                      history_text(s, 3) };
        const int64_t numbers[] = { sqlite3_column_int64(s, 4), sqlite3_column_int64(s, 5),
                                    sqlite3_column_int64(s, 6), sqlite3_column_int64(s, 7) };
        rc = run(to, "INSERT OR REPLACE INTO told VALUES (?,?,?,?,?,?,?,?)", texts, COUNT(texts), numbers,
                 COUNT(numbers), err);
    }
    if (rc == 0 && step != SQLITE_DONE)
        rc = history_failed(file_of(from), "told", err);
    (void)sqlite3_finalize(s);
    return rc;
}

int notices_open_memory(struct notices *from, struct notices **out, struct error *err)
{
    struct history *h = NULL;
    int rc = state_open_memory(&kind, NOTICES_MEMORY_PAGES, &h, err);
    *out = (struct notices *)h;
    if (rc == 0 && from != NULL) /* what cannot be read is told once more */
        (void)copy_told(from, *out, NULL);
    return rc;
}

struct moving {
    struct notices *to;
    uint64_t *dropped;
    struct error *err;
};

static int move_one(const struct notice *n, void *arg)
{
    const struct moving *m = arg;
    return notices_put(m->to, n, m->dropped, m->err);
}

int notices_move(struct notices *from, struct notices *to, uint64_t *dropped, struct error *err)
{
    struct moving m = { .to = to, .dropped = dropped, .err = err };
    int rc = notices_begin(to, err);
    if (rc < 0)
        return rc;
    rc = run(to, "DELETE FROM told", NULL, 0, NULL, 0, err);
    if (rc == 0)
        rc = copy_told(from, to, err);
    if (rc == 0)
        rc = notices_list(from, NULL, INT64_MAX, move_one, &m, err);
    return notices_end(to, rc, err);
}

/* ---- channels that are gone ------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The first channel in the file that is none of these; "" when there is none. */
static int stranger(struct notices *q, const char *const *channels, size_t n, char out[NAME_MAX_LEN + 1],
                    struct error *err)
{
    sqlite3_stmt *s =
        statement(q, "SELECT channel FROM notice UNION SELECT channel FROM told", NULL, 0, NULL, 0, err);
    out[0] = '\0';
    if (s == NULL)
        return code_of(err);
    while (out[0] == '\0' && sqlite3_step(s) == SQLITE_ROW) {
        const char *name = history_text(s, 0);
        if (!is_one_of(name, channels, n) && strlen(name) <= NAME_MAX_LEN)
            memcpy(out, name, strlen(name) + 1);
    }
    (void)sqlite3_finalize(s);
    return 0;
}

int64_t notices_only(struct notices *q, const char *const *channels, size_t n, struct error *err)
{
    char name[NAME_MAX_LEN + 1];
    int64_t total = 0;
    for (;;) {
        const char *const key[] = { name };
        int rc = stranger(q, channels, n, name, err);
        if (rc < 0 || name[0] == '\0')
            return rc < 0 ? rc : total;
        rc = run(q, "DELETE FROM notice WHERE channel = ?", key, 1, NULL, 0, err);
        total += rc == 0 ? sqlite3_changes64(file_of(q)->db) : 0;
        if (rc == 0)
            rc = run(q, "DELETE FROM told WHERE channel = ?", key, 1, NULL, 0, err);
        if (rc < 0)
            return rc;
    }
}
