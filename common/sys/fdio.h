/*
 * fdio.h - reads and writes on file descriptors that finish what they began.
 *
 * A call interrupted by a signal goes on (EINTR), a short read or write is
 * continued. `name` is what an error calls the file; it may be a path, "stdin"
 * or the like, and is only borrowed.
 *
 *     int fd = fd_open_read(path, err);
 *     if (fd < 0)
 *         return fd;
 *     rc = fd_read_full(fd, header, sizeof header, path, err);
 *     fd_drop(&fd);
 *
 * Errors: those of errno (error_sys), and E_CORRUPT "short-file" where exactly
 * `len` bytes were asked for and the file ends earlier. The descriptors are
 * blocking; there are no deadlines here: child.h stops a child that hangs.
 */
#ifndef COMMON_SYS_FDIO_H
#define COMMON_SYS_FDIO_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

/* Opens for reading, close-on-exec. The descriptor, or a negative code. */
int fd_open_read(const char *path, struct error *err);

/* One read: 1..cap bytes, 0 at the end, or a negative code. */
int64_t fd_read(int fd, void *data, size_t cap, const char *name, struct error *err);
/* Exactly len bytes. */
int fd_read_full(int fd, void *data, size_t len, const char *name, struct error *err);
int fd_pread_full(int fd, void *data, size_t len, uint64_t offset, const char *name, struct error *err);
/* Appends everything up to the end to out; more than `limit` bytes is E_CORRUPT ("too-large"). What out held
 * before stays; after an error out->len is as before. */
int fd_read_all(int fd, size_t limit, struct buf *out, const char *name, struct error *err);

int fd_write_full(int fd, const void *data, size_t len, const char *name, struct error *err);
int fd_pwrite_full(int fd, const void *data, size_t len, uint64_t offset, const char *name,
                   struct error *err);
int fd_sync(int fd, const char *name, struct error *err);

/* Closes *fd, reports what close reports, and sets *fd to -1 in any case. For files that were written. */
int fd_close(int *fd, const char *name, struct error *err);
/* Closes *fd when it is open, and sets it to -1; errno stays. For clean-up. */
void fd_drop(int *fd);

#endif
