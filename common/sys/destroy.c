#include "common/sys/destroy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sys/dirs.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { BLOCK = 256 };

/* Opened for reading first: key files have no write permission, and its owner may give it. */
static int open_for_writing(const char *path, struct stat *st, struct error *err)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ELOOP)
        return error_set(err, E_DENIED, "%s is a symbolic link: name the file itself", path);
    if (fd < 0)
        return error_sys(err, "open %s", path);
    int rc = fstat(fd, st) < 0 ? error_sys(err, "look at %s", path) : 0;
    if (rc == 0 && !S_ISREG(st->st_mode))
        rc = error_set(err, E_DENIED, "%s is not a regular file", path);
    if (rc == 0 && fchmod(fd, 0600) < 0)
        rc = error_sys(err, "make %s writable", path);
    (void)close(fd);
    if (rc < 0)
        return rc;
    fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : error_sys(err, "open %s for writing", path);
}

static int overwrite(int fd, const char *path, off_t size, struct error *err)
{
    uint8_t noise[BLOCK];
    int rc = 0;
    for (off_t at = 0; rc == 0 && at < size; at += BLOCK) {
        size_t n = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        if (getrandom(noise, n, 0) != (ssize_t)n)
            memset(noise, 0, n);
        rc = fd_pwrite_full(fd, noise, n, (uint64_t)at, path, err);
    }
    if (rc == 0 && fsync(fd) < 0)
        rc = error_sys(err, "flush %s", path);
    return rc;
}

int file_destroy(const char *path, struct error *err)
{
    struct stat st;
    int fd = open_for_writing(path, &st, err);
    if (fd < 0)
        return fd;
    int rc = overwrite(fd, path, st.st_size, err);
    fd_drop(&fd);
    if (rc == 0 && unlink(path) < 0)
        rc = error_sys(err, "remove %s", path);
    char *dir = rc == 0 ? path_dir(path, err) : NULL;
    if (rc == 0)
        rc = dir != NULL ? dir_sync(dir, err) : E_NOMEM;
    free(dir);
    if (rc == 0 && st.st_nlink > 1)
        rc = error_set(err, E_CONFLICT,
                       "%s had %lu more names (hard links): its content is gone, they are not", path,
                       (unsigned long)st.st_nlink - 1);
    return rc;
}
