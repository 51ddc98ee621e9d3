#include "common/sys/filelock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"
#include "common/base/banned.h"

struct filelock {
    int fd;
};

enum { PID_TEXT = 32, PAUSE_MS = 100 };

/* What the holder wrote; only digits are believed. */
static void read_holder(int fd, char out[PID_TEXT])
{
    ssize_t n = pread(fd, out, PID_TEXT - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    out[strspn(out, "0123456789")] = '\0';
}

static int write_holder(int fd, const char *path, struct error *err)
{
    char text[PID_TEXT];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0)
        return error_sys(err, "write %s", path);
    return fd_pwrite_full(fd, text, (size_t)len, 0, path, err);
}

static int try_lock(int fd)
{
    int rc;
    do
        rc = flock(fd, LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    return rc;
}

static int lock_file(int fd, const char *path, struct error *err)
{
    if (try_lock(fd) == 0)
        return write_holder(fd, path, err);
    if (errno != EWOULDBLOCK)
        return error_sys(err, "lock %s", path);
    char pid[PID_TEXT];
    read_holder(fd, pid);
    return error_set(err, E_BUSY, "%s is locked by another run (pid %s)", path,
                     pid[0] != '\0' ? pid : "unknown");
}

static int lock_dir(int fd, const char *path, struct error *err)
{
    if (try_lock(fd) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return error_set(err, E_BUSY, "directory %s is locked by another run", path);
    return error_set(err, E_UNSUPPORTED, "directory %s cannot be locked: %s", path, strerror(errno));
}

static struct filelock *take(const char *path, bool dir, struct error *err)
{
    const int flags = dir ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT | O_NOFOLLOW;
    struct filelock *lock = mem_alloc(1, sizeof *lock, err);
    if (lock == NULL)
        return NULL;
    lock->fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
    if (lock->fd < 0)
        (void)error_sys(err, dir ? "directory %s" : "open lock file %s", path);
    else if ((dir ? lock_dir(lock->fd, path, err) : lock_file(lock->fd, path, err)) == 0)
        return lock;
    fd_drop(&lock->fd);
    free(lock);
    return NULL;
}

static struct filelock *wait_for(const char *path, bool dir, unsigned ms, struct error *err)
{
    const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000L * 1000 };
    for (unsigned waited = 0;; waited += PAUSE_MS) {
        struct error why = ERROR_INIT;
        struct filelock *lock = take(path, dir, &why);
        if (lock != NULL)
            return lock;
        if (why.code != E_BUSY || waited >= ms) {
            (void)error_copy(err, &why);
            return NULL;
        }
        if (interrupt_check(err) < 0)
            return NULL;
        (void)nanosleep(&pause, NULL);
    }
}

struct filelock *filelock_take(const char *path, struct error *err)
{
    return take(path, false, err);
}

struct filelock *filelock_wait(const char *path, unsigned ms, struct error *err)
{
    return wait_for(path, false, ms, err);
}

struct filelock *filelock_dir(const char *path, unsigned ms, struct error *err)
{
    return wait_for(path, true, ms, err);
}

int filelock_pass(const struct filelock *lock, struct error *err)
{
    return fcntl(lock->fd, F_SETFD, 0) < 0 ? error_sys(err, "hand over a lock") : lock->fd;
}

struct filelock *filelock_adopt(int fd, const char *path, struct error *err)
{
    struct stat is;
    struct stat wanted;
    if (fstat(fd, &is) < 0 || lstat(path, &wanted) < 0 || is.st_dev != wanted.st_dev ||
        is.st_ino != wanted.st_ino || try_lock(fd) < 0) {
        (void)error_set(err, E_USAGE, "descriptor %d holds no lock on %s", fd, path);
        return NULL;
    }
    struct filelock *lock = mem_alloc(1, sizeof *lock, err);
    if (lock == NULL)
        return NULL;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    lock->fd = fd;
    return lock;
}

void filelock_free(struct filelock *lock)
{
    if (lock == NULL)
        return;
    fd_drop(&lock->fd);
    free(lock);
}
