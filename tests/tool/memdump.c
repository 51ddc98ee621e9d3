/*
 * memdump - the memory of a process, whether it likes it or not.
 *
 *     memdump PID OUT
 *         Stops the process, dumps it, lets it go on. Needs what ptrace needs: root, for a process that has
 *         closed itself (PR_SET_DUMPABLE 0).
 *     memdump [--on-usr1 OUT2] --at-exit OUT -- CMD ARGS...
 *         Runs CMD and dumps it at the moment it exits, when all its own code has run and its memory is still
 *         there. With --on-usr1 also when memdump gets SIGUSR1. Works without root: /proc/PID/mem is opened
 *         right after the exec, before the program can close itself, and stays open. (An intruder with the
 *         user's rights who comes later cannot do that; the test shows it.) Ends with CMD's status.
 *
 * OUT gets the contents of the mappings one after another; OUT.maps says which byte came from where: a line
 * "offset length address permissions name" each. Everything that can be read at all is read, also guard pages
 * and what a core file leaves out (MADV_DONTDUMP). Left out: mappings of files that were never writable
 * (program text), [vvar], [vdso], [vsyscall]. Pages of zeros become holes. Other threads of CMD are stopped
 * for a PID, and gone or idle at exit; their stacks are mappings like all others. Children of CMD are not
 * followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/number.h"
#include "common/base/banned.h"

enum { PAGE = 4096, BLOCK = 256 * PAGE };

struct victim {
    int mem;
    int maps;
};

static volatile sig_atomic_t asked;
static volatile pid_t watched;

static void on_usr1(int sig)
{
    (void)sig;
    if (watched > 0 && kill(watched, SIGSTOP) == 0)
        asked = 1;
}

static int fail(const char *what)
{
    perror(what);
    return -1;
}

static int open_victim(pid_t pid, struct victim *v)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    v->mem = open(path, O_RDONLY | O_CLOEXEC);
    if (v->mem < 0)
        return fail(path);
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    v->maps = open(path, O_RDONLY | O_CLOEXEC);
    return v->maps < 0 ? fail(path) : 0;
}

/* The whole of maps as text; it is read anew, the memory may have grown. */
static char *read_maps(const struct victim *v)
{
    size_t cap = 1 << 20, len = 0;
    char *text = malloc(cap);
    if (text == NULL || lseek(v->maps, 0, SEEK_SET) < 0)
        return NULL;
    for (ssize_t n = 1; n > 0; len += (size_t)n) {
        if (cap - len < 65536) {
            char *more = realloc(text, cap *= 2);
            if (more == NULL)
                break;
            text = more;
        }
        n = read(v->maps, text + len, cap - len - 1);
        if (n < 0)
            n = 0;
    }
    text[len] = '\0';
    return text;
}

static bool zeros(const uint8_t *p, size_t len)
{
    return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* One mapping; *unread counts bytes that cannot be read even by the kernel. */
static int copy_range(const struct victim *v, unsigned long long from, unsigned long long to, int out,
                      off_t *at, unsigned long long *unread)
{
    static uint8_t block[BLOCK];
    for (; from < to; from += PAGE, *at += PAGE) {
        size_t want = to - from < BLOCK ? (size_t)(to - from) : BLOCK;
        ssize_t n = pread(v->mem, block, want, (off_t)from);
        if (n < PAGE) {
            *unread += PAGE;
            continue;
        }
        for (ssize_t i = 0; i + PAGE <= n; i += PAGE)
            if (!zeros(block + i, PAGE) && pwrite(out, block + i, PAGE, *at + i) != PAGE)
                return fail("write the dump");
        ssize_t whole = n / PAGE * PAGE;
        from += (unsigned long long)whole - PAGE;
        *at += whole - PAGE;
    }
    return 0;
}

static bool left_out(const char *perms, unsigned long long inode, const char *name)
{
    return name[0] == '[' ? strncmp(name, "[v", 2) == 0 : inode != 0 && perms[1] != 'w' && perms[3] == 'p';
}

static int dump(const struct victim *v, const char *path)
{
    char maps_path[4096];
    unsigned long long unread = 0, skipped = 0;
    off_t at = 0;
    int rc = 0;
    (void)snprintf(maps_path, sizeof maps_path, "%s.maps", path);
    char *text = read_maps(v);
    int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *index = fopen(maps_path, "we");
    if (text == NULL || out < 0 || index == NULL)
        rc = fail(path);
    char *next = NULL;
    for (char *line = text; rc == 0 && line != NULL && line[0] != '\0'; line = next) {
        unsigned long long from = 0, to = 0, inode = 0;
        char perms[8] = "", name[256] = "";
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (sscanf(line, "%llx-%llx %7s %*s %*s %llu %255s", &from, &to, perms, &inode, name) < 4)
            continue;
        if (left_out(perms, inode, name)) {
            skipped += to - from;
            continue;
        }
        (void)fprintf(index, "%lld %llu %llx %s %s\n", (long long)at, to - from, from, perms, name);
        rc = copy_range(v, from, to, out, &at, &unread);
    }
    if (rc == 0 && ftruncate(out, at) < 0)
        rc = fail(path);
    if (rc == 0 && at == 0) {
        (void)fprintf(stderr, "memdump: nothing could be read\n");
        rc = -1;
    }
    if (index != NULL && fclose(index) != 0)
        rc = fail(maps_path);
    if (out >= 0)
        (void)close(out);
    free(text);
    (void)fprintf(stderr,
                  "memdump: %s: %lld bytes of mappings, %llu of read-only files left out, %llu unreadable\n",
                  path, (long long)at, skipped, unread);
    return rc;
}

/* ---- a running process --------------------------------------------------------------------------------- */

/* Every thread: the registers of a stopped one no longer change its memory. */
static int attach_all(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    int n = 0;
    while (d != NULL && (e = readdir(d)) != NULL) {
        uint64_t tid = 0;
        int status = 0;
        if (number_parse(e->d_name, 1, INT32_MAX, &tid, NULL) < 0)
            continue;
        if (ptrace(PTRACE_SEIZE, (pid_t)tid, NULL, NULL) < 0 ||
            ptrace(PTRACE_INTERRUPT, (pid_t)tid, NULL, NULL) < 0 ||
            waitpid((pid_t)tid, &status, __WALL) < 0) {
            (void)fprintf(stderr, "memdump: attach to %llu: %s\n", (unsigned long long)tid, strerror(errno));
            n = -1;
            break;
        }
        n++;
    }
    if (d != NULL)
        (void)closedir(d);
    return n > 0 ? 0 : -1;
}

static int dump_pid(const char *pid_text, const char *path)
{
    struct victim v = { -1, -1 };
    uint64_t pid = 0;
    if (number_parse(pid_text, 1, INT32_MAX, &pid, NULL) < 0)
        return 2;
    int rc = attach_all((pid_t)pid);
    if (rc == 0)
        rc = open_victim((pid_t)pid, &v);
    if (rc == 0)
        rc = dump(&v, path);
    return rc < 0 ? 1 : 0; /* the kernel lets go of what this process traced */
}

/* ---- a process from its beginning to its end ----------------------------------------------------------- */

static pid_t start(char **argv)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    (void)execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

static int follow(pid_t pid, const char *at_exit, const char *at_usr1)
{
    struct victim v = { -1, -1 };
    int status = 0, rc = 0;
    if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status) || open_victim(pid, &v) < 0)
        return 1; /* stopped after its exec, before its first instruction */
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(long)(PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL)) < 0)
        return fail("ptrace") < 0 ? 1 : 0;
    watched = at_usr1 != NULL ? pid : 0;
    (void)ptrace(PTRACE_CONT, pid, NULL, NULL);
    for (;;) {
        if (waitpid(pid, &status, 0) < 0) {
            if (errno == EINTR)
                continue;
            return 1;
        }
        if (WIFEXITED(status))
            return rc < 0 ? 1 : WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            return rc < 0 ? 1 : 128 + WTERMSIG(status);
        int sig = WSTOPSIG(status);
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8)) {
            rc = dump(&v, at_exit) < 0 ? -1 : rc;
            sig = 0;
        } else if (sig == SIGSTOP && asked != 0) {
            asked = 0;
            rc = dump(&v, at_usr1) < 0 ? -1 : rc;
            sig = 0;
        }
        (void)ptrace(PTRACE_CONT, pid, NULL, (void *)(long)sig);
    }
}

int main(int argc, char **argv)
{
    const char *at_exit = NULL, *at_usr1 = NULL;
    struct sigaction action = { .sa_handler = on_usr1 };
    int at = 1;
    if (argc == 3 && argv[1][0] != '-')
        return dump_pid(argv[1], argv[2]);
    for (; at + 1 < argc && strcmp(argv[at], "--") != 0; at += 2) {
        if (strcmp(argv[at], "--at-exit") == 0)
            at_exit = argv[at + 1];
        else if (strcmp(argv[at], "--on-usr1") == 0)
            at_usr1 = argv[at + 1];
        else
            break;
    }
    if (at_exit == NULL || at + 1 >= argc || strcmp(argv[at], "--") != 0) {
        (void)fprintf(stderr, "usage: memdump PID OUT\n"
                              "       memdump [--on-usr1 OUT2] --at-exit OUT -- CMD ARGS...\n");
        return 2;
    }
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGUSR1, &action, NULL);
    pid_t pid = start(argv + at + 1);
    return pid < 0 ? 1 : follow(pid, at_exit, at_usr1);
}
