#include "common/sys/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/banned.h"

enum { READ_STEP = 64 * 1024 };

int fd_open_read(const char *path, struct error *err)
{
    int fd;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    return fd >= 0 ? fd : error_sys(err, "open %s", path);
}

int64_t fd_read(int fd, void *data, size_t cap, const char *name, struct error *err)
{
    ssize_t n;
    do
        n = read(fd, data, cap);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? n : error_sys(err, "read %s", name);
}

static int short_file(const char *name, size_t got, size_t len, struct error *err)
{
    return error_corrupt(err, "short-file", "%s ends after %zu of %zu bytes", name, got, len);
}

int fd_read_full(int fd, void *data, size_t len, const char *name, struct error *err)
{
    uint8_t *to = data;
    size_t got = 0;
    while (got < len) {
        int64_t n = fd_read(fd, to + got, len - got, name, err);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return short_file(name, got, len, err);
        got += (size_t)n;
    }
    return 0;
}

int fd_pread_full(int fd, void *data, size_t len, uint64_t offset, const char *name, struct error *err)
{
    uint8_t *to = data;
    size_t got = 0;
    if (offset > INT64_MAX - len)
        return error_set(err, E_USAGE, "read %s at %llu", name, (unsigned long long)offset);
    while (got < len) {
        ssize_t n = pread(fd, to + got, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(err, "read %s", name);
        if (n == 0)
            return short_file(name, got, len, err);
        got += (size_t)n;
    }
    return 0;
}

int fd_read_all(int fd, size_t limit, struct buf *out, const char *name, struct error *err)
{
    size_t before = out->len;
    for (;;) {
        /* One byte more than is allowed tells "exactly at the limit" from "larger". */
        size_t left = limit - (out->len - before);
        size_t want = left < READ_STEP ? left + 1 : READ_STEP;
        int64_t n = buf_reserve(out, want, err);
        if (n == 0)
            n = fd_read(fd, out->data + out->len, want, name, err);
        if (n == 0)
            return 0;
        if (n > 0 && (size_t)n > left)
            n = error_corrupt(err, "too-large", "%s is larger than %zu bytes", name, limit);
        if (n < 0) {
            out->len = before;
            return (int)n;
        }
        out->len += (size_t)n;
    }
}

int fd_write_full(int fd, const void *data, size_t len, const char *name, struct error *err)
{
    const uint8_t *from = data;
    while (len > 0) {
        ssize_t n = write(fd, from, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(err, "write %s", name);
        from += n;
        len -= (size_t)n;
    }
    return 0;
}

int fd_pwrite_full(int fd, const void *data, size_t len, uint64_t offset, const char *name, struct error *err)
{
    const uint8_t *from = data;
    if (offset > INT64_MAX - len)
        return error_set(err, E_USAGE, "write %s at %llu", name, (unsigned long long)offset);
    while (len > 0) {
        ssize_t n = pwrite(fd, from, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(err, "write %s", name);
        from += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

int fd_sync(int fd, const char *name, struct error *err)
{
    int rc;
    do
        rc = fsync(fd);
    while (rc < 0 && errno == EINTR);
    return rc == 0 ? 0 : error_sys(err, "flush %s to disk", name);
}

int fd_close(int *fd, const char *name, struct error *err)
{
    int old = *fd;
    *fd = -1;
    /* On Linux the descriptor is gone also when close was interrupted: never again. */
    if (close(old) < 0 && errno != EINTR)
        return error_sys(err, "close %s", name);
    return 0;
}

void fd_drop(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    errno = saved;
}
