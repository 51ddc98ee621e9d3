#include "common/sys/limits.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/banned.h"

/* From linux/ioprio.h, which is not among the headers of every C library. */
enum { IO_WHO_PROCESS = 1, IO_CLASS_SHIFT = 13, IO_LOWEST = 7 };

static bool set(int which, uint64_t value)
{
    struct rlimit now;
    if (value == 0)
        return true;
    if (getrlimit(which, &now) < 0)
        return false;
    rlim_t limit = now.rlim_max != RLIM_INFINITY && now.rlim_max < value ? now.rlim_max : (rlim_t)value;
    const struct rlimit wanted = { .rlim_cur = limit, .rlim_max = limit };
    return setrlimit(which, &wanted) == 0;
}

bool process_limits_set(const struct process_limits *limits)
{
    errno = 0;
    int nice_now = getpriority(PRIO_PROCESS, 0);
    if ((int)limits->nice > nice_now && setpriority(PRIO_PROCESS, 0, (int)limits->nice) < 0)
        return false;
    if (limits->ionice != IONICE_NONE)
        (void)syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0,
                      (int)limits->ionice << IO_CLASS_SHIFT |
                          (limits->ionice == IONICE_BEST_EFFORT ? IO_LOWEST : 0));
    return set(RLIMIT_DATA, limits->memory) && set(RLIMIT_NOFILE, limits->open_files);
}
