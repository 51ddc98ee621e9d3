#include "common/sys/limits.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/banned.h"

/* From linux/ioprio.h, which is not among the headers of every C library. */
enum { IO_WHO_PROCESS = 1, IO_CLASS_SHIFT = 13, IO_LOWEST = 7 };

/* Not above what there is. */
static struct rlimit capped(const struct rlimit *now, uint64_t value)
{
    rlim_t limit = now->rlim_max != RLIM_INFINITY && now->rlim_max < value ? now->rlim_max : (rlim_t)value;
    return (struct rlimit){ .rlim_cur = limit, .rlim_max = limit };
}

/* The names of limits are constants of a type that not every C library has. */
static bool set_memory(uint64_t value)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_DATA, &now) < 0)
        return false;
    now = capped(&now, value);
    return setrlimit(RLIMIT_DATA, &now) == 0;
}

static bool set_files(uint64_t value)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_NOFILE, &now) < 0)
        return false;
    now = capped(&now, value);
    return setrlimit(RLIMIT_NOFILE, &now) == 0;
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
    return (limits->memory == 0 || set_memory(limits->memory)) &&
           (limits->open_files == 0 || set_files(limits->open_files));
}
