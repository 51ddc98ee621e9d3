#include "common/sys/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/banned.h"

enum { NAMESPACES = CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS };

/* Not clone(3), which wants a stack: like fork the child goes on here, with a copy of this one. */
long confine_fork(const struct confine *c)
{
    unsigned long flags = SIGCHLD;
    if (c == NULL || !c->alone)
        return (long)fork();
    flags |= NAMESPACES;
    if (geteuid() != 0)
        flags |= CLONE_NEWUSER;
    return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t len = strlen(text);
    bool good = fd >= 0 && write(fd, text, len) == (ssize_t)len;
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = why;
    return good;
}

/* snprintf is not async-signal-safe by the letter. */
static const char *map_text(char out[64], unsigned id)
{
    char digits[12];
    size_t n = 0;
    size_t len = 0;
    do
        digits[n++] = (char)('0' + id % 10);
    while ((id /= 10) != 0);
    for (int twice = 0; twice < 2; twice++) {
        for (size_t i = n; i > 0; i--)
            out[len++] = digits[i - 1];
        out[len++] = ' ';
    }
    out[len++] = '1';
    out[len] = '\0';
    return out;
}

/* The same account inside as outside. Its files in /proc are root's while nobody may look into this process. */
static bool map_self(unsigned uid, unsigned gid)
{
    char text[64];
    int dumpable = prctl(PR_GET_DUMPABLE);
    (void)prctl(PR_SET_DUMPABLE, 1);
    bool good = write_file("/proc/self/setgroups", "deny") &&
                write_file("/proc/self/uid_map", map_text(text, uid)) &&
                write_file("/proc/self/gid_map", map_text(text, gid));
    int why = errno;
    (void)prctl(PR_SET_DUMPABLE, dumpable == 1 ? 1 : 0);
    errno = why;
    return good;
}

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return path != NULL && strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Sockets are files: who has no network may still ask the server next door. */
static bool hide(const struct confine *c, const char *program)
{
    static const char *const dirs[] = { "/run", "/dev/shm", "/tmp" };
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        if (is_below(c->dir, dirs[i]) || is_below(program, dirs[i]))
            continue;
        if (mount("none", dirs[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m") < 0 &&
            errno != ENOENT)
            return false;
    }
    return true;
}

/* Without the C library, which would have all threads do so: it knows nothing of this fork, and waits for ever for one that its
 * parent was just starting. This is the only thread here. */
static bool become(const struct confine *c)
{
    if (c->uid == 0 || geteuid() != 0)
        return true;
    return syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, c->gid, c->gid, c->gid) == 0 &&
           syscall(SYS_setresuid, c->uid, c->uid, c->uid) == 0;
}

bool confine_enter(const struct confine *c, const char *program)
{
    bool mapped = c->alone && syscall(SYS_geteuid) != 0;
    if (mapped) {
        /* Not mapped yet, the system says "nobody": the numbers are those of the parent. */
        unsigned uid = c->uid, gid = c->gid;
        if (!map_self(uid, gid))
            return false;
    }
    if (c->alone && !hide(c, program))
        return false;
    return become(c) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

void confine_find(struct confine *c)
{
    int status = 0;
    int pipes[2] = { -1, -1 };
    int code = 0;
    if (geteuid() != 0) {
        c->uid = (unsigned)geteuid();
        c->gid = (unsigned)getegid();
    }
    c->alone = true;
    c->why[0] = '\0';
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        c->alone = false;
        (void)snprintf(c->why, sizeof c->why, "no pipe: %s", strerrordesc_np(errno));
        return;
    }
    long pid = confine_fork(c);
    if (pid == 0) {
        bool good = confine_enter(c, NULL);
        code = errno;
        (void)!write(pipes[1], &code, sizeof code);
        _exit(good ? 0 : 1);
    }
    code = errno;
    (void)close(pipes[1]);
    if (pid > 0) {
        (void)!read(pipes[0], &code, sizeof code);
        while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    (void)close(pipes[0]);
    c->alone = pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!c->alone)
        (void)snprintf(c->why, sizeof c->why, "this system gives no namespaces to %s (%s)",
                       geteuid() == 0 ? "root" : "this user", strerrordesc_np(code));
}
