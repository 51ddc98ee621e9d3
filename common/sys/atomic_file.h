/*
 * atomic_file.h - small files that are there whole or not at all.
 *
 * file_write_atomic() writes a temporary file in the same directory, flushes
 * it, gives it its name and flushes the directory. A crash leaves the old file
 * or the new one, and perhaps a file ".NAME.XXXXXX.tmp" which nobody reads. An
 * error while the directory is flushed is reported although the new file is in
 * place: it may not survive a power cut.
 *
 * Errors: those of errno; E_EXISTS (FILE_EXCLUSIVE); E_CORRUPT "too-large".
 */
#ifndef COMMON_SYS_ATOMIC_FILE_H
#define COMMON_SYS_ATOMIC_FILE_H

#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

enum file_write_how {
    FILE_REPLACE,   /* an existing file is replaced */
    FILE_EXCLUSIVE, /* an existing file stays, E_EXISTS */
};

/* mode is the new file's, whatever the umask says. */
int file_write_atomic(const char *path, const void *data, size_t len, unsigned mode, enum file_write_how how,
                      struct error *err);

/* Only the last step: gives what is whole under the name `temp` its own, and flushes the directory. Also for a directory
 * (FILE_EXCLUSIVE). After an error but E_EXISTS it may be under either name. */
int file_publish(const char *temp, const char *path, enum file_write_how how, struct error *err);

/* Appends the whole regular file to out; E_CORRUPT when it is larger than `limit` bytes. */
int file_read_small(const char *path, size_t limit, struct buf *out, struct error *err);

#endif
