/* Who holds a lock, read from the kernel's list: a try with flock(2) would be in the way of who takes it at that moment. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buffer.h"
#include "common/base/number.h"
#include "common/sys/fdio.h"
#include "common/sys/filelock.h"

#include "common/base/banned.h"

enum { LOCKS_MAX = 4 * 1024 * 1024, BLOCK = 16 * 1024, PID_TEXT_MAX = 32 };

static int read_all(const char *path, struct buf *out, struct error *err)
{
    char block[BLOCK];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_sys(err, "%s", path);
    int rc = 0;
    ssize_t n = 0;
    while (rc == 0 && out->len < LOCKS_MAX && (n = read(fd, block, sizeof block)) > 0)
        rc = buf_append(out, block, (size_t)n, err);
    if (rc == 0 && n < 0)
        rc = error_sys(err, "%s", path);
    (void)close(fd);
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}

/* "3: FLOCK  ADVISORY  WRITE 4711 fe:01:131 0 EOF" */
static bool names_it(const char *line, const char *pid, uint64_t inode)
{
    char kind[16] = "";
    char holder[PID_TEXT_MAX] = "";
    char file[64] = "";
    if (sscanf(line, "%*s %15s %*s %*s %31s %63s", kind, holder, file) != 3 || strcmp(kind, "FLOCK") != 0)
        return false;
    const char *last = strrchr(file, ':');
    uint64_t number = 0;
    return last != NULL && number_parse(last + 1, 0, UINT64_MAX, &number, NULL) == 0 && number == inode &&
           strcmp(holder, pid) == 0;
}

/* The pid that the holder wrote; only digits are believed. */
static int read_pid(const char *path, char out[PID_TEXT_MAX], struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (fd < 0)
        return error_sys(err, "%s", path);
    ssize_t n = read(fd, out, PID_TEXT_MAX - 1);
    (void)close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strspn(out, "0123456789")] = '\0';
    return 0;
}

int filelock_held(const char *path, int64_t *since, struct error *err)
{
    struct buf locks = BUF_INIT;
    struct error why = ERROR_INIT;
    char pid[PID_TEXT_MAX];
    struct stat st;
    int found = 0;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_sys(err, "%s", path);
    int rc = read_pid(path, pid, &why);
    if (rc == 0)
        rc = read_all("/proc/locks", &locks, &why);
    for (char *line = rc == 0 ? (char *)locks.data : NULL; line != NULL && *line != '\0' && !found;) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        found = names_it(line, pid, st.st_ino);
        line = end != NULL ? end + 1 : NULL;
    }
    buf_free(&locks);
    if (found && since != NULL)
        *since = st.st_mtim.tv_sec;
    return rc < 0 ? error_copy(err, &why) : found;
}
