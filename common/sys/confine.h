/*
 * confine.h - a child that can act on nothing but its own files.
 *
 *     struct confine c = { .uid = 65534, .gid = 65534, .dir = "/var/tmp/x" };
 *     confine_find(&c);                     // what this system allows: c.alone, c.why
 *     struct child_options opt = { .confine = &c };
 *
 * alone: the child has a network without any interface, processes, shared
 * memory and semaphores of its own, and empty directories in place of /run,
 * /dev/shm and /tmp (but for one that holds `dir` or the program), so it reaches no
 * other server's socket either. It is the first of its processes: whatever it
 * started dies with it, and it dies with the thread that started it, however
 * that ends. Where the system allows none of this (confine_find says why in
 * words) only the rest holds: the account, no new privileges, the death signal.
 *
 * Root needs no user namespace for it, everybody else does.
 */
#ifndef COMMON_SYS_CONFINE_H
#define COMMON_SYS_CONFINE_H

#include <stdbool.h>

enum { CONFINE_WHY_MAX = 200, CONFINE_PATH_MAX = 4096 };

struct confine {
    unsigned uid, gid;         /* who it becomes, when this process is root; 0: stays */
    const char *dir;           /* what it works on: stays visible */
    bool alone;                /* set by confine_find */
    char why[CONFINE_WHY_MAX]; /* when it is not */
};

/* Tries it in a child of its own. */
void confine_find(struct confine *c);

/* ---- inside (child.c, child_exec.c) ---------------------------------------------------------------------- */

/* fork(), into the namespaces. */
long confine_fork(const struct confine *c);
/* In the child, before exec: false with errno. Only async-signal-safe calls. */
bool confine_enter(const struct confine *c, const char *program);

#endif
