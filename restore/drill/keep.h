/*
 * keep.h - what a drill restored stays for people after the drill has ended (restore drill run --keep).
 *
 *     rc = keep_fork(&front, err);             // before anything is opened or started
 *     if (front.child != 0)
 *         return keep_wait(&front, &code, err);    // the process that was called: until the drill ended, or is kept
 *     ...the drill...
 *     keep_go(&scratch, &what, &front, err);   // becomes the keeper; returns only with an error
 *
 * The drill runs in a child of the process that people called. When there is something to keep, that child executes this
 * program again (`restore drill keeper`): the process stays, with it the server and its lock on the directory, but nothing of
 * its memory does, so no key of the repository is in it. Then the process that was called ends with the drill's exit code.
 *
 * The keeper has a session of its own and writes what the server says to DIR/log. It ends, with the server and the directory,
 * when its time is over, on SIGTERM, when the server ended, and when it is told so (kept_end: a byte in the fifo
 * DIR/control). When it is killed the server dies with it, and the next drill removes the directory (scratch.h).
 */
#ifndef RESTORE_DRILL_KEEP_H
#define RESTORE_DRILL_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "restore/drill/scratch.h"

enum { KEPT_MAX_SECONDS = 30 * 86400 };

struct keep_front {
    long child; /* 0: this is the child */
    int ready;  /* a pipe: the exit code of a drill that is kept */
};

int keep_fork(struct keep_front *front, struct error *err);
/* The drill's exit code. A signal is passed on to the child. */
int keep_wait(struct keep_front *front, int *code, struct error *err);

struct keep_what {
    const char *id; /* of the drill */
    const char *snapshot;
    const char *verdict;
    uint64_t until; /* seconds since 1970 */
    int exit_code;
};
int keep_go(struct scratch *s, const struct keep_what *what, const struct keep_front *front,
            struct error *err);

/* The rest of that process's life, after exec: with the descriptors that it was started with. */
struct keeper {
    const char *dir;
    int lock, ready, errors; /* errors -1: there is no server */
    long server;             /* 0: there is none */
    uint64_t until;
    int exit_code;
};
int keeper_run(const struct keeper *k, struct error *err);

/* ---- others ---------------------------------------------------------------------------------------------- */

struct kept {
    const char *dir;
    const char *id, *snapshot, *verdict, *connect;
    uint64_t since, until;
};
typedef int kept_fn(const struct kept *kept, void *arg, struct error *err);
/* Those of this user in the directory `base` whose keeper lives. A negative return ends it. */
int kept_each(const char *base, kept_fn *fn, void *arg, struct error *err);
/* Tells the keeper, and waits until the directory is gone. */
int kept_end(const char *dir, struct error *err);

#endif
