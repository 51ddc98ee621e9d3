#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { COPY_BLOCK = 1 << 18 };

struct place {
    char *path;
    char *dir;
    const char *base; /* inside path */
    char *tmp;
};

static void place_free(struct place *p)
{
    free(p->path);
    free(p->dir);
    free(p->tmp);
}

static int place_of(const char *path, struct place *out, struct error *err)
{
    *out = (struct place){ .path = NULL };
    if (path == NULL || path[0] == '\0' || str_ends(path, "/") || str_ends(path, "/.") ||
        str_ends(path, "/..") || strcmp(path, ".") == 0 || strcmp(path, "..") == 0) {
        (void)error_set(err, E_USAGE, "\"%s\" cannot be the restored database: give the name of a new file",
                        path == NULL ? "" : path);
        return E_USAGE;
    }
    /* "./" keeps SQLite from reading a name like ":memory:" as something else. */
    out->path = str_printf(err, "%s%s", path[0] == '/' ? "" : "./", path);
    if (out->path == NULL)
        return E_NOMEM;
    const char *slash = strrchr(out->path, '/');
    out->base = slash + 1;
    out->dir =
        slash == out->path ? str_dup("/", err) : str_dup_len(out->path, (size_t)(slash - out->path), err);
    if (out->dir != NULL)
        out->tmp = str_printf(err, "%s/.%s.restoring-%ld", out->dir, out->base, (long)getpid());
    return out->tmp == NULL ? E_NOMEM : 0;
}

/* Same directory, whatever way its path was written, and same name. */
static bool same_place(const struct place *a, const struct place *b)
{
    struct stat sa;
    struct stat sb;
    return strcmp(a->base, b->base) == 0 && stat(a->dir, &sa) == 0 && stat(b->dir, &sb) == 0 &&
           sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static int refuse_source(const struct place *p, const struct engine_job *job, struct error *err)
{
    const char *path = job == NULL ? NULL : engine_option(job, "path");
    if (path == NULL || path[0] == '\0')
        return 0;
    struct place source;
    struct stat sa;
    struct stat sb;
    int rc = place_of(path, &source, err);
    bool same =
        rc == 0 && (same_place(p, &source) || (stat(p->path, &sa) == 0 && stat(source.path, &sb) == 0 &&
                                               sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino));
    place_free(&source);
    if (rc < 0)
        return rc;
    if (same)
        return error_set(
            err, E_EXISTS,
            "%s is the live database that is backed up: restore to another file, stop the application, "
            "move the old file with its -wal and -shm away and the restored one into its place",
            p->path);
    return 0;
}

static int refuse_existing(const struct place *p, struct error *err)
{
    struct stat st;
    if (lstat(p->path, &st) == 0)
        return error_set(err, E_EXISTS,
                         "%s exists and is not overwritten: restore to another path, or move it away",
                         p->path);
    if (errno != ENOENT)
        return error_sys(err, "%s", p->path);
    if (stat(p->dir, &st) < 0)
        return error_sys(err, "directory %s", p->dir);
    return 0;
}

struct only {
    char *name;
    uint64_t len;
};

static int take_stream(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    struct only *o = arg;
    (void)facts;
    if (o->name != NULL)
        return error_set(err, E_UNSUPPORTED,
                         "the snapshot holds more than one stream (%s, %s): it is not of the engine sqlite",
                         o->name, name);
    o->name = str_dup(name, err);
    o->len = len;
    return o->name == NULL ? E_NOMEM : 0;
}

static int write_all(struct source *src, int fd, const struct only *o, const struct place *p,
                     const struct engine_target *target, struct error *err)
{
    uint64_t done = 0;
    int64_t n = 0;
    uint8_t *block = mem_alloc(1, COPY_BLOCK, err);
    int rc = block == NULL ? E_NOMEM : 0;
    while (rc == 0 && (n = source_read(src, block, COPY_BLOCK, err)) > 0) {
        rc = fd_write_full(fd, block, (size_t)n, p->tmp, err);
        done += (uint64_t)n;
        if (rc == 0 && target->progress != NULL)
            target->progress(done, target->progress_arg);
    }
    if (rc == 0 && n < 0)
        rc = (int)n;
    if (rc == 0 && done != o->len)
        rc = error_set(err, E_CORRUPT, "stream %s has %llu bytes, the snapshot says %llu", o->name,
                       (unsigned long long)done, (unsigned long long)o->len);
    free(block);
    return rc;
}

/* "file:" URI with everything escaped that could mean something. */
static char *immutable_uri(const char *path, struct error *err)
{
    static const char options[] = "?immutable=1&mode=ro";
    size_t len = strlen(path);
    char *uri = mem_alloc(len * 3 + 5 + sizeof options, 1, err);
    if (uri == NULL)
        return NULL;
    memcpy(uri, "file:", 5);
    for (size_t i = 0; i < len; i++)
        (void)snprintf(uri + 5 + 3 * i, 4, "%%%02X", (unsigned)(unsigned char)path[i]);
    memcpy(uri + 5 + 3 * len, options, sizeof options);
    return uri;
}

/* Immutable: SQLite makes no -wal and -shm for a file nobody else knows yet. */
static int quick_check(const char *file, const char *shown, struct error *err)
{
    char text[512];
    sqlite3 *db = NULL;
    char *uri = immutable_uri(file, err);
    if (uri == NULL)
        return E_NOMEM;
    int sq = sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    if (sq == SQLITE_OK)
        sq = sqlite_text(db, "PRAGMA quick_check(1)", text, sizeof text);
    int rc = 0;
    if (sq == SQLITE_NOMEM || (sq & 0xff) == SQLITE_IOERR || sq == SQLITE_CANTOPEN)
        rc = sqlite_error(err, db, sq, shown);
    else if (sq != SQLITE_OK || strcmp(text, "ok") != 0)
        rc = error_set(
            err, E_CORRUPT,
            "%s: the restored database fails SQLite's quick_check (%s). Its bytes are those that were "
            "backed up, so it was damaged before; try an older snapshot, or restore the stream as a "
            "plain file to rescue what is readable",
            shown, sq != SQLITE_OK ? sqlite3_errmsg(db) : text);
    (void)sqlite3_close(db);
    free(uri);
    return rc;
}

/* What lies next to the new name would be replayed into it. It may be all that is left of a lost database. */
static int move_aside(const char *path, const char *suffix, struct error *err)
{
    struct stat st;
    char *old = str_printf(err, "%s%s", path, suffix);
    char *new = old == NULL ? NULL : str_printf(err, "%s.stale-%ld", old, (long)getpid());
    int rc = new == NULL ? E_NOMEM : 0;
    if (rc < 0 || lstat(old, &st) < 0)
        goto out;
    bool empty = st.st_size == 0 || strcmp(suffix, "-shm") == 0;
    if (empty ? unlink(old) < 0 : renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_NOREPLACE) < 0) {
        rc = error_sys(err, "move %s away", old);
        goto out;
    }
    if (!empty)
        log_event(LOG_WARN, "%s belonged to another database; it is now %s", old, new);
out:
    free(old);
    free(new);
    return rc;
}

static int give_name(const struct place *p, struct error *err)
{
    int rc = renameat2(AT_FDCWD, p->tmp, AT_FDCWD, p->path, RENAME_NOREPLACE);
    if (rc < 0 && (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP)) { /* e.g. NFS */
        rc = link(p->tmp, p->path);
        if (rc == 0)
            (void)unlink(p->tmp);
    }
    return rc < 0 ? error_sys(err, "name the restored file %s", p->path) : 0;
}

static int publish(const struct place *p, struct error *err)
{
    static const char *const suffixes[] = { "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        int rc = move_aside(p->path, suffixes[i], err);
        if (rc < 0)
            return rc;
    }
    int dir = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_sys(err, "directory %s", p->dir);
    int rc = give_name(p, err);
    if (rc == 0 && (rc = fd_sync(dir, p->dir, err)) < 0)
        (void)unlink(p->path);
    fd_drop(&dir);
    return rc;
}

static int build(const struct engine_streams *streams, const struct only *o, const struct place *p,
                 const struct engine_target *target, struct error *err)
{
    int fd = open(p->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_sys(err, "create %s", p->tmp);
    int rc = E_NOMEM;
    struct source *src = streams->open(streams->arg, o->name, err);
    if (src == NULL) {
        rc = err != NULL && err->code != 0 ? err->code : E_IO;
        goto out;
    }
    rc = write_all(src, fd, o, p, target, err);
    if (rc == 0)
        rc = fd_sync(fd, p->tmp, err);
    if (rc == 0)
        rc = fd_close(&fd, p->tmp, err);
    if (rc == 0)
        rc = quick_check(p->tmp, p->path, err);
    if (rc == 0)
        rc = publish(p, err);
out:
    source_free(src);
    fd_drop(&fd);
    if (rc < 0)
        (void)unlink(p->tmp);
    return rc;
}

int sqlite_look(const struct engine_target *target, struct error *err)
{
    struct place p;
    int rc = place_of(target->to, &p, err);
    if (rc == 0)
        rc = refuse_source(&p, target->source, err);
    if (rc == 0)
        rc = refuse_existing(&p, err);
    place_free(&p);
    return rc;
}

int sqlite_restore(const struct engine_streams *streams, const struct engine_target *target,
                   struct error *err)
{
    struct only only = { .name = NULL };
    struct place p;
    int rc = place_of(target->to, &p, err);
    if (rc == 0)
        rc = refuse_source(&p, target->source, err);
    if (rc == 0)
        rc = refuse_existing(&p, err);
    if (rc == 0)
        rc = streams->each(streams->arg, take_stream, &only, err);
    if (rc == 0 && only.name == NULL)
        rc = error_set(err, E_UNSUPPORTED, "the snapshot holds no stream to restore");
    if (rc == 0)
        rc = build(streams, &only, &p, target, err);
    if (rc == 0 && target->checked != NULL)
        rc = buf_printf(target->checked, err, "quick_check ok");
    free(only.name);
    place_free(&p);
    return rc;
}
