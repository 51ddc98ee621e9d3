/* A database that nobody else uses, as far as that can be known. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/swap.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

/* Where SQLite's locks are (its file format says so): pending, reserved and shared. */
enum { BUSY_MS = 1000, LOCK_START = 0x40000000, LOCK_BYTES = 512, NAME_BYTES = 64, PATH_BYTES = 64 };

static int in_use(const char *path, struct error *err)
{
    return error_named(
        err, E_BUSY, ENGINE_IN_USE,
        "%s is in use: an application has it open; stop it first (fuser FILE names it). Nothing was "
        "changed",
        path);
}

/* ---- through SQLite -------------------------------------------------------------------------------------- */

/* Exclusive from the first read on: with a write-ahead log that fails when anybody has the database open, and needs
 * no -shm. Closing must not touch -wal by its name, which is another database's by then. */
static int lock(sqlite3 *db)
{
    char mode[32];
    int64_t n = 0;
    int one = 1;
    int sq = sqlite3_busy_timeout(db, BUSY_MS);
    if (sq == SQLITE_OK)
        sq = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sq == SQLITE_OK)
        sq = sqlite_text(db, "PRAGMA locking_mode=EXCLUSIVE", mode, sizeof mode);
    if (sq == SQLITE_OK)
        sq = sqlite_number(db, "SELECT count(*) FROM sqlite_master", &n);
    if (sq == SQLITE_OK)
        sq = sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &one);
    if (sq == SQLITE_OK)
        sq = sqlite_text(db, "PRAGMA journal_mode", mode, sizeof mode);
    if (sq == SQLITE_OK && strcmp(mode, "wal") == 0) {
        sq = sqlite_number(db, "PRAGMA wal_checkpoint(TRUNCATE)", &n);
        sq = sq == SQLITE_OK && n != 0 ? SQLITE_BUSY : sq;
    }
    return sq == SQLITE_OK ? sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) : sq;
}

/* The same locks without reading what is damaged. */
static int lock_damaged(const char *path, struct sqlite_hold *h, struct error *err)
{
    struct flock all = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_START, .l_len = LOCK_BYTES
    };
    h->fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (h->fd < 0)
        return error_sys(err, "%s", path);
    if (fcntl(h->fd, F_OFD_SETLK, &all) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? in_use(path, err) : error_sys(err, "lock %s", path);
}

int sqlite_hold(const char *path, struct sqlite_hold *h, struct error *err)
{
    struct stat now;
    int rc = 0;
    if (lstat(path, &h->file) < 0)
        return error_sys(err, "%s", path);
    if (!S_ISREG(h->file.st_mode))
        return error_set(err, E_USAGE, "%s is no regular file", path);
    int sq = sqlite3_open_v2(path, &h->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW, NULL);
    sq = sq == SQLITE_OK ? lock(h->db) : sq;
    if ((sq & 0xff) == SQLITE_NOTADB || (sq & 0xff) == SQLITE_CORRUPT) {
        (void)sqlite3_close(h->db);
        h->db = NULL;
        rc = lock_damaged(path, h, err);
    } else if ((sq & 0xff) == SQLITE_BUSY || (sq & 0xff) == SQLITE_LOCKED) {
        rc = in_use(path, err);
    } else if (sq != SQLITE_OK) {
        rc = sqlite_error(err, h->db, sq, path);
    }
    if (rc == 0 && (lstat(path, &now) < 0 || now.st_ino != h->file.st_ino || now.st_dev != h->file.st_dev))
        rc =
            error_set(err, E_CONFLICT, "%s was replaced by another file just now; nothing was changed", path);
    if (rc == 0)
        h->file = now;
    else
        sqlite_release(h);
    return rc;
}

void sqlite_release(struct sqlite_hold *h)
{
    if (h->db != NULL)
        (void)sqlite3_close(h->db);
    h->db = NULL;
    fd_drop(&h->fd);
}

/* ---- who has it open ------------------------------------------------------------------------------------- */

struct who {
    struct stat files[2]; /* the database, its log */
    size_t nfiles;
    size_t found;
    size_t unseen;
    engine_plan_fn *fn;
    void *arg;
};

static bool is_one(const struct who *w, const struct stat *st)
{
    for (size_t i = 0; i < w->nfiles; i++)
        if (w->files[i].st_ino == st->st_ino && w->files[i].st_dev == st->st_dev)
            return true;
    return false;
}

static void tell_process(const struct who *w, const char *pid)
{
    char path[PATH_BYTES];
    char name[NAME_BYTES] = "?";
    char shown[4 * NAME_BYTES];
    char text[5 * NAME_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%s/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, name, sizeof name - 1) : -1;
    if (n > 0)
        name[n - 1] = '\0';
    fd_drop(&fd);
    (void)snprintf(text, sizeof text, "process %s (%s) has it open", pid,
                   str_printable(shown, sizeof shown, name));
    w->fn(PLAN_CONNECTION, text, "stop it first", w->arg);
}

static void look_at(struct who *w, const char *pid)
{
    char path[PATH_BYTES];
    const struct dirent *e;
    (void)snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        w->unseen += errno == EACCES;
        return;
    }
    while ((e = readdir(dir)) != NULL) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st, 0) < 0 || !is_one(w, &st))
            continue;
        w->found++;
        tell_process(w, pid);
        break;
    }
    (void)closedir(dir);
}

int sqlite_who(const char *path, engine_plan_fn *fn, void *arg, size_t *found, size_t *unseen,
               struct error *err)
{
    struct who w = { .fn = fn, .arg = arg };
    char self[24];
    const struct dirent *e;
    char *wal = sqlite_side(path, "-wal", err);
    if (wal == NULL)
        return E_NOMEM;
    w.nfiles += stat(path, &w.files[w.nfiles]) == 0;
    w.nfiles += stat(wal, &w.files[w.nfiles]) == 0;
    free(wal);
    (void)snprintf(self, sizeof self, "%ld", (long)getpid());
    DIR *dir = opendir("/proc");
    if (dir == NULL)
        return error_sys(err, "directory /proc");
    while ((e = readdir(dir)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]) && strlen(e->d_name) < 20 && strcmp(e->d_name, self) != 0)
            look_at(&w, e->d_name);
    (void)closedir(dir);
    *found += w.found;
    *unseen = w.unseen > *unseen ? w.unseen : *unseen;
    return 0;
}
