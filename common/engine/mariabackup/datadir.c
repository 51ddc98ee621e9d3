#include "common/engine/mariabackup/datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/mariabackup/internal.h"
#include "common/engine/mariabackup/mbstream.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Calls fn for each entry; its negative return ends the walk. */
static int each_entry(const char *path, int (*fn)(int dir, const char *name, void *arg, struct error *err),
                      void *arg, struct error *err)
{
    DIR *d = opendir(path);
    int rc = d != NULL ? 0 : error_sys(err, "open %s", path);
    while (rc == 0) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (e == NULL) {
            rc = errno != 0 ? error_sys(err, "read %s", path) : 0;
            break;
        }
        if (!is_dots(e->d_name))
            rc = fn(dirfd(d), e->d_name, arg, err);
    }
    if (d != NULL)
        (void)closedir(d);
    return rc;
}

static int not_empty(int dir, const char *name, void *arg, struct error *err)
{
    (void)dir;
    if (strcmp(name, MB_INCOMPLETE) == 0)
        return error_set(err, E_EXISTS,
                         "%s holds " MB_INCOMPLETE
                         ": what a restore that failed left. Remove that, or name another "
                         "directory",
                         (const char *)arg);
    return error_set(err, E_EXISTS,
                     "%s is not empty; a data directory is only restored into a new or an empty directory",
                     (const char *)arg);
}

int datadir_possible(const char *to, struct error *err)
{
    struct stat st;
    union {
        const char *from;
        void *to;
    } name = { .from = to }; /* only shown */
    if (lstat(to, &st) < 0 && errno != ENOENT)
        return error_sys(err, "%s", to);
    if (lstat(to, &st) == 0)
        return S_ISDIR(st.st_mode) ? each_entry(to, not_empty, name.to, err)
                                   : error_set(err, E_EXISTS, "%s is there already, and no directory", to);
    char *parent = path_dir(to, err);
    if (parent == NULL)
        return E_NOMEM;
    int rc = stat(parent, &st) < 0      ? error_sys(err, "the directory %s", parent)
             : !S_ISDIR(st.st_mode)     ? error_set(err, E_USAGE, "%s is no directory", parent)
             : access(parent, W_OK) < 0 ? error_sys(err, "the directory %s", parent)
                                        : 0;
    free(parent);
    return rc;
}

int datadir_make(const char *to, struct datadir *out, struct error *err)
{
    struct error why = ERROR_INIT;
    *out = (struct datadir){ .dir = str_dup(to, &why) };
    out->work = out->dir != NULL ? path_join(to, MB_INCOMPLETE, &why) : NULL;
    int rc = out->work != NULL ? 0 : E_NOMEM;
    if (rc == 0)
        rc = datadir_possible(to, &why);
    if (rc == 0 && mkdir(to, 0700) == 0)
        out->made = true;
    else if (rc == 0 && errno != EEXIST)
        rc = error_sys(&why, "make %s", to);
    if (rc == 0 && mkdir(out->work, 0700) < 0)
        rc = error_sys(&why, "make %s", out->work);
    if (rc == 0)
        return 0;
    (void)datadir_abandon(out);
    datadir_free(out);
    return error_copy(err, &why);
}

int datadir_compare(const struct datadir *p, const struct mbstream *m, struct error *err)
{
    int dir = open(p->work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = dir < 0 ? error_sys(err, "open %s", p->work) : 0;
    for (size_t i = 0; rc == 0 && i < mbstream_files(m); i++) {
        struct mbstream_file f = mbstream_file(m, i);
        struct stat st;
        if (fstatat(dir, f.path, &st, AT_SYMLINK_NOFOLLOW) < 0)
            rc = error_sys(err, "mbstream ended well, but %s of the stream", f.path);
        else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != f.len)
            rc = error_set(err, E_IO, "mbstream ended well, but %s has %lld bytes, and %llu in the stream",
                           f.path, (long long)st.st_size, (unsigned long long)f.len);
    }
    fd_drop(&dir);
    return rc;
}

static int move_up(int dir, const char *name, void *arg, struct error *err)
{
    const struct datadir *p = arg;
    int up = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = up < 0 ? error_sys(err, "open %s", p->dir) : 0;
    if (rc == 0 && renameat2(dir, name, up, name, RENAME_NOREPLACE) < 0)
        rc = error_sys(err, "move %s/%s to its place", p->work, name);
    fd_drop(&up);
    return rc;
}

int datadir_release(struct datadir *p, struct error *err)
{
    int dir = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = dir < 0 ? error_sys(err, "open %s", p->dir) : 0;
    if (rc == 0 && syncfs(dir) < 0)
        rc = error_sys(err, "flush %s", p->dir);
    fd_drop(&dir);
    rc = rc < 0 ? rc : each_entry(p->work, move_up, p, err);
    rc = rc < 0 ? rc : dir_sync(p->dir, err);
    if (rc == 0 && rmdir(p->work) < 0)
        rc = error_sys(err, "remove %s", p->work);
    rc = rc < 0 ? rc : dir_sync(p->dir, err);
    char *parent = rc == 0 ? path_dir(p->dir, err) : NULL;
    if (rc == 0)
        rc = parent != NULL ? dir_sync(parent, err) : E_NOMEM;
    free(parent);
    return rc;
}

bool datadir_abandon(struct datadir *p)
{
    if (p->work == NULL || (rmdir(p->work) < 0 && errno != ENOENT))
        return p->work != NULL;
    if (p->made)
        (void)rmdir(p->dir);
    return false;
}

void datadir_free(struct datadir *p)
{
    free(p->dir);
    free(p->work);
    *p = (struct datadir){ .dir = NULL };
}
