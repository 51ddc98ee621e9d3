#include "common/sys/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/base/vec.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum {
    PATH_LEN = 64,
    BLOCK = 16 * 1024,
    WAIT_MS = 5000,   /* for all that was killed */
    PASSES_MAX = 100, /* what starts faster than it is found is not caught */
    KILLED_MAX = 256, /* descriptors at a time; what is over it is found by the next pass */
    RANDOM_LEN = SWEEP_VALUE_LEN / 2,
    STAT_MAX = 2048,
    EXEC_LOOKS_MAX = 200, /* a millisecond each, at one that is between two programs */
};

/* Killed, and not gone yet. */
struct dying {
    long pid;
    int fd;
};

struct hunt {
    const char *mark;
    struct vec dying;
    uint64_t deadline;
    size_t ended;
    size_t denied; /* in this pass: found, and this account may not kill them */
};

/* ---- marks ------------------------------------------------------------------------------------------------------------- */

int sweep_mark_again(char out[SWEEP_MARK_MAX], const char *name, const char *value, struct error *err)
{
    unsigned char bits[RANDOM_LEN];
    if (strlen(name) + 1 + SWEEP_VALUE_LEN >= SWEEP_MARK_MAX ||
        strnlen(value, SWEEP_VALUE_LEN) != SWEEP_VALUE_LEN || !hex_decode(bits, sizeof bits, value))
        return error_set(err, E_USAGE, "%s: no mark of a process", name);
    (void)snprintf(out, SWEEP_MARK_MAX, "%s=%.*s", name, (int)SWEEP_VALUE_LEN, value);
    return 0;
}

int sweep_mark(char out[SWEEP_MARK_MAX], const char *name, struct error *err)
{
    unsigned char bits[RANDOM_LEN];
    char value[SWEEP_VALUE_LEN + 1];
    if (getrandom(bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        return error_sys(err, "get random bytes");
    hex_encode(value, bits, sizeof bits);
    return sweep_mark_again(out, name, value, err);
}

/* ---- one process ------------------------------------------------------------------------------------------------------- */

/* The next bytes of an environment. *at: how much of the mark the variable is so far, SIZE_MAX: it is another one. True: one
 * that ends here is the mark. */
static bool look(const char *block, size_t n, const char *mark, size_t len, size_t *at)
{
    for (size_t i = 0; i < n; i++) {
        if (block[i] == '\0') {
            if (*at == len)
                return true;
            *at = 0;
        } else {
            *at = *at < len && block[i] == mark[*at] ? *at + 1 : SIZE_MAX;
        }
    }
    return false;
}

/* Between two programs (execve) a process has no environment for a moment, and what was opened before is empty from then on. Whether
 * it is no use to look again: it was started with none, is ending, or is the kernel's. proc(5), stat: fields 3, 9, 50 and 51. */
static bool has_none(long pid)
{
    enum { FLAGS = 9, ENV_START = 50, ENV_END = 51, EXITING = 0x4, KERNEL = 0x00200000 };
    char path[PATH_LEN];
    char text[STAT_MAX];
    unsigned long long values[ENV_END + 1] = { 0 };
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    fd_drop(&fd);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strrchr(text, ')'); /* behind the name, which may hold anything */
    if (at == NULL || strlen(at) < 4 || at[2] == 'Z' || at[2] == 'X')
        return true;
    at += 3;
    for (size_t i = 4; i <= ENV_END; i++) {
        char *end = NULL;
        values[i] = strtoull(at, &end, 10);
        if (end == at)
            return true;
        at = end;
    }
    return (values[FLAGS] & (EXITING | KERNEL)) != 0 ||
           (values[ENV_END] != 0 && values[ENV_END] == values[ENV_START]);
}

/* 1 or 0; 0, too, of one that has ended or may not be looked into. *empty: there was nothing to read. */
static int look_into(long pid, const char *mark, bool *empty, struct error *err)
{
    char path[PATH_LEN];
    char block[BLOCK];
    size_t at = 0;
    size_t len = strlen(mark);
    size_t total = 0;
    ssize_t n = 0;
    bool found = false;
    (void)snprintf(path, sizeof path, "/proc/%ld/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return error_sys(err, "open %s", path);
    while (fd >= 0 && !found && total <= SWEEP_ENVIRONMENT_MAX && (n = read(fd, block, sizeof block)) > 0) {
        found = look(block, (size_t)n, mark, len, &at);
        total += (size_t)n;
    }
    *empty = fd >= 0 && total == 0;
    fd_drop(&fd);
    return found;
}

static int is_marked(long pid, const char *mark, struct error *err)
{
    static const struct timespec moment = { .tv_nsec = 1000000 };
    bool empty = false;
    int rc = look_into(pid, mark, &empty, err);
    for (int i = 0; i < EXEC_LOOKS_MAX && rc == 0 && empty && !has_none(pid); i++) {
        (void)nanosleep(&moment, NULL);
        rc = look_into(pid, mark, &empty, err);
    }
    return rc;
}

static bool is_dying(const struct hunt *h, long pid)
{
    for (size_t i = 0; i < h->dying.len; i++)
        if (((const struct dying *)vec_at(&h->dying, i))->pid == pid)
            return true;
    return false;
}

/* 1: it was killed. 0: it is another's, or has ended by itself. */
static int hunt_one(struct hunt *h, long pid, struct error *err)
{
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0U);
    if (fd < 0 && (errno == ESRCH || errno == EINVAL))
        return 0;
    if (fd < 0 && errno == ENOSYS)
        return error_set(err, E_UNSUPPORTED, "this system has no descriptors of processes (pidfd_open)");
    if (fd < 0)
        return error_sys(err, "look at process %ld", pid);
    struct dying *place = NULL;
    int rc = is_marked(pid, h->mark, err);
    if (rc > 0 && (place = vec_push(&h->dying, err)) == NULL)
        rc = E_NOMEM;
    if (rc > 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0U) == 0) {
        *place = (struct dying){ .pid = pid, .fd = fd };
        return rc;
    }
    if (rc > 0) {
        h->dying.len--; /* it has ended since, or belongs to another account */
        h->denied += errno == EPERM ? 1 : 0;
        rc = 0;
    }
    fd_drop(&fd);
    return rc;
}

/* ---- all ----------------------------------------------------------------------------------------------------------------- */

/* How many were killed. */
static int64_t pass(struct hunt *h, struct error *err)
{
    DIR *dir = opendir("/proc");
    int64_t n = 0;
    h->denied = 0;
    int rc = dir != NULL ? 0 : error_sys(err, "look for processes in /proc");
    for (const struct dirent *e = NULL;
         rc >= 0 && h->dying.len < KILLED_MAX && dir != NULL && (e = readdir(dir)) != NULL;) {
        char *end = NULL;
        long pid = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? strtol(e->d_name, &end, 10) : 0;
        if (pid <= 0 || *end != '\0' || pid == (long)getpid() || is_dying(h, pid))
            continue;
        rc = hunt_one(h, pid, err);
        n += rc > 0 ? 1 : 0;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return rc < 0 ? rc : n;
}

/* Until they are gone, or the time is. */
static void wait_for_ends(struct hunt *h)
{
    for (size_t i = h->dying.len; i > 0; i--) {
        struct dying *d = vec_at(&h->dying, i - 1);
        struct pollfd end = { .fd = d->fd, .events = POLLIN };
        uint64_t now = clock_mono_ms();
        while (poll(&end, 1, now < h->deadline ? (int)(h->deadline - now) : 0) < 0 && errno == EINTR)
            now = clock_mono_ms();
        if (end.revents == 0)
            continue;
        fd_drop(&d->fd);
        *d = *(struct dying *)vec_at(&h->dying, h->dying.len - 1);
        h->dying.len--;
        h->ended++;
    }
}

int sweep(const char *mark, struct swept *out, struct error *err)
{
    struct hunt h = { .mark = mark, .dying = VEC_OF(struct dying), .deadline = clock_mono_ms() + WAIT_MS };
    int64_t n = 1;
    for (int i = 0; i < PASSES_MAX && n > 0; i++) {
        n = pass(&h, err);
        wait_for_ends(&h);
        if (clock_mono_ms() >= h.deadline)
            break;
    }
    *out = (struct swept){ .ended = h.ended, .all = n == 0 && h.dying.len == 0 && h.denied == 0 };
    for (size_t i = 0; i < h.dying.len; i++)
        fd_drop(&((struct dying *)vec_at(&h.dying, i))->fd);
    vec_free(&h.dying);
    return n < 0 ? (int)n : 0;
}
