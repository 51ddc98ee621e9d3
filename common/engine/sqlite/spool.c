#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h> /* memfd_create */
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

#define IN_MEMORY_MAX ((uint64_t)64 << 20)
#define RESERVE ((uint64_t)256 << 20) /* room that is left to others */

/* Without a name from the start: nobody finds it, and no crash leaves it behind. */
static int open_nameless(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    char *path = str_printf(NULL, "%s/backup-spool.XXXXXX", dir);
    fd = path != NULL ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd >= 0)
        (void)unlink(path);
    free(path);
    return fd;
}

static bool has_room(const char *dir, uint64_t bytes)
{
    struct statvfs fs;
    return statvfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize >= bytes + RESERVE;
}

int sqlite_spool_open(struct spool *s, const char *dir, uint64_t bytes, const char *path, struct error *err)
{
    *s = (struct spool)SPOOL_INIT;
    if (dir == NULL)
        return 0;
    if (bytes <= IN_MEMORY_MAX) {
        s->fd = memfd_create("backup-spool", MFD_CLOEXEC);
        return s->fd < 0 ? error_sys(err, "%s: memory for a copy", path) : 1;
    }
    char size[NUMBER_TEXT_MAX];
    const char *why = NULL;
    if (!has_room(dir, bytes))
        why = "there is no room for it";
    else if ((s->fd = open_nameless(dir)) < 0)
        why = strerror(errno);
    if (why == NULL)
        return 1;
    log_event(
        LOG_WARN,
        "%s: no copy of %s in %s (%s): writers have to wait until the last page is stored; name a directory "
        "with room as `spool`, or switch the database to WAL",
        path, size_format(size, bytes), dir, why);
    return 0;
}

int sqlite_spool_write(struct spool *s, const void *data, size_t len, const char *path, struct error *err)
{
    int rc = fd_write_full(s->fd, data, len, "the copy beside", err);
    if (rc < 0)
        return error_wrap(err, "%s", path);
    s->len += len;
    return 0;
}

int64_t sqlite_spool_read(struct spool *s, void *data, size_t cap, const char *path, struct error *err)
{
    size_t n = s->len - s->at < cap ? (size_t)(s->len - s->at) : cap;
    int rc = n > 0 ? fd_pread_full(s->fd, data, n, s->at, path, err) : 0;
    s->at += n;
    return rc < 0 ? rc : (int64_t)n;
}

void sqlite_spool_close(struct spool *s)
{
    fd_drop(&s->fd);
    *s = (struct spool)SPOOL_INIT;
}
