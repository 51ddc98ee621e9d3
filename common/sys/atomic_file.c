#include "common/sys/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

static const char temp_suffix[] = ".XXXXXX.tmp";

/* "dir/.name.XXXXXX.tmp" for mkostemps. */
static char *temp_template(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    if (*name == '\0') {
        (void)error_set(err, E_USAGE, "'%s' does not name a file", path);
        return NULL;
    }
    return str_printf(err, "%.*s.%s%s", (int)(name - path), path, name, temp_suffix);
}

static int write_temp(int fd, const void *data, size_t len, unsigned mode, const char *name,
                      struct error *err)
{
    int rc = fd_write_full(fd, data, len, name, err);
    if (rc == 0 && fchmod(fd, (mode_t)mode) < 0)
        rc = error_sys(err, "set the mode of %s", name);
    if (rc == 0)
        rc = fd_sync(fd, name, err);
    return rc;
}

/* Gives the temporary file its name; on success no file is left under the temporary name. */
static int publish(const char *temp, const char *path, enum file_write_how how, struct error *err)
{
    if (how == FILE_REPLACE)
        return rename(temp, path) == 0 ? 0 : error_sys(err, "rename to %s", path);
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST)
        return error_set(err, E_EXISTS, "%s exists already", path);
    if (errno != EINVAL && errno != ENOSYS)
        return error_sys(err, "rename to %s", path);
    /* A file system without the flag: a hard link never replaces either. */
    if (link(temp, path) < 0)
        return errno == EEXIST ? error_set(err, E_EXISTS, "%s exists already", path)
                               : error_sys(err, "create %s", path);
    (void)unlink(temp);
    return 0;
}

int file_publish(const char *temp, const char *path, enum file_write_how how, struct error *err)
{
    char *dir = path_dir(path, err);
    int rc = dir != NULL ? publish(temp, path, how, err) : E_NOMEM;
    rc = rc < 0 ? rc : dir_sync(dir, err);
    free(dir);
    return rc;
}

int file_write_atomic(const char *path, const void *data, size_t len, unsigned mode, enum file_write_how how,
                      struct error *err)
{
    int fd = -1;
    bool made = false;
    int rc = E_NOMEM;
    char *dir = NULL;
    char *temp = temp_template(path, err);
    if (temp == NULL)
        return err != NULL ? err->code : E_NOMEM;
    if ((dir = path_dir(path, err)) == NULL)
        goto out;
    fd = mkostemps(temp, 4, O_CLOEXEC);
    if (fd < 0) {
        rc = error_sys(err, "create a file in %s", dir);
        goto out;
    }
    made = true;
    if ((rc = write_temp(fd, data, len, mode, path, err)) < 0 || (rc = fd_close(&fd, path, err)) < 0 ||
        (rc = publish(temp, path, how, err)) < 0)
        goto out;
    made = false;
    rc = dir_sync(dir, err);
out:
    fd_drop(&fd);
    if (made)
        (void)unlink(temp);
    free(temp);
    free(dir);
    return rc;
}

int file_read_small(const char *path, size_t limit, struct buf *out, struct error *err)
{
    struct stat st;
    int rc;
    int fd = fd_open_read(path, err);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        rc = error_sys(err, "look at %s", path);
    else if (!S_ISREG(st.st_mode))
        rc = error_set(err, E_USAGE, "%s is not a regular file", path);
    else
        rc = fd_read_all(fd, limit, out, path, err);
    fd_drop(&fd);
    return rc;
}
