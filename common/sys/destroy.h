/*
 * destroy.h - a small file is overwritten, flushed and removed.
 *
 * That is all a program can do, and it is not a proof: a solid-state disk, a file system that copies on write, its
 * snapshots, and every backup of the machine may keep the old bytes. Who tells people about it must say so.
 *
 * E_NOT_FOUND; E_DENIED (also for a symbolic link, which is never followed, and for what is no regular file);
 * E_CONFLICT when the file has other names (hard links): it was overwritten and this name removed.
 */
#ifndef COMMON_SYS_DESTROY_H
#define COMMON_SYS_DESTROY_H

#include "common/base/error.h"

int file_destroy(const char *path, struct error *err);

#endif
