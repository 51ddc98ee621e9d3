#include "common/engine/sqlite/vfs.h"

#include <stddef.h>

#include "common/base/banned.h"

static sqlite3_vfs *below(void)
{
    return sqlite3_vfs_find(NULL);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    (void)vfs;
    return below()->xDelete(below(), name, sync_dir);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return below()->xAccess(below(), name, flags, out);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int cap, char *out)
{
    (void)vfs;
    return below()->xFullPathname(below(), name, cap, out);
}

static int vfs_random(sqlite3_vfs *vfs, int len, char *out)
{
    (void)vfs;
    return below()->xRandomness(below(), len, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return below()->xSleep(below(), microseconds);
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    return below()->xCurrentTime(below(), out);
}

static int vfs_time64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    (void)vfs;
    return below()->xCurrentTimeInt64(below(), out);
}

static int vfs_last_error(sqlite3_vfs *vfs, int cap, char *out)
{
    (void)vfs;
    return below()->xGetLastError(below(), cap, out);
}

void vfs_forward(sqlite3_vfs *vfs, const char *name, int file_size, void *app)
{
    *vfs = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = file_size,
        .mxPathname = below()->mxPathname,
        .zName = name,
        .pAppData = app,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time64,
    };
}
