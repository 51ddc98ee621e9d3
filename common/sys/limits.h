/*
 * limits.h - what a program that is started may take (child.h), and what a tree of processes has taken.
 *
 *     const struct process_limits limits = { .nice = 10, .ionice = IONICE_IDLE, .memory = 512 << 20 };
 *     ...{ .limits = &limits } of struct child_options
 *
 *     struct process_usage now;
 *     if (process_usage(pid, &now)) ... now.cpu_ms, now.io ...
 *
 * Limits are never raised above what the process itself has. memory is RLIMIT_DATA: heap, private writable mappings and
 * stacks of threads, of each process; what is only mapped or shared does not count.
 */
#ifndef COMMON_SYS_LIMITS_H
#define COMMON_SYS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

enum { PROCESS_NICE_MAX = 19 };
enum process_ionice { IONICE_NONE = 0, IONICE_BEST_EFFORT = 2, IONICE_IDLE = 3 }; /* classes of the kernel */

struct process_limits {
    unsigned nice; /* at least so nice */
    enum process_ionice ionice;
    uint64_t memory;     /* bytes; 0: as it is */
    unsigned open_files; /* 0: as it is */
};

/* Of this process, before exec; only async-signal-safe calls. False with errno when the system refuses a limit; a priority
 * for the disk is a wish. */
bool process_limits_set(const struct process_limits *limits);

struct process_usage {
    uint64_t cpu_ms;
    uint64_t io; /* bytes read and written by calls, as far as this account may see it */
};

enum { PROCESS_TREE_MAX = 256 };

/* Of the process and those it has started, and they, at most PROCESS_TREE_MAX. False when it is not there. */
bool process_usage(long pid, struct process_usage *out);

#endif
