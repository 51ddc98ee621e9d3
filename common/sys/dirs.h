/*
 * dirs.h - directories and paths.
 *
 * Functions that return char * return memory for free(), or NULL with err set.
 */
#ifndef COMMON_SYS_DIRS_H
#define COMMON_SYS_DIRS_H

#include "common/base/error.h"

/* Makes the directory and its missing parents, all 0700. One that exists must be a directory of this user
 * that nobody else can write to (E_DENIED otherwise): files that steer a backup lie in it. */
int dir_make_private(const char *path, struct error *err);

/* Opens a directory for openat() and the like, walking component by component: no symbolic link is
 * followed anywhere on the way (E_DENIED), ".." is refused (E_USAGE). The descriptor (close-on-exec) or a
 * negative code. */
int dir_open(const char *path, struct error *err);
/* One component below an open directory, by the same rules. */
int dir_open_at(int dir, const char *name, struct error *err);

/* Flushes the directory's entries to disk. */
int dir_sync(const char *path, struct error *err);

/* "a/b"; "b" when a is empty; b must be relative. */
char *path_join(const char *a, const char *b, struct error *err);
/* What comes before the last component: "a" of "a/b", "/" of "/b", "." of "b". */
char *path_dir(const char *path, struct error *err);
/* The last component, borrowed from path; "" when path ends with '/'. */
const char *path_base(const char *path);

#endif
