/* A copy beside, read by SQLite: the file has no name that SQLite could open, and mapping it would fill the memory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

struct view_file {
    sqlite3_file base; /* first: SQLite sees only this */
    struct spool *spool;
};

static struct spool *spool_of(sqlite3_file *f)
{
    return ((struct view_file *)f)->spool;
}

static int view_read(sqlite3_file *f, void *data, int len, sqlite3_int64 off)
{
    const struct spool *s = spool_of(f);
    size_t done = 0;
    while (done < (size_t)len) {
        ssize_t n = pread(s->fd, (char *)data + done, (size_t)len - done, (off_t)off + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return SQLITE_IOERR_READ;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    memset((char *)data + done, 0, (size_t)len - done);
    return done == (size_t)len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int view_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 off)
{
    (void)f;
    (void)data;
    (void)len;
    (void)off;
    return SQLITE_READONLY;
}

static int view_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    (void)f;
    (void)size;
    return SQLITE_READONLY;
}

static int view_close(sqlite3_file *f)
{
    (void)f;
    return SQLITE_OK;
}

static int view_nothing(sqlite3_file *f, int arg)
{
    (void)f;
    (void)arg;
    return SQLITE_OK;
}

static int view_size(sqlite3_file *f, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)spool_of(f)->len;
    return SQLITE_OK;
}

static int view_reserved(sqlite3_file *f, int *out)
{
    (void)f;
    *out = 0;
    return SQLITE_OK;
}

static int view_control(sqlite3_file *f, int op, void *arg)
{
    (void)f;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int view_sector(sqlite3_file *f)
{
    (void)f;
    return PAGE_SIZE_MIN;
}

static int view_device(sqlite3_file *f)
{
    (void)f;
    return SQLITE_IOCAP_IMMUTABLE;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = view_close,
    .xRead = view_read,
    .xWrite = view_write,
    .xTruncate = view_truncate,
    .xSync = view_nothing,
    .xFileSize = view_size,
    .xLock = view_nothing,
    .xUnlock = view_nothing,
    .xCheckReservedLock = view_reserved,
    .xFileControl = view_control,
    .xSectorSize = view_sector,
    .xDeviceCharacteristics = view_device,
};

static int view_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct view_file *f = (struct view_file *)file;
    (void)name;
    f->base.pMethods = NULL;
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0)
        return SQLITE_CANTOPEN;
    f->spool = vfs->pAppData;
    f->base.pMethods = &methods;
    if (out_flags != NULL)
        *out_flags = flags;
    return SQLITE_OK;
}

static int view_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    (void)name;
    (void)flags;
    *out = 0;
    return SQLITE_OK;
}

static int view_full_path(sqlite3_vfs *vfs, const char *name, int cap, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)cap, "%s", name) < cap ? SQLITE_OK : SQLITE_CANTOPEN;
}

int sqlite_spool_db(struct spool *s, sqlite3 **db, const char *path, struct error *err)
{
    *db = NULL;
    (void)snprintf(s->vfs_name, sizeof s->vfs_name, "backup-spool-%p", (void *)s);
    vfs_forward(&s->vfs, s->vfs_name, (int)sizeof(struct view_file), s);
    s->vfs.xOpen = view_open;
    s->vfs.xAccess = view_access;
    s->vfs.xFullPathname = view_full_path;
    int sq = sqlite3_vfs_register(&s->vfs, 0);
    s->registered = sq == SQLITE_OK;
    if (sq == SQLITE_OK)
        sq = sqlite3_open_v2("copy", db, SQLITE_OPEN_READONLY | SQLITE_OPEN_PRIVATECACHE, s->vfs_name);
    if (sq == SQLITE_OK) /* what it sorts has no file here */
        sq = sqlite3_exec(*db, "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
    if (sq == SQLITE_OK)
        sqlite_distrust(*db);
    int rc = sq == SQLITE_OK ? 0 : sqlite_error(err, *db, sq, path);
    if (rc < 0)
        sqlite_spool_close_db(s, *db);
    return rc;
}

void sqlite_spool_close_db(struct spool *s, sqlite3 *db)
{
    (void)sqlite3_close(db);
    if (s->registered)
        (void)sqlite3_vfs_unregister(&s->vfs);
    s->registered = false;
}
