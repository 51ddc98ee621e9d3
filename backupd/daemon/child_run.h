/*
 * child_run.h - one run as a process of its own (inside daemon/).
 *
 *     struct child_run_options o = { .argv = argv, .limits = &limits, .state = conf->state, .job = "shop" };
 *     rc = child_run_start(&run, &o, err);
 *     ...when child_run_fd() is readable or child_run_pidfd() says it has ended:
 *     child_run_read(&run);
 *     if (child_run_ended(&run))
 *         child_run_finish(&run, &result);      // frees what belongs to the process
 *
 * The process prints lines of JSON; the last "summary" and "error" and the first "finding" that is an error are kept, each
 * within CHILD_RUN_LINE_MAX bytes, and of the rest nothing. What it says in plain text on stderr is kept by child.h.
 */
#ifndef BACKUPD_DAEMON_CHILD_RUN_H
#define BACKUPD_DAEMON_CHILD_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "backupd/daemon/run_mark.h"
#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/sys/child.h"
#include "common/sys/limits.h"

enum {
    CHILD_RUN_LINE_MAX = 64 * 1024,
    CHILD_RUN_TEXT_MAX = 1024,
    CHILD_RUN_KIND_MAX = 32,
    CHILD_RUN_SAID_MAX = 50,
    CHILD_RUN_ALARMS_MAX = 50
};

struct child_run_said {
    char *text;
    bool alarm;                    /* else a warning */
    char kind[CHILD_RUN_KIND_MAX]; /* what it is about, for programs (log.h); "": it does not say */
};

struct child_run_options {
    const char *const *argv;
    const struct process_limits *limits; /* or NULL */
    const char *state;                   /* the state directory, for its mark (run_mark.h) */
    const char *job;
};

struct child_run {
    struct child *child;
    struct run_mark mark;
    int pidfd;
    bool end_of_output;
    bool too_long; /* the line that is being read is dropped */
    struct buf line;
    struct buf summary; /* NUL-terminated when not empty */
    struct buf unusual; /* the same: what was unusual about a run that failed */
    struct buf problem; /* the last "error" line */
    struct buf finding; /* the first "finding" that is an error */
    struct vec said;    /* struct child_run_said: "log" lines that are alarms or warnings, the first ones */
    size_t unsaid;      /* how many more there were */
    uint64_t moves;     /* grows with each line that says something new: more than that time has passed */
    uint64_t last_line; /* what the last status said, as a sum */
};

struct child_run_result {
    int status;                    /* exit status, or 128 + signal */
    bool killed;                   /* by a signal */
    bool no_memory;                /* it says so */
    bool passing;                  /* it says that a repetition may help */
    const char *summary;           /* "" when there is none; lives until child_run_free */
    const char *unusual;           /* the same */
    char text[CHILD_RUN_TEXT_MAX]; /* what went wrong, in its words */
};

/* It gets this process's whole environment (credentials, agents, what libraries read), without what a service manager has
 * said to the daemon alone, and its mark. */
int child_run_start(struct child_run *run, const struct child_run_options *options, struct error *err);
int child_run_fd(const struct child_run *run); /* -1 after its end */
int child_run_pidfd(const struct child_run *run);
/* Takes what is there. */
void child_run_read(struct child_run *run);
/* Output and process are over. */
bool child_run_ended(struct child_run *run);
/* Asks it to end in order; child_kill(run->child) when it does not. */
void child_run_stop(struct child_run *run);
/* Of one that was killed all that it has left is ended, too. */
void child_run_finish(struct child_run *run, struct child_run_result *result);
/* Each alarm and warning that it said on its way, oldest first, each within CHILD_RUN_TEXT_MAX; then how many more there were. */
typedef void child_run_said_fn(const struct child_run_said *said, void *arg);
void child_run_each_said(const struct child_run *run, child_run_said_fn *fn, void *arg);
void child_run_free(struct child_run *run); /* kills it when it still runs */

#endif
