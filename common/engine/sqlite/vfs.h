/*
 * vfs.h - the common part of this engine's two VFS objects.
 *
 * vfs_forward() fills a VFS whose every method calls the system's one; the
 * caller sets xOpen and what else it does itself, then registers it (never as
 * the default). `name` and `app` must outlive the registration.
 */
#ifndef COMMON_ENGINE_SQLITE_VFS_H
#define COMMON_ENGINE_SQLITE_VFS_H

#include <sqlite3.h>

enum { VFS_NAME_MAX = 48 };

void vfs_forward(sqlite3_vfs *vfs, const char *name, int file_size, void *app);

#endif
