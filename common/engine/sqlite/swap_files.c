/* Names beside a live database. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/engine/sqlite/swap.h"
#include "common/engine/stamp.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { NAME_TRIES = 60, LIST_MAX = 1000, ACL_MAX = 64 * 1024 };

const char *const sqlite_sides[] = { "-wal", "-shm", "-journal", NULL };

char *sqlite_side(const char *path, const char *suffix, struct error *err)
{
    return str_printf(err, "%s%s", path, suffix);
}

char *sqlite_real_path(const char *to, struct error *err)
{
    char real[PATH_MAX];
    char *path = NULL;
    if (to == NULL || to[0] == '\0' || path_base(to)[0] == '\0') {
        (void)error_set(err, E_USAGE, "--to must name the live database file");
        return NULL;
    }
    if (realpath(to, real) != NULL)
        return str_dup(real, err);
    if (errno != ENOENT) {
        (void)error_sys(err, "%s", to);
        return NULL;
    }
    char *dir = path_dir(to, err);
    if (dir == NULL)
        return NULL;
    if (realpath(dir, real) == NULL)
        (void)error_sys(err, "directory %s", dir);
    else
        path = str_printf(err, "%s/%s", strcmp(real, "/") == 0 ? "" : real, path_base(to));
    free(dir);
    return path;
}

/* Whether `name` is a side file of a database that is not there: what a swap leaves that was killed after it had moved the
 * log and before it moved the file. Then *out is the database's path. */
static int lone_side(const char *live, const char *mark, const char *name, char **out, struct error *err)
{
    const char *base = path_base(live);
    struct stat st;
    for (size_t i = 0; *out == NULL && sqlite_sides[i] != NULL; i++) {
        size_t head = strlen(base) + strlen(mark);
        if (!str_starts(name, base) || !str_starts(name + strlen(base), mark) ||
            !str_ends(name, sqlite_sides[i]) || strlen(name) <= head + strlen(sqlite_sides[i]))
            continue;
        char *path = str_printf(err, "%.*s%.*s", (int)(base - live), live,
                                (int)(strlen(name) - strlen(sqlite_sides[i])), name);
        if (path == NULL)
            return E_NOMEM;
        if (stamp_is_name(path_base(path) + head) && lstat(path, &st) < 0 && errno == ENOENT)
            *out = path;
        else
            free(path);
    }
    return 0;
}

/* The name that a swap which was killed had begun to use; *out NULL: there is none. Not when the live one has a log again. */
static int begun_name(const char *live, const char *mark, char **out, struct error *err)
{
    bool sides = false;
    *out = NULL;
    int rc = sqlite_has_sides(live, &sides, err);
    if (rc < 0 || sides)
        return rc;
    char *dir_path = path_dir(live, err);
    DIR *dir = dir_path != NULL ? opendir(dir_path) : NULL;
    rc = dir_path == NULL ? E_NOMEM : dir == NULL ? error_sys(err, "directory %s", dir_path) : 0;
    const struct dirent *e = NULL;
    while (rc == 0 && *out == NULL && ((void)(errno = 0), e = readdir(dir)) != NULL)
        rc = lone_side(live, mark, e->d_name, out, err);
    if (rc == 0 && *out == NULL && errno != 0)
        rc = error_sys(err, "directory %s", dir_path);
    if (dir != NULL)
        (void)closedir(dir);
    free(dir_path);
    return rc;
}

char *sqlite_beside_name(const char *live, const char *mark, struct error *err)
{
    uint64_t now = clock_wall();
    char *begun = NULL;
    if (begun_name(live, mark, &begun, err) < 0 || begun != NULL)
        return begun;
    for (unsigned i = 0; i < NAME_TRIES; i++) {
        char when[STAMP_MAX];
        struct stat st;
        char *name = str_printf(err, "%s%s%s", live, mark, stamp_name(when, now + i));
        if (name == NULL)
            return NULL;
        if (lstat(name, &st) < 0 && errno == ENOENT)
            return name;
        int sys = errno;
        if (sys == ENAMETOOLONG) {
            errno = sys;
            (void)error_sys(err, "%s", name);
        }
        free(name);
        if (sys == ENAMETOOLONG)
            return NULL;
    }
    (void)error_set(err, E_EXISTS, "names such as %s%sTIME are taken; try again in a minute", live, mark);
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int take(const char *live, const char *mark, const char *name, struct vec *out, struct error *err)
{
    const char *base = path_base(live);
    if (!str_starts(name, base) || !str_starts(name + strlen(base), mark) ||
        !stamp_is_name(name + strlen(base) + strlen(mark)))
        return 0;
    if (out->len >= LIST_MAX)
        return error_set(err, E_UNSUPPORTED, "more than %d files lie beside %s", LIST_MAX, live);
    char **slot = vec_push(out, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = str_printf(err, "%.*s%s", (int)(base - live), live, name);
    return *slot != NULL ? 0 : E_NOMEM;
}

int sqlite_beside_list(const char *live, const char *mark, struct vec *out, struct error *err)
{
    *out = (struct vec)VEC_OF(char *);
    char *path = path_dir(live, err);
    DIR *dir = path != NULL ? opendir(path) : NULL;
    int rc = path == NULL ? E_NOMEM : dir == NULL ? error_sys(err, "directory %s", path) : 0;
    const struct dirent *e = NULL;
    while (rc == 0 && ((void)(errno = 0), e = readdir(dir)) != NULL)
        rc = take(live, mark, e->d_name, out, err);
    if (rc == 0 && errno != 0)
        rc = error_sys(err, "directory %s", path);
    if (dir != NULL)
        (void)closedir(dir);
    free(path);
    vec_sort(out, by_text);
    return rc;
}

void sqlite_paths_free(struct vec *paths)
{
    for (size_t i = 0; i < paths->len; i++)
        free(*(char **)vec_at(paths, i));
    vec_free(paths);
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* ---- side files ------------------------------------------------------------------------------------------- */

/* Renames path-wal and so on to those of `to`, or removes them (to NULL). A -shm is never kept. */
int sqlite_move_sides(const char *path, const char *to, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && sqlite_sides[i] != NULL; i++) {
        bool remove = to == NULL || strcmp(sqlite_sides[i], "-shm") == 0;
        char *old = sqlite_side(path, sqlite_sides[i], err);
        char *new = to != NULL ? sqlite_side(to, sqlite_sides[i], err) : NULL;
        if (old == NULL || (to != NULL && new == NULL))
            rc = E_NOMEM;
        else if (is_there(old) &&
                 (remove ? unlink(old) < 0 : renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_NOREPLACE) < 0))
            rc = error_sys(err, "move %s away", old);
        free(old);
        free(new);
    }
    return rc;
}

int sqlite_has_sides(const char *path, bool *out, struct error *err)
{
    *out = false;
    for (size_t i = 0; sqlite_sides[i] != NULL; i++) {
        struct stat st;
        char *side = sqlite_side(path, sqlite_sides[i], err);
        if (side == NULL)
            return E_NOMEM;
        *out = *out || (strcmp(sqlite_sides[i], "-shm") != 0 && lstat(side, &st) == 0 && st.st_size > 0);
        free(side);
    }
    return 0;
}

/* ---- like the live one ----------------------------------------------------------------------------------- */

static int copy_acl(int fd, const char *path, const char *like, struct error *err)
{
    static const char name[] = "system.posix_acl_access";
    char acl[ACL_MAX];
    ssize_t n = getxattr(like, name, acl, sizeof acl);
    if (n < 0)
        return errno == ENODATA || errno == ENOTSUP ? 0 : error_sys(err, "the ACL of %s", like);
    return fsetxattr(fd, name, acl, (size_t)n, 0) == 0 ? 0
                                                       : error_sys(err, "give %s the ACL of %s", path, like);
}

int sqlite_own_like(const char *path, const char *like, struct error *err)
{
    struct stat want;
    struct stat have;
    int rc = 0;
    if (stat(like, &want) < 0)
        return error_sys(err, "%s", like);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_sys(err, "%s", path);
    if (fstat(fd, &have) < 0)
        rc = error_sys(err, "%s", path);
    if (rc == 0 && (have.st_uid != want.st_uid || have.st_gid != want.st_gid) &&
        fchown(fd, want.st_uid, want.st_gid) < 0)
        rc = error_sys(err, "give %s the owner of %s (uid %u, gid %u)", path, like, (unsigned)want.st_uid,
                       (unsigned)want.st_gid);
    if (rc == 0 && fchmod(fd, want.st_mode & 0777) < 0)
        rc = error_sys(err, "give %s the permissions of %s", path, like);
    rc = rc == 0 ? copy_acl(fd, path, like, err) : rc;
    rc = rc == 0 ? fd_sync(fd, path, err) : rc;
    fd_drop(&fd);
    return rc;
}
