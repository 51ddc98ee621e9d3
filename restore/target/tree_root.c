/* The directory that everything is restored into. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/archive/xattr.h"
#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"
#include "restore/target/tree.h"

#include "common/base/banned.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static int refuse_full(int fd, const char *path, struct error *err)
{
    int copy = openat(fd, ".", DIR_FLAGS);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (d == NULL) {
        fd_drop(&copy);
        return error_sys(err, "%s", path);
    }
    bool empty = true;
    for (struct dirent *e = readdir(d); e != NULL && empty; e = readdir(d))
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    (void)closedir(d);
    return empty ? 0
                 : error_set(err, E_EXISTS,
                             "%s is not empty: restore into a new or empty directory, nothing is overwritten",
                             path);
}

static bool has_attribute(int fd, const char *name)
{
    return fgetxattr(fd, name, NULL, 0) > 0;
}

/* Who may write to it could exchange what is being restored, or put something of his own in its way. */
static bool is_shared(int fd, const struct stat *st)
{
    bool group =
        (st->st_mode & S_IWGRP) != 0 && (st->st_gid != getegid() || has_attribute(fd, XATTR_ACL_ACCESS));
    return (st->st_uid != geteuid() && st->st_uid != 0) || (st->st_mode & S_IWOTH) != 0 || group;
}

static int refuse_unsafe(int fd, const char *path, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_sys(err, "%s", path);
    if (is_shared(fd, &st))
        return error_set(
            err, E_DENIED,
            "others may write to %s while it is restored: name a directory that is not there yet, or "
            "one that only you may write to",
            path);
    if (has_attribute(fd, XATTR_ACL_DEFAULT))
        return error_set(err, E_DENIED,
                         "%s has a default ACL, which would give rights to everything restored: `setfacl -k` "
                         "removes it; or name a directory that is not there yet",
                         path);
    return 0;
}

/* A directory that was just made has what its parent's default ACL gives. */
static int drop_inherited(int fd, const char *path, struct error *err)
{
    static const char *const names[] = { XATTR_ACL_DEFAULT, XATTR_ACL_ACCESS };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (has_attribute(fd, names[i]) && fremovexattr(fd, names[i]) < 0)
            return error_sys(err, "remove the inherited ACL of %s", path);
    return fchmod(fd, 0700) == 0 ? 0 : error_sys(err, "%s", path);
}

static int refuse(int fd, const char *path, struct error *err)
{
    int rc = refuse_unsafe(fd, path, err);
    return rc < 0 ? rc : refuse_full(fd, path, err);
}

int tree_possible(const char *path, struct error *err)
{
    int fd = open(path, DIR_FLAGS);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 && errno == ENOTDIR)
        return error_set(err, E_EXISTS, "%s is no directory", path);
    if (fd < 0)
        return error_sys(err, "%s", path);
    int rc = refuse(fd, path, err);
    fd_drop(&fd);
    return rc;
}

int tree_open(const char *path, struct tree **out, struct error *err)
{
    struct tree *t = mem_alloc(1, sizeof *t, err);
    if (t == NULL)
        return E_NOMEM;
    *t = (struct tree){ .root = -1,
                        .near_fd = -1,
                        .dirs = VEC_OF(struct catalog_entry *),
                        .links = VEC_OF(struct catalog_entry *) };
    int rc = E_NOMEM;
    t->path = str_dup(path, err);
    if (t->path == NULL)
        goto out;
    t->made = mkdir(path, 0700) == 0;
    if (!t->made && errno != EEXIST) {
        rc = error_sys(err, "make directory %s", path);
        goto out;
    }
    /* What was made is no link: else somebody put one in its place. */
    t->root = open(path, t->made ? DIR_FLAGS | O_NOFOLLOW : DIR_FLAGS);
    rc = t->root >= 0 ? 0 : error_sys(err, "%s", path);
    if (rc == 0 && t->made)
        rc = drop_inherited(t->root, path, err);
    rc = rc < 0 ? rc : refuse(t->root, path, err);
out:
    if (rc < 0)
        tree_free(t);
    else
        *out = t;
    return rc;
}
