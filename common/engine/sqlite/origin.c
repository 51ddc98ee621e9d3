#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

static int busy_error(struct error *err, const char *path, const char *text)
{
    return error_set(err, E_BUSY,
                     "%s: %s (another process keeps it locked); raise `busy_timeout`, find what holds it "
                     "(fuser FILE), or switch the database to WAL",
                     path, text);
}

int sqlite_error(struct error *err, sqlite3 *db, int rc, const char *path)
{
    const char *text =
        db != NULL && sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    int extended = db != NULL ? sqlite3_extended_errcode(db) : rc;
    if (extended == SQLITE_READONLY_ROLLBACK)
        return error_set(
            err, E_DENIED,
            "%s: an interrupted transaction must be rolled back first, and a backup does not write; "
            "start the application once, or open the file with the sqlite3 shell and read from it",
            path);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return busy_error(err, path, text);
    case SQLITE_NOTADB:
        return error_set(
            err, E_CORRUPT,
            "%s: %s (it may be encrypted, damaged, or no database at all); correct `path`, or for SQLCipher "
            "and the like use the engine `command` with the program that has the key",
            path, text);
    case SQLITE_CORRUPT:
        return error_set(err, E_CORRUPT, "%s: %s; look at it with PRAGMA integrity_check", path, text);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return error_set(err, E_DENIED,
                         "%s: %s; check the rights on the file, its -wal and -shm, and its directory", path,
                         text);
    case SQLITE_FULL:
        return error_set(err, E_NO_SPACE, "%s: %s", path, text);
    case SQLITE_NOMEM:
        return error_set(err, E_NOMEM, "%s: %s", path, text);
    case SQLITE_INTERRUPT:
        return error_set(err, E_CANCELLED, "%s: %s", path, text);
    default:
        return error_set(err, E_IO, "%s: %s (SQLite code %d)", path, text, extended);
    }
}

static int query(sqlite3 *db, const char *sql, int (*fn)(sqlite3_stmt *stmt, void *arg), void *arg)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        rc = fn(stmt, arg);
    int end = sqlite3_finalize(stmt);
    return rc == SQLITE_OK || rc == SQLITE_DONE ? end : rc;
}

static int take_number(sqlite3_stmt *stmt, void *arg)
{
    *(int64_t *)arg = sqlite3_column_int64(stmt, 0);
    return SQLITE_OK;
}

int sqlite_number(sqlite3 *db, const char *sql, int64_t *out)
{
    return query(db, sql, take_number, out);
}

struct text {
    char *out;
    size_t cap;
};

static int take_text(sqlite3_stmt *stmt, void *arg)
{
    const struct text *t = arg;
    const unsigned char *s = sqlite3_column_text(stmt, 0);
    (void)snprintf(t->out, t->cap, "%s", s == NULL ? "" : (const char *)s);
    return s == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

int sqlite_text(sqlite3 *db, const char *sql, char *out, size_t cap)
{
    struct text t = { .out = out, .cap = cap };
    out[0] = '\0';
    return query(db, sql, take_text, &t);
}

static int look_at_file(const char *path, struct stat *st, struct error *err)
{
    if (stat(path, st) < 0)
        return errno == ENOENT
                   ? error_set(err, E_NOT_FOUND, "%s: there is no such file; correct the job's `path`", path)
                   : error_sys(err, "%s", path);
    if (!S_ISREG(st->st_mode))
        return error_set(err, E_USAGE, "%s is not a regular file; correct the job's `path`", path);
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
        return error_set(err, E_DENIED,
                         "%s: no permission to read; run as its owner or give this user read rights", path);
    if (st->st_size == 0)
        return error_set(err, E_CORRUPT,
                         "%s is empty (0 bytes); the application has not made its database yet, or lost it: "
                         "start it, or correct the job's `path`",
                         path);
    return 0;
}

/* A -shm made by a stranger would lock the application out; without the rights to make one SQLite only says
 * "unable to open". */
static int check_shm(struct origin *o, const char *path, struct error *err)
{
    const uint8_t *header = tap_header(o->tap);
    o->wal = header != NULL && header[18] == 2 && header[19] == 2;
    uid_t me = geteuid();
    if (!o->wal || me == 0 || me == o->before.st_uid)
        return 0;
    char shm[4096];
    const char *real = sqlite3_db_filename(o->db, "main");
    int n = snprintf(shm, sizeof shm, "%s-shm", real != NULL && real[0] != '\0' ? real : path);
    struct stat st;
    if (n < 0 || (size_t)n >= sizeof shm)
        return error_set(err, E_USAGE, "%s: the path is too long", path);
    if (stat(shm, &st) == 0)
        return 0;
    struct passwd entry;
    struct passwd *owner = NULL;
    char names[1024];
    (void)getpwuid_r(o->before.st_uid, &entry, names, sizeof names, &owner);
    return error_set(
        err, E_DENIED,
        "%s is in WAL mode and nobody has it open (no %s): this user would have to make that file, and "
        "it would then not belong to the application; run backupd as %s, or keep the application running",
        path, shm, owner != NULL ? owner->pw_name : "the owner of the database");
}

static int begin(struct origin *o, const char *path, struct error *err)
{
    int64_t page_size = 0;
    int64_t pages = 0;
    o->since_ms = clock_mono_ms();
    int rc = sqlite3_exec(o->db, "BEGIN", NULL, NULL, NULL);
    /* The first read starts the transaction; page 1 passes the tap here. */
    if (rc == SQLITE_OK)
        rc = sqlite_number(o->db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", &o->tables);
    if (rc == SQLITE_OK)
        rc = sqlite_number(o->db, "PRAGMA page_size", &page_size);
    if (rc == SQLITE_OK)
        rc = sqlite_number(o->db, "PRAGMA page_count", &pages);
    if (rc == SQLITE_OK)
        rc = sqlite_number(o->db, "PRAGMA user_version", &o->user_version);
    if (rc == SQLITE_OK)
        rc = sqlite_number(o->db, "PRAGMA application_id", &o->application_id);
    if (rc == SQLITE_OK)
        rc = sqlite_text(o->db, "PRAGMA encoding", o->encoding, sizeof o->encoding);
    if (rc != SQLITE_OK)
        return sqlite_error(err, o->db, rc, path);
    uint32_t size = 0;
    const uint8_t *page1 = tap_page1(o->tap, &size);
    if (page1 == NULL || size != page_size || pages < 1 || pages > UINT32_MAX - 1)
        return error_set(err, E_INTERNAL, "%s: SQLite %s began a transaction without reading page 1", path,
                         sqlite3_libversion());
    o->page_size = size;
    o->pages = (uint32_t)pages;
    o->wal = page1[18] == 2 && page1[19] == 2;
    o->page1 = mem_copy(page1, size, err);
    return o->page1 == NULL ? E_NOMEM : 0;
}

int origin_open(struct origin *o, const struct settings *s, struct error *err)
{
    *o = (struct origin){ .db = NULL };
    int rc = look_at_file(s->path, &o->before, err);
    if (rc < 0)
        goto out;
    o->tap = tap_new(err);
    if (o->tap == NULL) {
        rc = E_NOMEM;
        goto out;
    }
    int sq =
        sqlite3_open_v2(s->path, &o->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_PRIVATECACHE, tap_vfs(o->tap));
    if (sq == SQLITE_OK)
        sq = sqlite3_busy_timeout(o->db, (int)s->busy_ms);
    if (sq != SQLITE_OK) {
        rc = sqlite_error(err, o->db, sq, s->path);
        goto out;
    }
    rc = check_shm(o, s->path, err);
    if (rc == 0)
        rc = begin(o, s->path, err);
    if (rc == 0)
        rc = origin_same_file(o, s->path, err);
out:
    if (rc < 0)
        origin_close(o);
    return rc;
}

int origin_same_file(const struct origin *o, const char *path, struct error *err)
{
    struct stat now;
    if (stat(path, &now) < 0)
        return error_sys(err, "%s vanished while it was read", path);
    if (now.st_dev != o->before.st_dev || now.st_ino != o->before.st_ino)
        return error_set(err, E_RETRY,
                         "%s was replaced by another file while it was read; what was read is the old one",
                         path);
    return 0;
}

int origin_end(struct origin *o, const char *path, struct error *err)
{
    int rc = sqlite3_exec(o->db, "COMMIT", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_error(err, o->db, rc, path);
}

void origin_close(struct origin *o)
{
    (void)sqlite3_close(o->db);
    tap_free(o->tap);
    free(o->page1);
    *o = (struct origin){ .db = NULL };
}
