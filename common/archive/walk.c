/* The directories of a walk. */
#include "common/archive/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/archive/walk_internal.h"
#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

static struct walk_dir *top(const struct walk *w)
{
    return w->dirs.len != 0 ? vec_at(&w->dirs, w->dirs.len - 1) : NULL;
}

const char *walk_path(const struct walk *w)
{
    return w->path.len > 1 ? (const char *)w->path.data : ".";
}

void walk_tell(const struct walk *w, enum walk_note what, const char *why)
{
    if (w->options.note != NULL)
        w->options.note(w->options.arg, what, walk_path(w), why);
}

bool walk_is_fatal(int sys)
{
    return sys == EMFILE || sys == ENFILE || sys == ENOMEM;
}

int walk_set_path(struct walk *w, size_t keep, const char *name, struct error *err)
{
    w->path.len = keep;
    int rc = keep != 0 && name != NULL ? buf_append(&w->path, "/", 1, err) : 0;
    if (rc == 0 && name != NULL)
        rc = buf_append(&w->path, name, strlen(name), err);
    return rc < 0 ? rc : buf_append(&w->path, "", 1, err);
}

/* ---- down and up --------------------------------------------------------------------------------------- */

static void drop_dir(struct walk_dir *d)
{
    for (size_t i = 0; i < d->names.len; i++) {
        struct walk_name *n = vec_at(&d->names, i);
        if (!n->below)
            free(n->name);
    }
    vec_free(&d->names);
    fd_drop(&d->fd);
}

/* Takes the descriptor. The path is that of the directory. */
static int enter(struct walk *w, int fd, const struct stat *st, struct error *err)
{
    struct walk_dir *d = vec_push(&w->dirs, err);
    if (d == NULL) {
        fd_drop(&fd);
        return E_NOMEM;
    }
    *d = (struct walk_dir){
        .fd = fd, .path_len = w->path.len - 1, .st = *st, .names = VEC_OF(struct walk_name)
    };
    if (w->dirs.len > WALK_DIRS_OPEN + 1) /* not the root: see open_again */
        fd_drop(&((struct walk_dir *)vec_at(&w->dirs, w->dirs.len - 1 - WALK_DIRS_OPEN))->fd);
    int rc = w->options.enter != NULL ? w->options.enter(w->options.arg, fd, walk_path(w), err) : 0;
    return rc == 0 ? walk_list(w, d, err) : rc < 0 ? rc : 0; /* no names: it is left at once */
}

static int descend(struct walk *w, const struct walk_name *name, struct error *err)
{
    struct stat st;
    if (!name->dir) {
        walk_tell(w, WALK_UNREAD, "the directory was replaced during the backup");
        return 0;
    }
    int fd = walk_open_dir(top(w)->fd, name->name);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
        walk_tell(w, WALK_UNREAD, "the directory was removed or replaced during the backup");
        return 0;
    }
    if (fd < 0) {
        if (!walk_is_elsewhere(w, top(w)->fd, name->name))
            return walk_cannot_list(w, err);
        walk_tell(w, WALK_MOUNT, "it is on another file system");
        return 0;
    }
    if (fstat(fd, &st) < 0) {
        int rc = walk_cannot_list(w, err);
        fd_drop(&fd);
        return rc;
    }
    if (w->options.one_file_system && st.st_dev != w->root.st_dev) {
        walk_tell(w, WALK_MOUNT, "it is on another file system");
        fd_drop(&fd);
        return 0;
    }
    return enter(w, fd, &st, err);
}

static bool is_dir_of(int fd, const struct walk_dir *d)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == d->st.st_dev && st.st_ino == d->st.st_ino;
}

/* A directory of the present path, from the root down. */
static int open_again(const struct walk *w, const struct walk_dir *d)
{
    char name[NAME_MAX + 1];
    const char *path = (const char *)w->path.data;
    int fd = walk_open_dir(((struct walk_dir *)vec_at(&w->dirs, 0))->fd, ".");
    for (size_t at = 0; fd >= 0 && at < d->path_len;) {
        size_t n = strcspn(path + at, "/");
        memcpy(name, path + at, n);
        name[n] = '\0';
        int next = walk_open_dir(fd, name);
        fd_drop(&fd);
        fd = next;
        at += n + 1;
    }
    return fd;
}

/* The parent was closed while its child was read. Who moved the child away meanwhile, or the parent, has only lost what
 * is in it. */
static int reopen(struct walk *w, const struct walk_dir *child, struct walk_dir *parent, struct error *err)
{
    parent->fd = openat(child->fd, "..", WALK_DIR_FLAGS | O_NOFOLLOW);
    if (!is_dir_of(parent->fd, parent)) {
        fd_drop(&parent->fd);
        parent->fd = open_again(w, parent);
    }
    if (parent->fd < 0 && walk_is_fatal(errno))
        return walk_cannot_list(w, err);
    if (is_dir_of(parent->fd, parent))
        return 0;
    fd_drop(&parent->fd);
    parent->at = parent->names.len;
    int rc = walk_set_path(w, parent->path_len, NULL, err);
    if (rc == 0)
        walk_tell(w, WALK_UNREAD, "the directory was moved while it was read: some of what is in it");
    return rc;
}

static int leave(struct walk *w, struct error *err)
{
    struct walk_dir *d = top(w);
    struct stat st;
    int rc = walk_set_path(w, d->path_len, NULL, err);
    if (rc == 0 && fstat(d->fd, &st) == 0 &&
        (st.st_mtim.tv_sec != d->st.st_mtim.tv_sec || st.st_mtim.tv_nsec != d->st.st_mtim.tv_nsec))
        walk_tell(w, WALK_DIR_CHANGED, "entries came or went while it was read");
    if (rc == 0 && w->dirs.len > 1) {
        struct walk_dir *parent = vec_at(&w->dirs, w->dirs.len - 2);
        if (parent->fd < 0)
            rc = reopen(w, d, parent, err);
    }
    drop_dir(d);
    w->dirs.len--;
    return rc;
}

/* What was listed as a directory was stored as something else: a member below it would have no place. */
static void do_not_enter(struct walk_dir *d, const struct walk_name *name)
{
    for (size_t i = d->at; i < d->names.len; i++) {
        struct walk_name *n = vec_at(&d->names, i);
        if (n->below && strcmp(n->name, name->name) == 0)
            n->dir = false;
    }
}

/* ---- the walk ------------------------------------------------------------------------------------------ */

struct walk *walk_open(const struct walk_options *options, struct error *err)
{
    struct walk *w = mem_alloc(1, sizeof *w, err);
    char shown[512];
    if (w == NULL)
        return NULL;
    w->options = *options;
    w->file = -1;
    w->dirs = (struct vec)VEC_OF(struct walk_dir);
    int rc = walk_member_init(w, err);
    rc = rc < 0 ? rc : walk_set_path(w, 0, NULL, err);
    int fd = rc < 0 ? -1 : open(options->root, WALK_DIR_FLAGS);
    if (rc == 0 && (fd < 0 || fstat(fd, &w->root) < 0)) {
        rc = error_sys(err, "open the directory %s", str_printable(shown, sizeof shown, options->root));
        fd_drop(&fd);
    }
    rc = rc < 0 ? rc : enter(w, fd, &w->root, err);
    if (rc == 0)
        return w;
    walk_close(w);
    return NULL;
}

int walk_next(struct walk *w, struct walk_item *out, struct error *err)
{
    int rc = 0;
    fd_drop(&w->file);
    while (rc == 0 && w->dirs.len != 0) {
        struct walk_dir *d = top(w);
        if (d->at == d->names.len) {
            rc = leave(w, err);
            continue;
        }
        struct walk_name name = *(struct walk_name *)vec_at(&d->names, d->at++);
        /* A rename while it was listed can show one name twice. */
        if (d->at > 1 && walk_by_path(vec_at(&d->names, d->at - 2), &name) == 0)
            continue;
        rc = walk_set_path(w, d->path_len, name.name, err);
        if (rc < 0)
            break;
        if (w->path.len - 1 > CATALOG_PATH_MAX) {
            if (!name.below)
                walk_tell(w, WALK_UNREAD, "its path is longer than the 65535 bytes that can be stored");
            continue;
        }
        rc = name.below ? descend(w, &name, err) : walk_member(w, d->fd, &name, out, err);
        if (rc == 1 && name.dir && out->entry.type != CATALOG_DIR)
            do_not_enter(d, &name);
    }
    return rc;
}

const struct stat *walk_root(const struct walk *w)
{
    return &w->root;
}

void walk_close(struct walk *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->dirs.len; i++)
        drop_dir(vec_at(&w->dirs, i));
    vec_free(&w->dirs);
    fd_drop(&w->file);
    walk_member_free(w);
    buf_free(&w->path);
    free(w);
}
