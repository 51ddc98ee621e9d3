/*
 * space.h - is there room, and how fast did it go.
 */
#ifndef RESTORE_TARGET_SPACE_H
#define RESTORE_TARGET_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"

struct statvfs;
/* Whether so many more files (inodes) can be made; they run out while there are blocks. A file system that has no such limit, or
 * cannot say, is trusted. */
bool space_has_files(const struct statvfs *fs, uint64_t files);

/* E_NO_SPACE when the file system of `path` (a file or directory; when it does not exist its parent) has fewer
 * than `bytes` and `files` blocks, or `files` inodes, free for this user. A file system that cannot say is trusted. */
int space_check(const char *path, uint64_t bytes, uint64_t files, struct error *err);

enum { RATE_TEXT_MAX = 96 };
/* "1.2 GiB in 3.2 s (380 MiB/s)" */
const char *rate_format(char out[RATE_TEXT_MAX], uint64_t bytes, uint64_t milliseconds);

#endif
