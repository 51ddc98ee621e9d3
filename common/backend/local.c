#include "common/backend/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backend/local_path.h"
#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { LOCAL_FILE_MODE = 0440, LOCAL_DIR_MODE_MASK = 07777 };

struct local_upload {
    struct upload base;
    char *name;
    int fd;
    int parent;
    uint64_t written;
};

static void local_release(struct upload *base)
{
    struct local_upload *u = (struct local_upload *)(void *)base;
    local_close_fd(u->fd);
    local_close_fd(u->parent);
    free(u->name);
    free(u);
}

static int create_file(struct local_upload *u, uint64_t expect, struct error *err)
{
    const struct backend *b = u->base.backend;
    const char *last;
    u->parent = local_open_parent(b, u->name, &last);
    if (u->parent < 0)
        return local_walk_error(b, "create", u->name, err);
    struct backend_space space;
    if (expect > 0 && local_space_of(u->parent, &space) == 0 && space.available < expect)
        return local_no_space(b, u->name, err);
    do {
        u->fd =
            openat(u->parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, LOCAL_FILE_MODE);
    } while (u->fd < 0 && errno == EINTR);
    if (u->fd < 0 && errno == EEXIST)
        return error_set(err, E_EXISTS, "%s exists already in %s; nothing is ever overwritten", u->name,
                         b->where);
    return u->fd < 0 ? local_write_error(b, "create", u->name, err) : 0;
}

static struct upload *local_create(struct backend *b, const char *name, uint64_t expect, struct error *err)
{
    struct local_upload *u = mem_alloc(1, sizeof *u, err);
    if (u == NULL)
        return NULL;
    u->base.backend = b;
    u->fd = -1;
    u->parent = -1;
    u->name = str_dup(name, err);
    if (u->name == NULL || create_file(u, expect, err) < 0) {
        local_release(&u->base);
        return NULL;
    }
    return &u->base;
}

static int local_write(struct upload *base, const void *data, size_t len, struct error *err)
{
    struct local_upload *u = (struct local_upload *)(void *)base;
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(u->fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return local_write_error(base->backend, "write", u->name, err);
        p += n;
        len -= (size_t)n;
        u->written += (uint64_t)n;
    }
    return 0;
}

static int local_finish(struct upload *base, struct error *err)
{
    struct local_upload *u = (struct local_upload *)(void *)base;
    const struct backend *b = base->backend;
    int rc;
    do {
        rc = fsync(u->fd);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return local_write_error(b, "fsync", u->name, err);
    struct stat st;
    if (fstat(u->fd, &st) < 0)
        return error_sys(err, "stat %s in %s", u->name, b->where);
    if ((uint64_t)st.st_size != u->written)
        return error_set(err, E_IO,
                         "%s in %s has %lld bytes after writing %llu: is somebody else writing there?",
                         u->name, b->where, (long long)st.st_size, (unsigned long long)u->written);
    rc = close(u->fd);
    u->fd = -1;
    if (rc < 0 && errno != EINTR)
        return local_write_error(b, "close", u->name, err);
    if (local_sync_dir(u->parent) < 0)
        return local_write_error(b, "fsync the directory of", u->name, err);
    return 0;
}

static int open_file(const struct backend *b, const char *name, struct stat *st, struct error *err)
{
    const char *last;
    int dir = local_open_parent(b, name, &last);
    if (dir < 0)
        return local_walk_error(b, "open", name, err);
    /* NONBLOCK: a FIFO put there must not hold us. */
    int fd = local_open_step(dir, last, O_RDONLY | O_NONBLOCK);
    int rc = 0;
    if (fd < 0)
        rc = local_walk_error(b, "open", name, err);
    else if (fstat(fd, st) < 0)
        rc = error_sys(err, "stat %s in %s", name, b->where);
    else if (!S_ISREG(st->st_mode))
        rc = error_set(err, E_IO, "%s in %s is not a regular file", name, b->where);
    local_close_fd(dir);
    if (rc < 0) {
        local_close_fd(fd);
        return rc;
    }
    return fd;
}

static int local_read(struct backend *b, const char *name, uint64_t offset, void *data, size_t len,
                      struct error *err)
{
    struct stat st = { .st_size = 0 };
    int fd = open_file(b, name, &st, err);
    if (fd < 0)
        return fd;
    int rc = 0;
    size_t got = 0;
    while (got < len && rc == 0) {
        ssize_t n = pread(fd, (char *)data + got, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = error_sys(err, "read %s in %s", name, b->where);
        else if (n == 0)
            rc = error_corrupt(err, "short-file", "%s in %s has %lld bytes, wanted %zu at %llu", name,
                               b->where, (long long)st.st_size, len, (unsigned long long)offset);
        else
            got += (size_t)n;
    }
    local_close_fd(fd);
    return rc;
}

static struct backend_stat stat_of(const struct stat *st)
{
    return (struct backend_stat){
        .size = st->st_size > 0 ? (uint64_t)st->st_size : 0,
        .mtime = st->st_mtime > 0 ? (uint64_t)st->st_mtime : 0,
        .is_dir = S_ISDIR(st->st_mode),
    };
}

static int local_stat(struct backend *b, const char *name, struct backend_stat *out, struct error *err)
{
    const char *last;
    int dir = local_open_parent(b, name, &last);
    if (dir < 0)
        return local_walk_error(b, "stat", name, err);
    struct stat st;
    int rc = 0;
    if (fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
        rc = error_sys(err, "stat %s in %s", name, b->where);
    else
        *out = stat_of(&st);
    local_close_fd(dir);
    return rc;
}

static int list_entries(const struct backend *b, const char *dir, DIR *d, backend_list_fn *fn, void *arg,
                        struct error *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (e == NULL)
            return errno == 0 ? 0 : error_sys(err, "list %s in %s", dir, b->where);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT)
                continue; /* removed while we look */
            return error_sys(err, "stat %s/%s in %s", dir, e->d_name, b->where);
        }
        struct backend_stat out = stat_of(&st);
        int rc = fn(e->d_name, &out, arg, err);
        if (rc < 0)
            return rc;
    }
}

static int local_list(struct backend *b, const char *dir, backend_list_fn *fn, void *arg, struct error *err)
{
    const char *last = ".";
    int parent = dir[0] != '\0' ? local_open_parent(b, dir, &last)
                                : local_open_step(local_root(b), ".", O_PATH | O_DIRECTORY);
    int fd = parent >= 0 ? local_open_step(parent, last, O_RDONLY | O_DIRECTORY) : -1;
    int rc;
    DIR *d = NULL;
    if (fd < 0)
        rc = local_walk_error(b, "list", dir, err);
    else if ((d = fdopendir(fd)) == NULL)
        rc = error_sys(err, "list %s in %s", dir, b->where);
    else
        rc = list_entries(b, dir, d, fn, arg, err);
    if (d != NULL)
        (void)closedir(d);
    else
        local_close_fd(fd);
    local_close_fd(parent);
    return rc;
}

static int local_remove(struct backend *b, const char *name, struct error *err)
{
    const char *last;
    int dir = local_open_parent(b, name, &last);
    if (dir < 0)
        return local_walk_error(b, "remove", name, err);
    int rc = 0;
    if (unlinkat(dir, last, 0) < 0)
        rc = error_sys(err, "remove %s in %s", name, b->where);
    else if (local_sync_dir(dir) < 0)
        rc = error_sys(err, "fsync the directory of %s in %s", name, b->where);
    local_close_fd(dir);
    return rc;
}

static int local_make_dir(struct backend *b, const char *name, unsigned mode, struct error *err)
{
    const char *last;
    int dir = local_open_parent(b, name, &last);
    if (dir < 0)
        return local_walk_error(b, "make directory", name, err);
    int rc = 0;
    if (mkdirat(dir, last, (mode_t)mode & LOCAL_DIR_MODE_MASK) < 0)
        rc = local_write_error(b, "make directory", name, err);
    else if (local_sync_dir(dir) < 0)
        rc = local_write_error(b, "fsync the directory of", name, err);
    local_close_fd(dir);
    return rc;
}

static int local_space(struct backend *b, struct backend_space *space, struct error *err)
{
    return local_space_of(local_root(b), space) < 0 ? error_sys(err, "ask for the free space of %s", b->where)
                                                    : 0;
}

static void local_close(struct backend *b)
{
    local_close_fd(local_root(b));
    free(b);
}

static struct backend *local_at(int root, const char *where, struct error *err);

static struct backend *local_clone(const struct backend *b, struct error *err)
{
    int root = local_open_step(local_root(b), ".", O_PATH | O_DIRECTORY);
    if (root < 0) {
        (void)error_sys(err, "open %s", b->where);
        return NULL;
    }
    return local_at(root, b->where, err);
}

static const struct backend_ops local_ops = {
    .clone = local_clone,
    .close = local_close,
    .create = local_create,
    .write = local_write,
    .finish = local_finish,
    .release = local_release,
    .read = local_read,
    .stat = local_stat,
    .list = local_list,
    .remove = local_remove,
    .make_dir = local_make_dir,
    .space = local_space,
};

/* Takes ownership of root. */
static struct backend *local_at(int root, const char *where, struct error *err)
{
    struct local *l = mem_alloc(1, sizeof *l, err);
    char *copy = l != NULL ? str_dup(where, err) : NULL;
    if (copy == NULL) {
        free(l);
        local_close_fd(root);
        return NULL;
    }
    l->base.ops = &local_ops;
    l->base.caps = BACKEND_FSYNC | BACKEND_SPACE | BACKEND_LOCAL;
    l->base.where = copy;
    l->root = root;
    return &l->base;
}

struct backend *backend_local(const char *path, struct error *err)
{
    int root;
    do {
        root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    } while (root < 0 && errno == EINTR);
    if (root < 0) {
        (void)error_sys(err, "open storage directory %s (it must exist)", path);
        return NULL;
    }
    return local_at(root, path, err);
}
