/*
 * child.h - running another program: argv, no shell, and a verdict.
 *
 *     const char *const argv[] = { "pg_dump", "--version", NULL };
 *     struct child_options opt = { .want_stdout = true, .timeout_ms = 60000 };
 *     struct child *c = child_start(argv, &opt, err);
 *     if (c == NULL)
 *         return err->code;
 *     while ((n = fd_read(child_stdout(c), block, sizeof block, argv[0], err)) > 0)
 *         ...
 *     rc = child_finish(c, err);     // 0 only when it exited with status 0
 *     child_free(c);
 *
 * The child
 *   - is found through PATH when its name holds no '/'; a missing program is
 *     an error of child_start (E_NOT_FOUND);
 *   - gets PATH HOME LANG TZ TMPDIR of this process, the marks of sweep.h that it has, and options.env, nothing else;
 *   - has stdin on /dev/null, a pipe or another child's output, stdout on /dev/null or a pipe, stderr
 *     on a pipe whose last CHILD_STDERR_MAX bytes are kept; no other
 *     descriptor but those of `keep`, default signals, umask inherited;
 *   - leads a process group of its own, which is killed as a whole: on timeout,
 *     by child_kill(), by child_free(), after its leader's exit, and when the
 *     thread that started it dies (the leader only). Start it from a thread
 *     that lives as long as it does. A `marked` one takes along what has left the
 *     group (setsid), when it is killed: the calls that wait for its end have ended
 *     that, too (sweep.h), on Linux 5.3 and newer.
 *
 * A thread of child.c collects stderr, watches the timeout and interrupt.h: when
 * a stop is requested the group is killed, a reader of its stdout sees the end,
 * and child_finish() says E_CANCELLED. So no caller waits for a child for ever,
 * whichever pipe it is blocked on. A writer to its stdin sees EPIPE (E_RETRY by
 * errno; ask child_finish() for the reason) if SIGPIPE is ignored (privs.h).
 *
 * Verdicts of child_finish: 0; E_IO with status or signal and the last line of
 * stderr; E_CANCELLED (stop requested); E_RETRY (timed out).
 */
#ifndef COMMON_SYS_CHILD_H
#define COMMON_SYS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

struct child;
struct process_limits;
struct confine;

enum { CHILD_STDERR_MAX = 64 * 1024 };

struct child_options {
    const char *const *env; /* more "NAME=value", NULL-terminated; wins over the inherited; or NULL */
    const char *dir;        /* working directory, or NULL */
    bool want_stdin;        /* a pipe instead of /dev/null */
    struct child
        *input; /* instead: what this one writes (its want_stdout), whose descriptor is then gone; or NULL */
    bool want_stdout;   /* a pipe instead of /dev/null */
    bool outlives_stop; /* for clean-up work: not killed when a stop is requested */
    const int *keep; /* descriptors above 2 that it gets too, under the same numbers; ends with -1; or NULL */
    const struct process_limits *limits; /* of its process and what that starts (limits.h), or NULL */
    uint64_t timeout_ms;                 /* 0: none */
    bool marked;                         /* all that it starts is found when it is killed, by BACKUPD_CHILD */
    const struct confine *confine;       /* confine.h: what it may reach; or NULL */
};

/* The file that child_start() would run for this name, for free(). E_NOT_FOUND as there; E_DENIED: a path whose
 * file is not executable. */
char *child_find(const char *name, struct error *err);

/* As argv[0] the program that runs here, also when its file has been replaced by a newer one since. Messages and lists of processes
 * have its name. */
#define CHILD_SELF "/proc/self/exe"

/* opt NULL: all zero. argv and opt are only read during the call. */
struct child *child_start(const char *const argv[], const struct child_options *opt, struct error *err);

long child_pid(const struct child *c);
/* The descriptors belong to the child object; -1 when not asked for or closed. */
int child_stdin(const struct child *c);
int child_stdout(const struct child *c);
/* The child reads the end of its input. */
void child_close_stdin(struct child *c);

/* True once its leader has ended, reaped or not; never waits. What its output holds then is all that it wrote. */
bool child_ended(struct child *c);

/* Whether it has written these words to stderr, as far as that is kept; before child_finish(). */
bool child_has_said(struct child *c, const char *words);

/* SIGKILL to the whole group; any thread, before child_finish() returned. */
void child_kill(struct child *c);

/* For a program that takes this process over (exec) and looks after the child from then on: its thread ends, and the
 * descriptor of its stderr, close-on-exec, is the caller's. child_free() is then all that is legal, and kills nothing. */
int child_hand_over(struct child *c);

/* Closes the pipes, waits, gives the verdict; a second call gives it again. */
int child_finish(struct child *c, struct error *err);
/* After child_finish: the exit status, or 128 + signal. */
int child_status(const struct child *c);
/* After child_finish: the tail of stderr, NUL-terminated, owned by the child object. */
const char *child_stderr(const struct child *c, size_t *len);
/* After child_finish: the last line of stderr that says something, safe to print; "" when there is none. */
enum { CHILD_LAST_LINE_MAX = 300 };
const char *child_last_line(const struct child *c, char out[CHILD_LAST_LINE_MAX]);

/* Kills it when it still runs, reaps it; NULL is fine. */
void child_free(struct child *c);

/* Runs to the end with stdout appended to out, which stays within `limit` bytes (else the child is killed,
 * E_CORRUPT "too-large"). out NULL: stdout is dropped. */
struct buf;
int child_run(const char *const argv[], const struct child_options *opt, struct buf *out, size_t limit,
              struct error *err);

#endif
