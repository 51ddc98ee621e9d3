#include "common/conf/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/conf/conf.h"
#include "common/conf/sources.h"

#include "common/base/banned.h"

static int read_all(int fd, const char *path, bool may_be_packed, struct buf *out, struct error *err)
{
    for (;;) {
        int rc = buf_reserve(out, 16384, err);
        if (rc < 0)
            return rc;
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(err, "read %s", path);
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        size_t limit = may_be_packed && conf_is_packed(out) ? CONF_PACKED_MAX : CONF_FILE_MAX;
        if (out->len > limit)
            return error_set(err, E_USAGE, "%s is larger than %zu bytes", path, limit);
        if (n == 0)
            return 0;
    }
}

int conf_file_read(const char *path, bool may_be_packed, struct buf *out, struct error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_sys(err, "open %s", path);
    int rc = 0;
    if (fstat(fd, &st) < 0)
        rc = error_sys(err, "stat %s", path);
    else if (S_ISDIR(st.st_mode))
        rc = error_set(err, E_USAGE, "%s is a directory, not a configuration file", path);
    else
        rc = read_all(fd, path, may_be_packed, out, err);
    (void)close(fd); /* only read: nothing can get lost */
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(const char *dir, const char *name, struct vec *out, struct error *err)
{
    if (name[0] == '.' || !str_ends(name, ".yaml"))
        return 0;
    if (out->len >= CONF_FILES_MAX)
        return error_set(err, E_USAGE, "%s holds more than %d files", dir, CONF_FILES_MAX);
    char *path = str_printf(err, "%s/%s", dir, name);
    char **slot = path != NULL ? vec_push(out, err) : NULL;
    if (slot == NULL) {
        free(path);
        return E_NOMEM;
    }
    *slot = path;
    return 0;
}

int conf_file_list(const char *dir, struct vec *out, struct error *err)
{
    DIR *d = opendir(dir);
    if (d == NULL)
        return errno == ENOENT || errno == ENOTDIR ? 0 : error_sys(err, "open %s", dir);
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (entry == NULL) {
            if (errno != 0)
                rc = error_sys(err, "read %s", dir);
            break;
        }
        rc = add_name(dir, entry->d_name, out, err);
    }
    (void)closedir(d);
    vec_sort(out, compare_names);
    return rc;
}

char *conf_file_dir(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return str_dup(".", err);
    return str_dup_len(path, slash == path ? 1 : (size_t)(slash - path), err);
}

char *conf_file_absolute(const char *path, struct error *err)
{
    if (path[0] == '/')
        return str_dup(path, err);
    char *cwd = getcwd(NULL, 0);
    if (cwd == NULL) {
        (void)error_sys(err, "current directory");
        return NULL;
    }
    char *out =
        str_printf(err, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, str_starts(path, "./") ? path + 2 : path);
    free(cwd);
    return out;
}
