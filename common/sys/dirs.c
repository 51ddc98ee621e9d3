#include "common/sys/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

enum { NAME_LIMIT = 255 };

static int check_private(const char *path, struct error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return error_sys(err, "look at %s", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, E_EXISTS, "%s is not a directory", path);
    if (st.st_uid != geteuid())
        return error_set(err, E_DENIED, "%s belongs to another user (uid %u)", path, (unsigned)st.st_uid);
    if ((st.st_mode & 022) != 0)
        return error_set(err, E_DENIED, "%s can be written by others; chmod go-w %s", path, path);
    return 0;
}

/* mkdir -p without touching what exists. */
static int make_parents(char *path, struct error *err)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0700) < 0 && errno != EEXIST;
        if (failed) {
            /* A parent on a read-only or foreign file system answers other than EEXIST. */
            struct stat st;
            int saved = errno;
            if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
                errno = saved;
                return error_sys(err, "make directory %s", path);
            }
        }
        *slash = '/';
    }
    return 0;
}

int dir_make_private(const char *path, struct error *err)
{
    if (*path == '\0')
        return error_set(err, E_USAGE, "an empty directory name");
    char *copy = str_dup(path, err);
    if (copy == NULL)
        return E_NOMEM;
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
        copy[n - 1] = '\0';
    int rc = make_parents(copy, err);
    if (rc == 0 && mkdir(copy, 0700) < 0 && errno != EEXIST)
        rc = error_sys(err, "make directory %s", copy);
    if (rc == 0)
        rc = check_private(copy, err);
    free(copy);
    return rc;
}

int dir_open_at(int dir, const char *name, struct error *err)
{
    if (strcmp(name, "..") == 0 || *name == '\0' || strchr(name, '/') != NULL)
        return error_set(err, E_USAGE, "'%s' is not a name in a directory", name);
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    struct stat st;
    int saved = errno;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
        return error_set(err, E_DENIED, "%s is a symbolic link, which is not followed", name);
    errno = saved;
    return error_sys(err, "open directory %s", name);
}

int dir_open(const char *path, struct error *err)
{
    int fd = open(*path == '/' ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_sys(err, "open directory %s", path);
    for (const char *at = path + strspn(path, "/"); *at != '\0'; at += strspn(at, "/")) {
        size_t len = strcspn(at, "/");
        char name[NAME_LIMIT + 1];
        if (len > NAME_LIMIT) {
            fd_drop(&fd);
            return error_set(err, E_USAGE, "a name in %s is longer than %d bytes", path, NAME_LIMIT);
        }
        memcpy(name, at, len);
        name[len] = '\0';
        at += len;
        int next = dir_open_at(fd, name, err);
        fd_drop(&fd);
        if (next < 0) {
            (void)error_wrap(err, "%s", path);
            return next;
        }
        fd = next;
    }
    return fd;
}

int dir_sync(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_sys(err, "open directory %s", path);
    int rc = fd_sync(fd, path, err);
    fd_drop(&fd);
    return rc;
}

char *path_join(const char *a, const char *b, struct error *err)
{
    if (*b == '/') {
        (void)error_set(err, E_USAGE, "'%s' is not a relative path", b);
        return NULL;
    }
    size_t len = strlen(a);
    const char *between = len == 0 || a[len - 1] == '/' ? "" : "/";
    return str_printf(err, "%s%s%s", a, between, b);
}

char *path_dir(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return str_dup(".", err);
    while (slash > path && slash[-1] == '/')
        slash--;
    return slash == path ? str_dup("/", err) : str_dup_len(path, (size_t)(slash - path), err);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}
