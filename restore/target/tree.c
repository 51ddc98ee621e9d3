#include "restore/target/tree.h"

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

enum { COPY_BLOCK = 1 << 18, COMPONENT_MAX = 255 };

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

void tree_free(struct tree *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->dirs.len; i++)
        free(*(struct catalog_entry **)vec_at(&t->dirs, i));
    for (size_t i = 0; i < t->links.len; i++)
        free(*(struct catalog_entry **)vec_at(&t->links, i));
    free(t->user.name);
    free(t->group.name);
    vec_free(&t->dirs);
    vec_free(&t->links);
    fd_drop(&t->near_fd);
    free(t->near);
    free(t->block);
    fd_drop(&t->root);
    free(t->path);
    free(t);
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

static bool is_name(const char *s, size_t len)
{
    return len != 0 && len <= COMPONENT_MAX && !(len == 1 && s[0] == '.') &&
           !(len == 2 && s[0] == '.' && s[1] == '.');
}

/* Component by component from the root; `len` bytes of the path, without its last component. */
static int descend(const struct tree *t, const char *path, size_t len, bool make, struct error *err)
{
    char name[COMPONENT_MAX + 1];
    int fd = fcntl(t->root, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return error_sys(err, "%s", t->path);
    for (size_t at = 0; at < len;) {
        size_t n = strcspn(path + at, "/");
        if (!is_name(path + at, n)) {
            fd_drop(&fd);
            return bad_name(path, err);
        }
        memcpy(name, path + at, n);
        name[n] = '\0';
        int next = step(fd, name, make, path, err);
        fd_drop(&fd);
        if (next < 0)
            return next;
        fd = next;
        at += n + 1;
    }
    return fd;
}

/* Takes a copy of the descriptor; without memory there is nothing near. */
static void remember(struct tree *t, const char *path, size_t len, int fd)
{
    free(t->near);
    fd_drop(&t->near_fd);
    t->near = str_dup_len(path, len, NULL);
    t->near_len = len;
    t->near_fd = t->near != NULL ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
}

int tree_walk(struct tree *t, const char *path, bool make, const char **base, struct error *err)
{
    const char *slash = strrchr(path, '/');
    *base = slash != NULL ? slash + 1 : path;
    size_t len = (size_t)(*base - path);
    if (!is_name(*base, strlen(*base)) || path[0] == '/')
        return bad_name(path, err);
    /* Neighbours come one after the other. */
    if (t->near_fd >= 0 && t->near_len == len && memcmp(t->near, path, len) == 0) {
        int fd = fcntl(t->near_fd, F_DUPFD_CLOEXEC, 0);
        return fd >= 0 ? fd : error_sys(err, "%s", t->path);
    }
    int fd = descend(t, path, len, make, err);
    if (fd >= 0)
        remember(t, path, len, fd);
    return fd;
}

/* ---- files --------------------------------------------------------------------------------------------- */

/* The source's bytes into the file, past the gaps. */
struct copying {
    struct source *src;
    int fd;
    const char *name;
    const struct gaps *gaps; /* or NULL */
    size_t next;             /* gap */
    uint64_t at;             /* in the file */
    uint64_t done;
};

/* How many bytes may follow before the next gap, after the gap that begins here was passed. */
static int skip_gaps(struct copying *c, size_t *room, struct error *err)
{
    const struct gap *g = NULL;
    while (c->gaps != NULL && c->next < c->gaps->list.len) {
        g = vec_at(&c->gaps->list, c->next);
        if (c->at < g->offset)
            break;
        c->at += g->length;
        c->next++;
        if (lseek(c->fd, (off_t)c->at, SEEK_SET) < 0)
            return error_sys(err, "%s", c->name);
        g = NULL;
    }
    *room = g != NULL && g->offset - c->at < COPY_BLOCK ? (size_t)(g->offset - c->at) : COPY_BLOCK;
    return 0;
}

static int copy(struct copying *c, uint8_t *block, uint64_t len, void (*progress)(uint64_t, void *),
                void *arg, struct error *err)
{
    int rc = 0;
    while (rc == 0) {
        size_t room = COPY_BLOCK;
        rc = skip_gaps(c, &room, err);
        int64_t n = rc < 0 ? rc : source_read(c->src, block, room, err);
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        c->done += (uint64_t)n;
        if (c->done > len)
            break;
        rc = fd_write_full(c->fd, block, (size_t)n, c->name, err);
        c->at += (uint64_t)n;
        if (rc == 0 && progress != NULL)
            progress((uint64_t)n, arg);
    }
    if (rc == 0 && c->done != len)
        return error_set(err, E_CORRUPT, "it does not have the %llu bytes its snapshot announces",
                         (unsigned long long)len);
    if (rc == 0 && c->gaps != NULL && c->gaps->list.len != 0 &&
        ftruncate(c->fd, (off_t)c->gaps->size) < 0) /* a gap at the end was only passed */
        rc = error_sys(err, "%s", c->name);
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

int tree_file(struct tree *t, const struct catalog_entry *e, struct source *src, uint64_t len,
              const struct gaps *gaps, void (*progress)(uint64_t bytes, void *arg), void *arg,
              struct error *err)
{
    char tmp[64];
    const char *base = NULL;
    int fd = -1;
    if (t->block == NULL)
        t->block = mem_alloc(1, COPY_BLOCK, err);
    if (t->block == NULL)
        return E_NOMEM;
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
    struct copying c = { .src = src, .fd = fd, .name = t->path, .gaps = gaps };
    rc = copy(&c, t->block, len, progress, arg, err);
    /* Permissions before the bytes are there would let others read half a file. */
    rc = rc < 0 ? rc : tree_settle(t, fd, e, err);
    rc = rc < 0 ? rc : fd_close(&fd, t->path, err);
    rc = rc < 0 ? rc : give_name(dir, tmp, base, err);
    if (rc < 0)
        (void)unlinkat(dir, tmp, 0);
out:
    fd_drop(&fd);
    fd_drop(&dir);
    return rc;
}
