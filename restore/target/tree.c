#include "restore/target/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { COPY_BLOCK = 1 << 18, COMPONENT_MAX = 255, MODE_KEPT = 0777 };

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* ---- the directory itself ------------------------------------------------------------------------------ */

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

int tree_possible(const char *path, struct error *err)
{
    int fd = open(path, DIR_FLAGS);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 && errno == ENOTDIR)
        return error_set(err, E_EXISTS, "%s is no directory", path);
    if (fd < 0)
        return error_sys(err, "%s", path);
    int rc = refuse_full(fd, path, err);
    fd_drop(&fd);
    return rc;
}

int tree_open(const char *path, struct tree **out, struct error *err)
{
    struct tree *t = mem_alloc(1, sizeof *t, err);
    if (t == NULL)
        return E_NOMEM;
    *t = (struct tree){ .root = -1,
                        .dirs = VEC_OF(struct tree_dir_note),
                        .links = VEC_OF(struct tree_link_note) };
    int rc = E_NOMEM;
    t->path = str_dup(path, err);
    if (t->path == NULL)
        goto out;
    t->made = mkdir(path, 0700) == 0;
    if (!t->made && errno != EEXIST) {
        rc = error_sys(err, "make directory %s", path);
        goto out;
    }
    t->root = open(path, DIR_FLAGS);
    rc = t->root >= 0 ? refuse_full(t->root, path, err) : error_sys(err, "%s", path);
out:
    if (rc < 0)
        tree_free(t);
    else
        *out = t;
    return rc;
}

void tree_free(struct tree *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->dirs.len; i++)
        free(((struct tree_dir_note *)vec_at(&t->dirs, i))->path);
    for (size_t i = 0; i < t->links.len; i++) {
        struct tree_link_note *n = vec_at(&t->links, i);
        free(n->path);
        free(n->target);
    }
    vec_free(&t->dirs);
    vec_free(&t->links);
    fd_drop(&t->root);
    free(t->path);
    free(t);
}

void tree_times(int64_t seconds, uint32_t nsec, struct timespec out[2])
{
    out[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
    out[1] = (struct timespec){ .tv_sec = seconds, .tv_nsec = nsec };
    if (seconds == 0 && nsec == 0)
        out[1].tv_nsec = UTIME_OMIT;
}

/* ---- walking ------------------------------------------------------------------------------------------- */

static int bad_name(const char *path, struct error *err)
{
    char shown[256];
    return error_corrupt(err, CATALOG_E_PATH, "\"%s\" is no name inside a directory",
                         str_printable(shown, sizeof shown, path));
}

static int step(int dir, const char *name, bool make, const char *path, struct error *err)
{
    char shown[256];
    int fd = openat(dir, name, DIR_FLAGS | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && make && (mkdirat(dir, name, 0700) == 0 || errno == EEXIST))
        fd = openat(dir, name, DIR_FLAGS | O_NOFOLLOW);
    return fd >= 0 ? fd : error_sys(err, "directory of %s", str_printable(shown, sizeof shown, path));
}

int tree_walk(const struct tree *t, const char *path, bool make, const char **base, struct error *err)
{
    char name[COMPONENT_MAX + 1];
    int fd = fcntl(t->root, F_DUPFD_CLOEXEC, 0);
    *base = path;
    if (fd < 0)
        return error_sys(err, "%s", t->path);
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, "/");
        if (len == 0 || len > COMPONENT_MAX || strncmp(at, "..", len > 2 ? len : 2) == 0 ||
            (len == 1 && at[0] == '.')) {
            fd_drop(&fd);
            return bad_name(path, err);
        }
        if (at[len] == '\0') {
            *base = at;
            return fd;
        }
        memcpy(name, at, len);
        name[len] = '\0';
        int next = step(fd, name, make, path, err);
        fd_drop(&fd);
        if (next < 0)
            return next;
        fd = next;
        at += len;
    }
}

/* ---- files --------------------------------------------------------------------------------------------- */

static int copy(struct source *src, int fd, uint64_t len, const char *name,
                void (*progress)(uint64_t, void *), void *arg, struct error *err)
{
    uint8_t *block = mem_alloc(1, COPY_BLOCK, err);
    uint64_t done = 0;
    int rc = block != NULL ? 0 : E_NOMEM;
    while (rc == 0) {
        int64_t n = source_read(src, block, COPY_BLOCK, err);
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        done += (uint64_t)n;
        if (done > len)
            break;
        rc = fd_write_full(fd, block, (size_t)n, name, err);
        if (rc == 0 && progress != NULL)
            progress((uint64_t)n, arg);
    }
    free(block);
    if (rc == 0 && done != len)
        rc = error_set(err, E_CORRUPT, "it does not have the %llu bytes its snapshot announces",
                       (unsigned long long)len);
    return rc;
}

static int give_name(int dir, const char *tmp, const char *base, struct error *err)
{
    if (renameat2(dir, tmp, dir, base, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return error_sys(err, "give it its name");
    if (linkat(dir, tmp, dir, base, 0) < 0) /* e.g. NFS */
        return error_sys(err, "give it its name");
    (void)unlinkat(dir, tmp, 0);
    return 0;
}

/* Mode before the bytes are there would let others read half a file. */
static int settle_file(int fd, const struct catalog_entry *e, struct error *err)
{
    struct timespec times[2];
    tree_times(e->mtime, e->mtime_nsec, times);
    if (fchmod(fd, e->mode & MODE_KEPT) < 0)
        return error_sys(err, "set its permissions");
    if (futimens(fd, times) < 0)
        return error_sys(err, "set its time");
    return fd_sync(fd, "flush", err);
}

int tree_file(struct tree *t, const struct catalog_entry *e, struct source *src, uint64_t len,
              void (*progress)(uint64_t bytes, void *arg), void *arg, struct error *err)
{
    char tmp[64];
    const char *base = NULL;
    int fd = -1;
    int dir = tree_walk(t, e->path, true, &base, err);
    if (dir < 0)
        return dir;
    int rc = 0;
    do {
        (void)snprintf(tmp, sizeof tmp, ".restoring-%ld-%u", (long)getpid(), t->counter++);
        fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    } while (fd < 0 && errno == EEXIST);
    if (fd < 0) {
        rc = error_sys(err, "create a file in %s", t->path);
        goto out;
    }
    rc = copy(src, fd, len, t->path, progress, arg, err);
    rc = rc < 0 ? rc : settle_file(fd, e, err);
    rc = rc < 0 ? rc : fd_close(&fd, t->path, err);
    rc = rc < 0 ? rc : give_name(dir, tmp, base, err);
    if (rc < 0)
        (void)unlinkat(dir, tmp, 0);
out:
    fd_drop(&fd);
    fd_drop(&dir);
    return rc;
}
