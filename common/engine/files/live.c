/* Files of a database that is in use: copied one after the other they are no backup. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/files/internal.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

#define LOOK_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

enum { PID_TEXT_MAX = 32, WAL_MAGIC_LEN = 4 };

/* Only a regular file: a fifo of that name would lose what is in it. */
static int look_at(int dir, const char *name)
{
    struct stat st;
    int fd = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
                 ? openat(dir, name, LOOK_FLAGS)
                 : -1;
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
        fd_drop(&fd);
    return fd;
}

static bool is_there(int dir, const char *name)
{
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* The first line of postmaster.pid is the server's process id; 0 when there is none to read. */
static long postgres_pid(int dir)
{
    char text[PID_TEXT_MAX] = "";
    int fd = look_at(dir, "postmaster.pid");
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    fd_drop(&fd);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

/* The file goes away when a server ends as it should. Whether its process runs says little: a server in a container
 * has a number of its own there, and after a crash the number may be somebody else's. */
static bool postgres_is_there(int dir, char *what, size_t cap)
{
    if (!is_there(dir, "postmaster.pid") || !is_there(dir, "PG_VERSION"))
        return false;
    long pid = postgres_pid(dir);
    bool runs = pid > 0 && pid == (pid_t)pid && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
    (void)snprintf(what, cap,
                   "the data directory of a PostgreSQL server (postmaster.pid names process %ld, which %s)",
                   pid, runs ? "runs" : "does not run here: after a crash remove the file");
    return true;
}

/* Files that a server keeps locked as long as it runs, in whatever container. */
static bool holds_lock(int dir, const char *name)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = look_at(dir, name);
    bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    fd_drop(&fd);
    return held;
}

bool live_is_database(int dir, char *what, size_t cap)
{
    static const struct {
        const char *name;
        const char *of;
    } locks[] = { { "ibdata1", "MariaDB or MySQL" },
                  { "aria_log_control", "MariaDB" },
                  { "WiredTiger.lock", "MongoDB" } };
    if (postgres_is_there(dir, what, cap))
        return true;
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
        if (!holds_lock(dir, locks[i].name))
            continue;
        (void)snprintf(what, cap, "the data directory of a running %s server (%s is locked)", locks[i].of,
                       locks[i].name);
        return true;
    }
    return false;
}

int live_refuse(int dir, const char *path, struct error *err)
{
    char shown[512];
    char what[LIVE_TEXT_MAX];
    if (!live_is_database(dir, what, sizeof what))
        return 0;
    return error_set(
        err, E_UNSUPPORTED,
        "\"%s\" is %s: its files copied one by one are no backup. Back the database up as a database",
        str_printable(shown, sizeof shown, path), what);
}

bool live_is_wal(int fd, const char *path)
{
    static const uint8_t magic[2][WAL_MAGIC_LEN] = { { 0x37, 0x7f, 0x06, 0x82 }, { 0x37, 0x7f, 0x06, 0x83 } };
    uint8_t head[WAL_MAGIC_LEN];
    return str_ends(path, "-wal") && pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
           (memcmp(head, magic[0], sizeof head) == 0 || memcmp(head, magic[1], sizeof head) == 0);
}
