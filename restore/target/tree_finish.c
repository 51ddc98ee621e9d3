/* Directories and links of a restored tree: noted first, made last. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"
#include "restore/target/remove.h"
#include "restore/target/tree.h"

#include "common/base/banned.h"

/* ---- noting -------------------------------------------------------------------------------------------- */

static int note(struct vec *list, const struct catalog_entry *e, struct error *err)
{
    struct catalog_entry *copy = catalog_entry_copy(e, err);
    struct catalog_entry **slot = copy != NULL ? vec_push(list, err) : NULL;
    if (slot == NULL) {
        free(copy);
        return E_NOMEM;
    }
    *slot = copy;
    return 0;
}

int tree_dir(struct tree *t, const struct catalog_entry *e, struct error *err)
{
    const char *base = NULL;
    int dir = tree_walk(t, e->path, true, &base, err);
    if (dir < 0)
        return dir;
    int rc = mkdirat(dir, base, 0700) == 0 || errno == EEXIST ? 0 : error_sys(err, "make the directory");
    fd_drop(&dir);
    return rc < 0 ? rc : note(&t->dirs, e, err);
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
    return note(&t->links, e, err);
}

/* ---- making -------------------------------------------------------------------------------------------- */

static int make_hard(struct tree *t, const struct catalog_entry *n, int dir, const char *base,
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

static int make_link(struct tree *t, const struct catalog_entry *n, struct error *err)
{
    const char *base = NULL;
    int dir = tree_walk(t, n->path, true, &base, err);
    if (dir < 0)
        return dir;
    int rc = 0;
    if (n->type == CATALOG_HARDLINK)
        rc = make_hard(t, n, dir, base, err);
    else if (symlinkat(n->target, dir, base) < 0)
        rc = error_sys(err, "make the symbolic link");
    else
        tree_settle_link(t, dir, base, n);
    fd_drop(&dir);
    return rc;
}

static int make_links(struct tree *t, enum catalog_type type, tree_missed_fn *missed, void *arg,
                      struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->links.len; i++) {
        const struct catalog_entry *n = *(struct catalog_entry **)vec_at(&t->links, i);
        struct error why = ERROR_INIT;
        if (n->type == type && make_link(t, n, &why) < 0)
            rc = missed(n->path, &why, arg, err);
    }
    return rc;
}

static int settle_dir(struct tree *t, const struct catalog_entry *n, struct error *err)
{
    const char *base = NULL;
    int parent = tree_walk(t, n->path, false, &base, err);
    if (parent < 0)
        return parent;
    int fd = openat(parent, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd >= 0 ? tree_settle(t, fd, n, err) : error_sys(err, "open the directory again");
    fd_drop(&fd);
    fd_drop(&parent);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct catalog_entry *const *)a)->path, (*(struct catalog_entry *const *)b)->path);
}

int tree_finish(struct tree *t, tree_missed_fn *missed, void *arg, struct error *err)
{
    int rc = make_links(t, CATALOG_HARDLINK, missed, arg, err);
    rc = rc < 0 ? rc : make_links(t, CATALOG_SYMLINK, missed, arg, err);
    /* Children before parents, in whatever order they came: a parent may take away the right to enter it, or give
     * it to somebody. */
    vec_sort(&t->dirs, by_path);
    for (size_t i = t->dirs.len; rc == 0 && i > 0; i--) {
        const struct catalog_entry *n = *(struct catalog_entry **)vec_at(&t->dirs, i - 1);
        struct error why = ERROR_INIT;
        if (settle_dir(t, n, &why) < 0)
            rc = missed(n->path, &why, arg, err);
    }
    if (rc == 0 && syncfs(t->root) < 0)
        rc = error_sys(err, "flush %s", t->path);
    return rc;
}

/* ---- undoing ------------------------------------------------------------------------------------------- */

void tree_undo(struct tree *t)
{
    char shown[256];
    if (!remove_below(t->root) || (t->made && rmdir(t->path) < 0))
        log_event(LOG_WARN, "%s is incomplete and could not be removed",
                  str_printable(shown, sizeof shown, t->path));
}
