/* A history whose file was removed or replaced while it is open. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/state/history.h"
#include "common/state/history_internal.h"

#include "common/base/banned.h"

static bool is_missing(const char *path, const char *end)
{
    char name[4096];
    struct stat st;
    int n = snprintf(name, sizeof name, "%s%s", path, end);
    return n > 0 && (size_t)n < sizeof name && stat(name, &st) < 0 && errno == ENOENT;
}

/* A file system without shared memory has neither of the two files, and nothing was removed from there. */
static bool has_wal(struct history *h)
{
    sqlite3_stmt *s = history_prepare(h, "PRAGMA journal_mode", NULL);
    const char *mode =
        s != NULL && sqlite3_step(s) == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    bool yes = mode != NULL && strcmp(mode, "wal") == 0;
    (void)sqlite3_finalize(s);
    return yes;
}

bool history_is_moved(struct history *h)
{
    int moved = 0;
    const char *path = sqlite3_db_filename(h->db, "main");
    if (path == NULL || path[0] == '\0' ||
        sqlite3_file_control(h->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK)
        return false;
    /* Both are there as long as one has it open that has read it. */
    return moved != 0 || ((is_missing(path, "-wal") || is_missing(path, "-shm")) && has_wal(h));
}

/* ---- a new file ------------------------------------------------------------------------------------------------------- */

static int remove_old(const char *path, const char *end, struct error *err)
{
    char *name = str_printf(err, "%s%s", path, end);
    int rc = name != NULL ? 0 : E_NOMEM;
    if (rc == 0 && unlink(name) < 0 && errno != ENOENT)
        rc = error_sys(err, "remove %s", name);
    free(name);
    return rc;
}

/* Private from the beginning; VACUUM INTO takes an empty file. */
static int make_empty(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_sys(err, "%s", path);
    (void)close(fd);
    return 0;
}

static int sync_name(const char *path, int flags, struct error *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : error_sys(err, "sync %s", path);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static int write_copy(struct history *h, const char *path, struct error *err)
{
    sqlite3_stmt *s = history_prepare(h, "VACUUM INTO ?", err);
    if (s == NULL)
        return err != NULL ? err->code : E_IO;
    (void)sqlite3_bind_text(s, 1, path, -1, SQLITE_TRANSIENT);
    int rc = history_step_done(h, s, "writing it anew", err);
    return rc == 0 ? sync_name(path, O_RDONLY | O_NOFOLLOW, err) : rc;
}

/* Another file of this name is somebody's: it stays, under another name. */
static int put_aside(struct history *h, const char *path, struct error *err)
{
    int moved = 0;
    struct stat st;
    if (sqlite3_file_control(h->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || moved == 0 ||
        lstat(path, &st) < 0)
        return 0;
    char *to = str_printf(err, "%s.found-%llu", path, (unsigned long long)clock_wall());
    int rc = to != NULL ? 0 : E_NOMEM;
    if (rc == 0 && rename(path, to) < 0)
        rc = error_sys(err, "put %s aside", path);
    if (rc == 0)
        log_event(LOG_WARN, "%s was another file than the one that is open, it is now %s", path, to);
    free(to);
    return rc;
}

static int sync_dir(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash != NULL && slash > path ? str_dup_len(path, (size_t)(slash - path), err)
                                              : str_dup(slash != NULL ? "/" : ".", err);
    int rc = dir != NULL ? sync_name(dir, O_RDONLY | O_DIRECTORY, err) : E_NOMEM;
    free(dir);
    return rc;
}

int history_save(struct history *h, const char *path, struct error *err)
{
    char *fresh = str_printf(err, "%s.new", path);
    int rc = fresh != NULL ? remove_old(fresh, "", err) : E_NOMEM;
    rc = rc == 0 ? remove_old(fresh, "-journal", err) : rc;
    rc = rc == 0 ? make_empty(fresh, err) : rc;
    rc = rc == 0 ? write_copy(h, fresh, err) : rc;
    rc = rc == 0 ? put_aside(h, path, err) : rc;
    /* They belong to the one that is open; beside the new one SQLite would take them for its own. */
    rc = rc == 0 ? remove_old(path, "-wal", err) : rc;
    rc = rc == 0 ? remove_old(path, "-shm", err) : rc;
    if (rc == 0 && rename(fresh, path) < 0)
        rc = error_sys(err, "rename %s", fresh);
    if (rc == 0)
        rc = sync_dir(path, err);
    if (rc < 0 && fresh != NULL)
        (void)unlink(fresh);
    free(fresh);
    return rc;
}
