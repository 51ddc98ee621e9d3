#include "common/backend/local_path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/number.h"

#include "common/base/banned.h"

int local_root(const struct backend *b)
{
    return ((const struct local *)(const void *)b)->root;
}

void local_close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

int local_open_step(int dir, const char *name, int flags)
{
    int fd;
    do {
        fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* errno of a path that was not walked because of a link says nothing useful by itself. */
int local_walk_error(const struct backend *b, const char *what, const char *name, struct error *err)
{
    if (errno == ELOOP || errno == ENOTDIR)
        return error_set(
            err, errno == ELOOP ? E_DENIED : E_NOT_FOUND,
            "%s %s in %s: a part of the path is not a directory or is a symbolic link, and those are never "
            "followed here",
            what, name, b->where);
    return error_sys(err, "%s %s in %s", what, name, b->where);
}

int local_open_parent(const struct backend *b, const char *name, const char **last)
{
    int dir = local_open_step(local_root(b), ".", O_PATH | O_DIRECTORY);
    const char *p = name;
    const char *slash;
    while (dir >= 0 && (slash = strchr(p, '/')) != NULL) {
        char part[BACKEND_NAME_MAX + 1];
        size_t len = (size_t)(slash - p);
        memcpy(part, p, len);
        part[len] = '\0';
        int next = local_open_step(dir, part, O_PATH | O_DIRECTORY);
        int keep = errno;
        local_close_fd(dir);
        errno = keep;
        dir = next;
        p = slash + 1;
    }
    *last = p;
    return dir;
}

int local_sync_dir(int dir)
{
    int fd = local_open_step(dir, ".", O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return errno == EACCES ? 0
                               : -1; /* a directory one may write but not read: the file's fsync must do */
    int rc;
    do {
        rc = fsync(fd);
    } while (rc < 0 && errno == EINTR);
    int keep = errno;
    local_close_fd(fd);
    errno = keep;
    return rc < 0 && (errno == EINVAL || errno == ENOTSUP) ? 0 : rc;
}

int local_space_of(int dir, struct backend_space *space)
{
    struct statvfs st;
    int rc;
    do {
        rc = fstatvfs(dir, &st);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return -1;
    uint64_t unit = st.f_frsize != 0 ? st.f_frsize : st.f_bsize;
    space->total = unit * st.f_blocks;
    space->available = unit * st.f_bavail;
    return 0;
}

int local_no_space(const struct backend *b, const char *name, struct error *err)
{
    struct backend_space space = { .total = 0, .available = 0 };
    char text[NUMBER_TEXT_MAX];
    const char *left =
        local_space_of(local_root(b), &space) == 0 ? size_format(text, space.available) : "an unknown amount";
    return error_set(err, E_NO_SPACE, "write %s: no space left in %s (%s free; a quota may allow less)", name,
                     b->where, left);
}

int local_write_error(const struct backend *b, const char *what, const char *name, struct error *err)
{
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)
        return local_no_space(b, name, err);
    return error_sys(err, "%s %s in %s", what, name, b->where);
}
