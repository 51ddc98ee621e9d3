#include "restore/target/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sys/fdio.h"

#include "common/base/banned.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

enum sweep { SWEPT, DEEPER, STUCK };

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
        if (*next < 0 && full && errno == EACCES && fchmodat(copy, e->d_name, 0700, 0) == 0)
            *next = openat(copy, e->d_name, DIR_FLAGS);
        result = *next >= 0 ? DEEPER : STUCK;
    }
    if (d != NULL)
        (void)closedir(d);
    return result;
}

/* One descriptor at a time, and no stack: a tree may be deeper than either. */
bool remove_below(int dir)
{
    struct stat root;
    struct stat st;
    size_t depth = 0;
    int at = openat(dir, ".", DIR_FLAGS);
    bool good = at >= 0 && fstat(at, &root) == 0;
    while (good) {
        int next = -1;
        (void)fchmod(at, 0700); /* some got their own permissions already */
        enum sweep result = sweep(at, &next);
        if (result == SWEPT) {
            if (depth == 0)
                break;
            next = openat(at, "..", DIR_FLAGS);
            depth--;
        } else {
            depth++;
        }
        good = result != STUCK && next >= 0 && fstat(next, &st) == 0 && st.st_dev == root.st_dev;
        fd_drop(&at);
        at = next;
    }
    fd_drop(&at);
    return good;
}
