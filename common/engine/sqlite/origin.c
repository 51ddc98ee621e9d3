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
#include "common/sys/dirs.h"

#include "common/base/banned.h"

#define SQLITE_MAGIC "SQLite format 3" /* with its NUL */

/* A file that a pattern found a moment ago is looked for once more when it vanished: the list was old. */
static int not_there(struct origin *o, const struct listed *file, struct error *err)
{
    struct stat link;
    if (errno != ENOENT)
        return error_sys(err, "%s", file->path);
    if (file->by_hand)
        return error_set(err, E_NOT_FOUND, "%s: there is no such file; correct the job's `path`", file->path);
    o->other = lstat(file->path, &link) == 0;
    if (o->other)
        return error_set(err, E_NOT_FOUND,
                         "%s is a link to nothing; remove it, or leave it out with "
                         "`skip_others: yes`",
                         file->path);
    return error_set(err, E_RETRY, "%s vanished after it was listed; let `path` match only what stays",
                     file->path);
}

static int look_at_file(struct origin *o, const struct listed *file, struct error *err)
{
    const char *path = file->path;
    struct stat *st = &o->before;
    if (stat(path, st) < 0)
        return not_there(o, file, err);
    o->other = !S_ISREG(st->st_mode) || st->st_size == 0;
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

/* Without them SQLite only says "unable to open". */
static int no_room_for_shm(const char *path, const char *shm, struct error *err)
{
    char *dir = path_dir(shm, err);
    if (dir == NULL)
        return E_NOMEM;
    int rc = 0;
    if (faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) < 0)
        rc = error_set(
            err, E_DENIED,
            "%s is in WAL mode, nobody has it open, and SQLite cannot make the file %s that reading it "
            "needs, for this user may not write in %s (%s); keep the application running, allow "
            "it, or for a database on a read-only file system use the engine `files`",
            path, shm, dir, strerror(errno));
    free(dir);
    return rc;
}

/* A -shm made by a stranger would lock the application out; without the rights to make one SQLite only says
 * "unable to open". */
static int check_shm(struct origin *o, const char *path, struct error *err)
{
    const uint8_t *header = tap_header(o->tap);
    o->wal = header != NULL && header[18] == 2 && header[19] == 2;
    uid_t me = geteuid();
    if (!o->wal)
        return 0;
    char shm[4096];
    const char *real = sqlite3_db_filename(o->db, "main");
    int n = snprintf(shm, sizeof shm, "%s-shm", real != NULL && real[0] != '\0' ? real : path);
    struct stat st;
    if (n < 0 || (size_t)n >= sizeof shm)
        return error_set(err, E_USAGE, "%s: the path is too long", path);
    if (stat(shm, &st) == 0)
        return 0;
    if (me == 0 || me == o->before.st_uid)
        return no_room_for_shm(path, shm, err);
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
        rc = sqlite_number(o->db, "PRAGMA freelist_count", &o->freelist);
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

/* Something that is no database, or none without its key. */
static bool is_foreign(const struct origin *o)
{
    const uint8_t *header = tap_header(o->tap);
    return header == NULL || memcmp(header, SQLITE_MAGIC, sizeof SQLITE_MAGIC) != 0;
}

static int open_and_begin(struct origin *o, const struct settings *s, const char *path, struct error *err)
{
    int sq = sqlite3_open_v2(path, &o->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_PRIVATECACHE, tap_vfs(o->tap));
    if (sq == SQLITE_OK)
        sq = sqlite3_busy_timeout(o->db, (int)s->busy_ms);
    if (sq != SQLITE_OK)
        return sqlite_error(err, o->db, sq, path);
    sqlite_distrust(o->db);
    int rc = check_shm(o, path, err);
    if (rc == 0)
        rc = begin(o, path, err);
    struct stat now;
    if (rc == 0 && stat(path, &now) == 0)
        o->bytes = (uint64_t)now.st_size;
    return rc == 0 ? origin_same_file(o, path, err) : rc;
}

int origin_open(struct origin *o, const struct settings *s, const struct listed *file, struct error *err)
{
    *o = (struct origin){ .db = NULL };
    int rc = look_at_file(o, file, err);
    if (rc < 0)
        goto out;
    o->tap = tap_new(err);
    if (o->tap == NULL) {
        rc = E_NOMEM;
        goto out;
    }
    struct error why = ERROR_INIT;
    rc = open_and_begin(o, s, file->path, &why);
    if (rc == E_CORRUPT)
        o->other = is_foreign(o);
    if (rc < 0)
        (void)error_copy(err, &why);
out:
    if (rc < 0) {
        bool other = o->other;
        origin_close(o);
        o->other = other;
    }
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
    /* Under the transaction SQLite itself never shortens the file, and reads what is missing as zeros. */
    if ((uint64_t)now.st_size < o->bytes)
        return error_set(err, E_RETRY,
                         "%s was cut while it was read, by something that does not keep to SQLite's locks",
                         path);
    return 0;
}

int origin_end(struct origin *o, const char *path, struct error *err)
{
    /* Nothing was written, and a COMMIT would complain about the damage that the check met. */
    int rc = sqlite3_exec(o->db, "ROLLBACK", NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_error(err, o->db, rc, path);
}

void origin_close(struct origin *o)
{
    (void)sqlite3_close(o->db);
    tap_free(o->tap);
    free(o->page1);
    *o = (struct origin){ .db = NULL };
}
