#include "common/engine/command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/command/internal.h"
#include "common/sys/child.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum {
    TICK_MS = 50,
    PIPE_BYTES = 1 << 20, /* asked for; what the system gives is enough */
    MODE_BITS = 0600,
};

struct engine_run {
    struct command_settings set;
    struct child *child;
    uint64_t bytes;
    bool given; /* next() gave the stream */
    bool ended; /* read() met the end of the output */
};

static const char *const *argv_of(const struct command_settings *s)
{
    return (const char *const *)s->argv;
}

static void command_close(struct engine_run *run)
{
    if (run == NULL)
        return;
    child_free(run->child);
    command_settings_free(&run->set);
    free(run);
}

static struct engine_run *command_open(const struct engine_job *job, struct error *err)
{
    struct engine_run *run = mem_alloc(1, sizeof *run, err);
    if (run == NULL)
        return NULL;
    if (command_settings_read(job, &run->set, err) == 0) {
        struct child_options options = {
            .env = (const char *const *)run->set.env,
            .dir = run->set.dir,
            .want_stdout = true,
            .timeout_ms = run->set.timeout_ms,
        };
        run->child = child_start(argv_of(&run->set), &options, err);
    }
    if (run->child == NULL) {
        command_close(run);
        return NULL;
    }
    (void)fcntl(child_stdout(run->child), F_SETPIPE_SZ, PIPE_BYTES);
    return run;
}

static int command_next(struct engine_run *run, struct engine_stream *out, struct error *err)
{
    if (run->given && !run->ended)
        return error_set(err, E_INTERNAL, "%s: the stream was not read to its end", run->set.name);
    if (run->given)
        return 0;
    run->given = true;
    *out = (struct engine_stream){ .name = run->set.name, .mode = CHUNK_CONTENT, .mode_bits = MODE_BITS };
    return 1;
}

/* ---- the ways to fail ---------------------------------------------------------------------------------- */

/* Waits for its end and says how it was. */
static int verdict(struct engine_run *run, struct error *err)
{
    struct error why = ERROR_INIT;
    char text[ERROR_TEXT_MAX];
    char said[CHILD_LAST_LINE_MAX];
    char time[NUMBER_TEXT_MAX];
    int rc = child_finish(run->child, &why);
    if (rc == 0)
        return 0;
    (void)child_last_line(run->child, said);
    if (rc == E_RETRY) /* of child.h, not of this engine: see command.h */
        rc = error_set(&why, E_IO, "%s did not end within %s and was stopped (`timeout`)%s%s",
                       run->set.argv[0], duration_format(time, run->set.timeout_ms),
                       said[0] != '\0' ? ": " : "", said);
    return error_set(err, rc, "%s", command_redact(text, sizeof text, why.text));
}

/* It was killed for being silent: only what it said last is of interest. */
static int stalled(struct engine_run *run, const char *what, struct error *err)
{
    char said[CHILD_LAST_LINE_MAX];
    char clean[CHILD_LAST_LINE_MAX];
    char time[NUMBER_TEXT_MAX];
    child_kill(run->child);
    (void)child_finish(run->child, NULL);
    (void)command_redact(clean, sizeof clean, child_last_line(run->child, said));
    int rc = interrupt_check(err);
    return rc < 0 ? rc
                  : error_set(err, E_IO, "%s %s for %s and was stopped (`stall_timeout`)%s%s",
                              run->set.argv[0], what, duration_format(time, run->set.stall_ms),
                              clean[0] != '\0' ? ": " : "", clean);
}

static int held(struct engine_run *run, struct error *err)
{
    int rc = interrupt_check(err);
    rc = rc < 0 ? rc : verdict(run, err);
    return rc < 0 ? rc
                  : error_set(err, E_IO,
                              "%s ended, but a process that it started still holds its output: whether that "
                              "is complete, nobody can say. Let the command wait for everything it starts",
                              run->set.argv[0]);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* Until there is something to read, or the end. */
static int wait_output(struct engine_run *run, struct error *err)
{
    uint64_t since = clock_mono_ms();
    for (;;) {
        /* Asked before poll: once it has ended only somebody else can keep the pipe open. */
        bool over = child_ended(run->child);
        struct pollfd p = { .fd = child_stdout(run->child), .events = POLLIN };
        int n = poll(&p, 1, TICK_MS);
        if (n < 0 && errno != EINTR)
            return error_sys(err, "wait for the output of %s", run->set.argv[0]);
        if (n >= 0 && over && (p.revents & POLLHUP) == 0)
            return held(run, err);
        if (n > 0)
            return 0;
        if (clock_mono_ms() - since >= run->set.stall_ms)
            return stalled(run, "wrote nothing", err);
    }
}

static int64_t command_read(struct engine_run *run, void *data, size_t cap, struct error *err)
{
    if (!run->given || cap == 0)
        return error_set(err, E_INTERNAL, "command: read without a stream or without room");
    if (run->ended)
        return 0;
    int rc = wait_output(run, err);
    if (rc < 0)
        return rc;
    int64_t n = fd_read(child_stdout(run->child), data, cap, run->set.argv[0], err);
    if (n > 0)
        run->bytes += (uint64_t)n;
    run->ended = n == 0;
    return n;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

/* It closed its output; an end has to follow. */
static int wait_end(struct engine_run *run, struct error *err)
{
    for (uint64_t since = clock_mono_ms(); !child_ended(run->child); (void)poll(NULL, 0, TICK_MS))
        if (clock_mono_ms() - since >= run->set.stall_ms)
            return stalled(run, "closed its output, but did not end", err);
    return 0;
}

static int check_floor(const struct engine_run *run, struct error *err)
{
    char floor[NUMBER_TEXT_MAX];
    char size[NUMBER_TEXT_MAX];
    if (run->bytes >= run->set.min_size)
        return 0;
    if (run->bytes == 0)
        return error_set(err, E_IO,
                         "%s ended well, but wrote nothing: an empty output is no backup (`min_size: 0` "
                         "accepts it)",
                         run->set.argv[0]);
    return error_set(err, E_IO,
                     "%s ended well, but wrote only %s; `min_size` is %s. Look at what it writes, or lower "
                     "that",
                     run->set.argv[0], size_format(size, run->bytes), size_format(floor, run->set.min_size));
}

static int command_finish(struct engine_run *run, struct error *err)
{
    if (!run->ended)
        return error_set(err, E_INTERNAL, "%s: the output was not read to its end", run->set.name);
    int rc = wait_end(run, err);
    rc = rc < 0 ? rc : verdict(run, err);
    return rc < 0 ? rc : check_floor(run, err);
}

static int command_stream_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    return buf_printf(out, err, "bytes=%llu\n", (unsigned long long)run->bytes);
}

static int command_run_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    char name[4 * 256];
    int rc = buf_printf(out, err, "source=command\nstream=%s\nexit_status=%d\ncommand=",
                        str_printable(name, sizeof name, run->set.name), child_status(run->child));
    rc = rc < 0 ? rc : command_show(argv_of(&run->set), out, err);
    return rc < 0 ? rc : buf_append(out, "\n", 1, err);
}

static const char *const required[] = { "command", NULL };
static const char *const allowed[] = { "command",       "name", "min_size", "timeout",
                                       "stall_timeout", "env",  "dir",      NULL };
static const char *const paths[] = { "dir", NULL };

const struct engine engine_command = {
    .name = "command",
    .required_options = required,
    .allowed_options = allowed,
    .path_options = paths,
    .probe = command_probe,
    .open = command_open,
    .next = command_next,
    .read = command_read,
    .stream_facts = command_stream_facts,
    .finish = command_finish,
    .run_facts = command_run_facts,
    .close = command_close,
    .restore = NULL, /* `restore cat` */
    .export = command_export,
};
