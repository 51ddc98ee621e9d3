/* Directories and links of a restored tree: noted first, made last. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"
#include "restore/target/tree.h"

#include "common/base/banned.h"

enum { MODE_KEPT = 0777, UNDO_FDS = 32 };

/* ---- noting -------------------------------------------------------------------------------------------- */

int tree_dir(struct tree *t, const struct catalog_entry *e, struct error *err)
{
    const char *base = NULL;
    int dir = tree_walk(t, e->path, true, &base, err);
    if (dir < 0)
        return dir;
    int rc = mkdirat(dir, base, 0700) == 0 || errno == EEXIST ? 0 : error_sys(err, "make the directory");
    fd_drop(&dir);
    struct tree_dir_note *n = rc == 0 ? vec_push(&t->dirs, err) : NULL;
    if (n == NULL)
        return rc < 0 ? rc : E_NOMEM;
    *n = (struct tree_dir_note){
        .path = str_dup(e->path, err), .mode = e->mode & MODE_KEPT, .mtime = e->mtime, .nsec = e->mtime_nsec
    };
    return n->path != NULL ? 0 : E_NOMEM;
}

bool tree_link_stays(const char *path, const char *target)
{
    size_t depth = 0;
    for (const char *p = path; *p != '\0'; p++)
        depth += *p == '/';
    bool down = false;
    if (target[0] == '/' || target[0] == '\0')
        return false;
    for (const char *p = target; *p != '\0';) {
        size_t len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.') {
            if (down || depth-- == 0)
                return false;
        } else if (len != 0 && !(len == 1 && p[0] == '.')) {
            down = true;
        }
        p += len + (p[len] == '/');
    }
    return true;
}

int tree_link(struct tree *t, const struct catalog_entry *e, bool unsafe, struct error *err)
{
    char shown[256];
    bool hard = e->type == CATALOG_HARDLINK;
    if (!hard && !unsafe && !tree_link_stays(e->path, e->target))
        return error_set(err, E_DENIED,
                         "a symbolic link that leads out of the directory (to %s); --unsafe-links makes it",
                         str_printable(shown, sizeof shown, e->target));
    struct tree_link_note *n = vec_push(&t->links, err);
    if (n == NULL)
        return E_NOMEM;
    *n = (struct tree_link_note){ .path = str_dup(e->path, err),
                                  .target = str_dup(e->target, err),
                                  .hard = hard,
                                  .mtime = e->mtime,
                                  .nsec = e->mtime_nsec };
    return n->path != NULL && n->target != NULL ? 0 : E_NOMEM;
}

/* ---- making -------------------------------------------------------------------------------------------- */

static int make_hard(const struct tree *t, const struct tree_link_note *n, int dir, const char *base,
                     struct error *err)
{
    char shown[256];
    const char *from = NULL;
    int source = tree_walk(t, n->target, false, &from, err);
    if (source < 0)
        return source;
    int rc = linkat(source, from, dir, base, 0) == 0
                 ? 0
                 : error_sys(err, "hard link to %s", str_printable(shown, sizeof shown, n->target));
    fd_drop(&source);
    return rc;
}

static int make_link(const struct tree *t, const struct tree_link_note *n, struct error *err)
{
    struct timespec times[2];
    tree_times(n->mtime, n->nsec, times);
    const char *base = NULL;
    int dir = tree_walk(t, n->path, true, &base, err);
    if (dir < 0)
        return dir;
    int rc = 0;
    if (n->hard)
        rc = make_hard(t, n, dir, base, err);
    else if (symlinkat(n->target, dir, base) < 0)
        rc = error_sys(err, "make the symbolic link");
    else
        (void)utimensat(dir, base, times, AT_SYMLINK_NOFOLLOW); /* not every file system can */
    fd_drop(&dir);
    return rc;
}

static int make_links(struct tree *t, bool hard, tree_missed_fn *missed, void *arg, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->links.len; i++) {
        const struct tree_link_note *n = vec_at(&t->links, i);
        struct error why = ERROR_INIT;
        if (n->hard == hard && make_link(t, n, &why) < 0)
            rc = missed(n->path, &why, arg, err);
    }
    return rc;
}

static int settle_dir(const struct tree *t, const struct tree_dir_note *n, struct error *err)
{
    struct timespec times[2];
    tree_times(n->mtime, n->nsec, times);
    const char *base = NULL;
    int parent = tree_walk(t, n->path, false, &base, err);
    if (parent < 0)
        return parent;
    int fd = openat(parent, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd >= 0 && futimens(fd, times) == 0 && fchmod(fd, n->mode) == 0
                 ? 0
                 : error_sys(err, "set the directory's permissions and time");
    fd_drop(&fd);
    fd_drop(&parent);
    return rc;
}

int tree_finish(struct tree *t, tree_missed_fn *missed, void *arg, struct error *err)
{
    int rc = make_links(t, true, missed, arg, err);
    rc = rc < 0 ? rc : make_links(t, false, missed, arg, err);
    /* children before parents: a parent may take away the right to enter it */
    for (size_t i = t->dirs.len; rc == 0 && i > 0; i--) {
        const struct tree_dir_note *n = vec_at(&t->dirs, i - 1);
        struct error why = ERROR_INIT;
        if (settle_dir(t, n, &why) < 0)
            rc = missed(n->path, &why, arg, err);
    }
    if (rc == 0 && syncfs(t->root) < 0)
        rc = error_sys(err, "flush %s", t->path);
    return rc;
}

/* ---- undoing ------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    if (at->level != 0)
        (void)(type == FTW_DP || type == FTW_D || type == FTW_DNR ? rmdir(path) : unlink(path));
    return 0;
}

void tree_undo(struct tree *t)
{
    char shown[256];
    (void)nftw(t->path, remove_one, UNDO_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    if (t->made && rmdir(t->path) < 0)
        log_event(LOG_WARN, "%s is incomplete and could not be removed",
                  str_printable(shown, sizeof shown, t->path));
}
