#include "restore/target/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/vec.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

enum sweep { SWEPT, DEEPER, STUCK };

/* A directory that was left for one below it. */
struct step {
    dev_t dev;
    ino_t ino;
};

/* Removes what can be removed in one directory; *next becomes an open subdirectory that is not empty. */
static enum sweep sweep(int dir, int *next)
{
    int copy = openat(dir, ".", DIR_FLAGS);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    enum sweep result = d != NULL ? SWEPT : STUCK;
    if (d == NULL)
        fd_drop(&copy);
    while (result == SWEPT) {
        const struct dirent *e = readdir(d);
        if (e == NULL)
            break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(copy, e->d_name, 0) == 0 || unlinkat(copy, e->d_name, AT_REMOVEDIR) == 0)
            continue;
        bool full = errno == ENOTEMPTY || errno == EEXIST;
        *next = full ? openat(copy, e->d_name, DIR_FLAGS) : -1;
        if (*next < 0 && full && errno == EACCES && fchmodat(copy, e->d_name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
            *next = openat(copy, e->d_name, DIR_FLAGS);
        result = *next >= 0 ? DEEPER : STUCK;
    }
    if (d != NULL)
        (void)closedir(d);
    return result;
}

/* Back to where the directory was entered from. Somebody who still runs may move it away while it is emptied: its ".." then
 * leads out of the tree, and what is there is not ours to remove. */
static int climb(int at, struct vec *way)
{
    struct stat st;
    const struct step from = *(const struct step *)vec_at(way, --way->len);
    int up = openat(at, "..", DIR_FLAGS);
    if (up >= 0 && (fstat(up, &st) < 0 || st.st_ino != from.ino || st.st_dev != from.dev))
        fd_drop(&up);
    return up;
}

static bool remember(struct vec *way, int at)
{
    struct stat st;
    struct step *step = fstat(at, &st) == 0 ? vec_push(way, NULL) : NULL;
    if (step != NULL)
        *step = (struct step){ .dev = st.st_dev, .ino = st.st_ino };
    return step != NULL;
}

/* One descriptor at a time: a tree may be deeper than there are. */
bool remove_below(int dir)
{
    struct vec way = VEC_OF(struct step);
    struct stat root;
    struct stat st;
    int at = openat(dir, ".", DIR_FLAGS);
    bool good = at >= 0 && fstat(at, &root) == 0;
    while (good) {
        int next = -1;
        (void)fchmod(at, 0700); /* some got their own permissions already */
        enum sweep result = sweep(at, &next);
        if (result == SWEPT && way.len == 0)
            break;
        if (result == SWEPT)
            next = climb(at, &way);
        good = result != STUCK && next >= 0 && (result == SWEPT || remember(&way, at)) &&
               fstat(next, &st) == 0 && st.st_dev == root.st_dev;
        fd_drop(&at);
        at = next;
    }
    fd_drop(&at);
    vec_free(&way);
    return good;
}
