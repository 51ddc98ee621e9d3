/*
 * child_exec.h - the part of child.h between fork and exec (internal to sys).
 *
 * Everything that allocates or searches happens before fork; after it only
 * async-signal-safe calls, because other threads may hold any lock.
 */
#ifndef COMMON_SYS_CHILD_EXEC_H
#define COMMON_SYS_CHILD_EXEC_H

#include "common/base/error.h"
#include "common/sys/child.h"

struct child_image {
    char *path;                          /* what execve gets */
    const char *const *argv;             /* borrowed, or `own` */
    const char **own;                    /* a copy with another name for the program, or NULL */
    char **env;                          /* NULL-terminated */
    const char *dir;                     /* borrowed, or NULL */
    const int *keep;                     /* borrowed, ends with -1, or NULL */
    const struct process_limits *limits; /* borrowed, or NULL */
    const struct confine *confine;       /* borrowed, or NULL */
    int stdin_fd;                        /* -1: /dev/null */
    int stdout_fd;                       /* -1: /dev/null */
    int stderr_fd;
    int error_fd; /* close-on-exec: gets errno when exec did not happen */
};

/* Finds the program and builds the environment, with the mark ("NAME=value", or ""). */
int child_image_init(struct child_image *image, const char *const argv[], const struct child_options *opt,
                     const char *mark, struct error *err);
void child_image_free(struct child_image *image);
/* In the forked child; does not return. `parent` is the pid that must still be our parent. */
_Noreturn void child_image_exec(const struct child_image *image, long parent);

#endif
