/*
 * filelock.h - one process at a time.
 *
 * An exclusive flock(2) on a file that holds the pid of its holder, or on a directory. The lock
 * goes away with the process, however it ends; the file stays and means
 * nothing by itself. Works between processes of one machine only.
 *
 *     struct filelock *lock = filelock_take("/run/backupd/run.lock", err);
 *     ...
 *     filelock_free(lock);
 */
#ifndef COMMON_SYS_FILELOCK_H
#define COMMON_SYS_FILELOCK_H

#include <stdint.h>

#include "common/base/error.h"

struct filelock;

/* Does not wait: E_BUSY names the holder's pid. The file is made 0600 when missing; its directory must
 * exist. A symbolic link at its place is refused. Not inherited by children. */
struct filelock *filelock_take(const char *path, struct error *err);
/* The same, but waits up to `ms` for the holder to end; E_CANCELLED when a stop is requested meanwhile. */
struct filelock *filelock_wait(const char *path, unsigned ms, struct error *err);
/* A directory itself instead of a file: nothing is made or written, so the holder has no name. Waits as above;
 * E_UNSUPPORTED where the file system has no such locks. */
struct filelock *filelock_dir(const char *path, unsigned ms, struct error *err);
/* A lock goes along with exec: the descriptor of one that is held, no longer close-on-exec; then, in the program that took
 * over, the lock again. E_USAGE: it is no lock on that file. */
int filelock_pass(const struct filelock *lock, struct error *err);
struct filelock *filelock_adopt(int fd, const char *path, struct error *err);
void filelock_free(struct filelock *lock); /* releases; NULL is fine */

/* Whether a process holds it now, without touching it: 1, and *since (may be NULL) is when it took it; 0 when nobody does, or
 * there is no file; an error when the system does not tell (/proc/locks). Processes of other pid namespaces are not seen. */
int filelock_held(const char *path, int64_t *since, struct error *err);

#endif
