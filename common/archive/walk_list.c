/* What is in a directory of a walk. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/archive/walk_internal.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

/* A look at a directory does not change its time of access, where the kernel lets us say so: our own, or as root. */
int walk_open_dir(int at, const char *name)
{
    int fd = openat(at, name, WALK_DIR_FLAGS | O_NOFOLLOW | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = openat(at, name, WALK_DIR_FLAGS | O_NOFOLLOW);
    return fd;
}

/* As if the whole paths were compared: "a" < "a-b" < "a/". */
int walk_by_path(const void *x, const void *y)
{
    const struct walk_name *a = x;
    const struct walk_name *b = y;
    size_t i = 0;
    while (a->name[i] != '\0' && a->name[i] == b->name[i])
        i++;
    unsigned ca = a->name[i] == '\0' && a->below ? '/' : (unsigned char)a->name[i];
    unsigned cb = b->name[i] == '\0' && b->below ? '/' : (unsigned char)b->name[i];
    return ca < cb ? -1 : ca > cb;
}

static bool is_dir(int fd, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0 && S_ISDIR(st.st_mode);
}

static int add_name(struct walk_dir *d, const char *name, bool dir, struct error *err)
{
    struct walk_name *self = vec_push(&d->names, err);
    if (self == NULL)
        return E_NOMEM;
    char *copy = str_dup(name, err);
    *self = (struct walk_name){ .name = copy, .dir = dir };
    struct walk_name *below = copy != NULL && dir ? vec_push(&d->names, err) : NULL;
    if (below != NULL)
        *below = (struct walk_name){ .name = copy, .below = true, .dir = true };
    return copy == NULL || (dir && below == NULL) ? E_NOMEM : 0;
}

static int add_entry(struct walk *w, struct walk_dir *d, int fd, const struct dirent *e, struct error *err)
{
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
        return 0;
    bool dir = is_dir(fd, e);
    int rc = walk_set_path(w, d->path_len, e->d_name, err);
    if (rc < 0)
        return rc;
    if (w->options.excluded != NULL && w->options.excluded(w->options.arg, walk_path(w), dir)) {
        walk_tell(w, WALK_EXCLUDED, "excluded");
        return 0;
    }
    return add_name(d, e->d_name, dir, err);
}

int walk_cannot_list(const struct walk *w, struct error *err)
{
    char shown[512];
    return error_sys(
        err,
        "list the directory \"%s\" of the tree (a backup without it would have a hole: `exclude` "
        "it, or run as a user who may read it)",
        str_printable(shown, sizeof shown, walk_path(w)));
}

int walk_list(struct walk *w, struct walk_dir *d, struct error *err)
{
    int copy = walk_open_dir(d->fd, ".");
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (dir == NULL) {
        int rc = walk_cannot_list(w, err);
        fd_drop(&copy);
        return rc;
    }
    int rc = 0;
    for (errno = 0; rc == 0;) {
        const struct dirent *e = readdir(dir);
        if (e == NULL)
            break;
        rc = add_entry(w, d, copy, e, err);
        errno = 0;
    }
    if (rc == 0 && errno != 0) {
        int sys = errno;
        w->path.len = d->path_len;
        rc = buf_append(&w->path, "", 1, err);
        errno = sys;
        rc = rc < 0 ? rc : walk_cannot_list(w, err);
    }
    (void)closedir(dir);
    if (rc == 0)
        vec_sort(&d->names, walk_by_path);
    return rc;
}
