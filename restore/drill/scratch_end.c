/* What a server that was killed may leave besides its files, where it had no namespaces to die with. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/sys/fdio.h"
#include "restore/drill/scratch.h"

#include "common/base/banned.h"

enum { LINK_MAX_LEN = 4096, GONE_MS = 10000, LOCK_FILE_MAX = 1024, SHM_LINE = 7 };

/* ---- processes ------------------------------------------------------------------------------------------------ */

/* Servers work where their data is: it tells them from any other process. */
static bool works_below(int proc, const char *pid, const char *dir, unsigned uid)
{
    char name[64];
    char link[LINK_MAX_LEN];
    struct stat st;
    size_t len = strlen(dir);
    (void)snprintf(name, sizeof name, "%.32s/cwd", pid);
    ssize_t n = fstatat(proc, pid, &st, 0) == 0 && st.st_uid == uid
                    ? readlinkat(proc, name, link, sizeof link - 1)
                    : -1;
    if (n < 0)
        return false;
    link[n] = '\0';
    return strncmp(link, dir, len) == 0 && link[len] == '/';
}

/* By a descriptor: numbers of processes are used again. */
static void end_process(int proc, const char *pid, const char *dir, unsigned uid)
{
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)strtol(pid, NULL, 10), 0);
    if (fd >= 0 && works_below(proc, pid, dir, uid) &&
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0) {
        struct pollfd gone = { .fd = fd, .events = POLLIN };
        (void)poll(&gone, 1, GONE_MS);
    }
    fd_drop(&fd);
}

static void end_processes(const char *dir, unsigned uid)
{
    DIR *d = opendir("/proc");
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL)
        if (isdigit((unsigned char)e->d_name[0]) && works_below(dirfd(d), e->d_name, dir, uid))
            end_process(dirfd(d), e->d_name, dir, uid);
    if (d != NULL)
        (void)closedir(d);
}

/* ---- shared memory -------------------------------------------------------------------------------------------- */

/* "PID" in the first line, "KEY ID" in the seventh. */
static bool parse_lock_file(const char *text, long *pid, long *id)
{
    char *end = NULL;
    *pid = labs(strtol(text, NULL, 10)); /* of initdb: negative */
    for (int line = 1; line < SHM_LINE; line++) {
        text = strchr(text, '\n');
        if (text == NULL)
            return false;
        text++;
    }
    (void)strtol(text, &end, 10);
    *id = end != text ? strtol(end, &end, 10) : -1;
    return *pid > 1 && end != text && *id >= 0 && *id <= INT32_MAX;
}

/* The file is of whoever ran what was restored, and may name anything: only what that account made, as this process, goes.
 * When somebody who could not be ended still uses it, it goes with them. */
static void free_segment(long pid, long id, unsigned uid)
{
    struct shmid_ds ds;
    if (shmctl((int)id, IPC_STAT, &ds) == 0 && ds.shm_perm.cuid == uid && ds.shm_cpid == (pid_t)pid)
        (void)shmctl((int)id, IPC_RMID, NULL);
}

/* As that account, where this process is root: it can free nothing then that the account could not free itself. */
static void free_segment_as(long pid, long id, const struct stat *owner)
{
    if (geteuid() != 0) {
        free_segment(pid, id, owner->st_uid);
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, NULL) == 0 && setresgid(owner->st_gid, owner->st_gid, owner->st_gid) == 0 &&
            setresuid(owner->st_uid, owner->st_uid, owner->st_uid) == 0)
            free_segment(pid, id, owner->st_uid);
        _exit(0);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void free_memory(int run, const struct stat *owner)
{
    char text[LOCK_FILE_MAX];
    struct stat st;
    long pid = 0;
    long id = 0;
    int fd = openat(run, "data/postmaster.pid", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, text, sizeof text - 1) : -1;
    fd_drop(&fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    if (parse_lock_file(text, &pid, &id))
        free_segment_as(pid, id, owner);
}

/* Of what the server has made: run/ itself is root's while no server of root's begins. */
static bool find_owner(int run, struct stat *out)
{
    return (fstatat(run, "data", out, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(out->st_mode)) ||
           fstat(run, out) == 0;
}

void scratch_end(const char *dir)
{
    struct stat st;
    char *path = str_printf(NULL, "%s/run", dir);
    int run = path != NULL ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (run >= 0 && find_owner(run, &st)) {
        end_processes(path, st.st_uid);
        if (st.st_uid != 0) /* no server ran as root; files of its own are what a snapshot holds */
            free_memory(run, &st);
    }
    fd_drop(&run);
    free(path);
}
