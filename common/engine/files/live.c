/* Files of a database that is in use: copied one after the other they are no backup. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

/* The first line of postmaster.pid is the server's process id. */
static long postgres_pid(int dir)
{
    char text[PID_TEXT_MAX] = "";
    int fd = look_at(dir, "postmaster.pid");
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    fd_drop(&fd);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 0 && pid == (pid_t)pid && (kill((pid_t)pid, 0) == 0 || errno == EPERM) ? pid : 0;
}

/* InnoDB keeps a lock on its system tablespace as long as the server runs. */
static bool mariadb_runs(int dir)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = look_at(dir, "ibdata1");
    bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    fd_drop(&fd);
    return held;
}

int live_refuse(int dir, const char *path, struct error *err)
{
    char shown[512];
    long pid = postgres_pid(dir);
    if (pid != 0)
        return error_set(
            err, E_UNSUPPORTED,
            "\"%s\" is the data directory of a running PostgreSQL server (postmaster.pid names process %ld): its "
            "files copied one by one are no backup. Back the database up as a database, and leave the directory "
            "out with `exclude` (after a crash: remove postmaster.pid)",
            str_printable(shown, sizeof shown, path), pid);
    if (mariadb_runs(dir))
        return error_set(
            err, E_UNSUPPORTED,
            "\"%s\" is the data directory of a running MariaDB or MySQL server (ibdata1 is locked): its files "
            "copied one by one are no backup. Back the database up as a database, and leave the directory out "
            "with `exclude`",
            str_printable(shown, sizeof shown, path));
    return 0;
}

bool live_is_wal(int fd, const char *path)
{
    static const uint8_t magic[2][WAL_MAGIC_LEN] = { { 0x37, 0x7f, 0x06, 0x82 }, { 0x37, 0x7f, 0x06, 0x83 } };
    uint8_t head[WAL_MAGIC_LEN];
    return str_ends(path, "-wal") && pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
           (memcmp(head, magic[0], sizeof head) == 0 || memcmp(head, magic[1], sizeof head) == 0);
}
