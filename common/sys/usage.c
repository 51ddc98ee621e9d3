/* usage.c - processor time and bytes of a tree of processes, from /proc. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/sys/fdio.h"
#include "common/sys/limits.h"

#include "common/base/banned.h"

enum { PATH_LEN = 96, STAT_LEN = 1024, LIST_LEN = 4096, SPACES_BEFORE = 12, TIMES = 4 };

struct tree {
    long pids[PROCESS_TREE_MAX];
    size_t n;
};

/* What fits, as text; false when it cannot be read. */
static bool slurp(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, cap - 1) : -1;
    out[n > 0 ? n : 0] = '\0';
    fd_drop(&fd);
    return n >= 0;
}

/* utime, stime, and those of children that have ended, in ticks; the name before them may hold anything but ends with ')'. */
static bool add_cpu(long pid, uint64_t *ticks)
{
    char path[PATH_LEN];
    char text[STAT_LEN];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    const char *p = slurp(path, text, sizeof text) ? strrchr(text, ')') : NULL;
    for (int i = 0; p != NULL && i < SPACES_BEFORE; i++)
        p = (p = strchr(p, ' ')) != NULL ? p + 1 : NULL;
    for (int i = 0; p != NULL && i < TIMES; i++) {
        char *end = NULL;
        *ticks += strtoull(p, &end, 10);
        p = end;
    }
    return p != NULL;
}

static void add_io(long pid, uint64_t *bytes)
{
    static const char *const names[] = { "rchar: ", "wchar: " };
    char path[PATH_LEN];
    char text[STAT_LEN];
    (void)snprintf(path, sizeof path, "/proc/%ld/io", pid);
    if (!slurp(path, text, sizeof text))
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *p = strstr(text, names[i]);
        *bytes += p != NULL ? strtoull(p + strlen(names[i]), NULL, 10) : 0;
    }
}

static void add_children(struct tree *t, const char *path)
{
    char text[LIST_LEN];
    if (!slurp(path, text, sizeof text))
        return;
    for (char *p = text, *end = NULL; t->n < PROCESS_TREE_MAX; p = end) {
        long pid = strtol(p, &end, 10);
        if (end == p || pid <= 0)
            return;
        t->pids[t->n++] = pid;
    }
}

/* A child belongs to the thread that started it. */
static void add_families(struct tree *t, long pid)
{
    char path[PATH_LEN];
    (void)snprintf(path, sizeof path, "/proc/%ld/task", pid);
    DIR *dir = opendir(path);
    for (const struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;) {
        (void)snprintf(path, sizeof path, "/proc/%ld/task/%.20s/children", pid, e->d_name);
        if (e->d_name[0] != '.')
            add_children(t, path);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

bool process_usage(long pid, struct process_usage *out)
{
    struct tree t = { .pids = { pid }, .n = 1 };
    uint64_t ticks = 0;
    long hz = sysconf(_SC_CLK_TCK);
    *out = (struct process_usage){ .cpu_ms = 0 };
    if (!add_cpu(pid, &ticks))
        return false;
    add_io(pid, &out->io);
    for (size_t i = 0; i < t.n; i++) {
        if (i > 0) {
            (void)add_cpu(t.pids[i], &ticks);
            add_io(t.pids[i], &out->io);
        }
        add_families(&t, t.pids[i]);
    }
    out->cpu_ms = ticks * 1000 / (uint64_t)(hz > 0 ? hz : 100);
    return true;
}
