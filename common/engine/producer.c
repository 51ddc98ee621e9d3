#include "common/engine/producer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/engine/redact.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum {
    TICK_MS = 50,
    PIPE_BYTES = 1 << 20, /* asked for; what the system gives is enough */
    STAGE_TEXT_MAX = 128,
};

struct stage {
    struct child *child;
    int link; /* ours, of the pipe to the next stage: to see whether anybody can still write to it. -1: none */
};

struct producer {
    struct producer_options options;
    struct stage stages[PRODUCER_STAGES_MAX];
    size_t started;
};

/* "gzip", or "stage 2 of 3 (gzip)". */
static const char *stage_name(const struct producer *p, size_t i, char out[STAGE_TEXT_MAX])
{
    const char *program = p->options.stages[i][0];
    if (p->options.nstages == 1)
        (void)snprintf(out, STAGE_TEXT_MAX, "%s", program);
    else
        (void)snprintf(out, STAGE_TEXT_MAX, "stage %zu of %zu (%s)", i + 1, p->options.nstages, program);
    return out;
}

static struct child *last_child(const struct producer *p)
{
    return p->stages[p->options.nstages - 1].child;
}

/* ---- start --------------------------------------------------------------------------------------------- */

static int start_stage(struct producer *p, size_t i, struct error *err)
{
    struct child *before = i > 0 ? p->stages[i - 1].child : NULL;
    struct child_options options = {
        .env = p->options.env,
        .dir = p->options.dir,
        .input = before,
        .want_stdout = true,
        .timeout_ms = p->options.timeout_ms,
        .marked = true,
    };
    struct error why = ERROR_INIT;
    char name[STAGE_TEXT_MAX];
    p->stages[i].link = -1;
    if (before != NULL && (p->stages[i - 1].link = fcntl(child_stdout(before), F_DUPFD_CLOEXEC, 3)) < 0)
        return error_sys(err, "make a pipe");
    p->stages[i].child = child_start(p->options.stages[i], &options, &why);
    if (p->stages[i].child == NULL)
        return p->options.nstages == 1 ? error_copy(err, &why)
                                       : error_set(err, why.code, "%s: %s", stage_name(p, i, name), why.text);
    p->started = i + 1;
    (void)fcntl(child_stdout(p->stages[i].child), F_SETPIPE_SZ, PIPE_BYTES);
    return 0;
}

struct producer *producer_start(const struct producer_options *options, struct error *err)
{
    struct producer *p = mem_alloc(1, sizeof *p, err);
    if (p == NULL)
        return NULL;
    p->options = *options;
    int rc = options->nstages >= 1 && options->nstages <= PRODUCER_STAGES_MAX
                 ? 0
                 : error_set(err, E_INTERNAL, "a pipeline of %zu stages", options->nstages);
    for (size_t i = 0; rc == 0 && i < options->nstages; i++)
        rc = start_stage(p, i, err);
    if (rc < 0) {
        producer_free(p);
        p = NULL;
    }
    return p;
}

void producer_free(struct producer *p)
{
    for (size_t i = 0; p != NULL && i < PRODUCER_STAGES_MAX; i++) {
        if (p->stages[i].child != NULL && p->stages[i].link >= 0)
            fd_drop(&p->stages[i].link);
        child_free(p->stages[i].child);
    }
    free(p);
}

const struct child *producer_stage(const struct producer *p, size_t i)
{
    return p->stages[i].child;
}

/* ---- how it ended -------------------------------------------------------------------------------------- */

static int of_stage(struct producer *p, size_t i, int rc, const struct error *why, struct error *err)
{
    char name[STAGE_TEXT_MAX];
    char said[CHILD_LAST_LINE_MAX];
    char clean[ERROR_TEXT_MAX];
    char time[NUMBER_TEXT_MAX];
    if (rc == E_RETRY) { /* of child.h: not a passing failure, a second attempt would take as long */
        (void)child_last_line(p->stages[i].child, said);
        return error_set(err, E_IO, "%s did not end within %s and was stopped (`timeout`)%s%s",
                         stage_name(p, i, name), duration_format(time, p->options.timeout_ms),
                         said[0] != '\0' ? ": " : "", redact_text(clean, sizeof clean, said));
    }
    (void)redact_text(clean, sizeof clean, why->text);
    return p->options.nstages == 1
               ? error_set(err, rc, "%s", clean)
               : error_set(err, rc, "stage %zu of %zu: %s", i + 1, p->options.nstages, clean);
}

/* Nobody read what it wrote: the reason is with the one that should have. */
static bool broke_its_pipe(const struct producer *p, size_t i)
{
    return i + 1 < p->options.nstages && child_status(p->stages[i].child) == 128 + SIGPIPE;
}

/* Waits for the end of all and says how the first one that failed by itself did. */
static int verdict(struct producer *p, struct error *err)
{
    struct error first = ERROR_INIT;
    int code = 0;
    bool pipe = false;
    size_t more = 0;
    for (size_t i = 0; i < p->options.nstages; i++) {
        struct error why = ERROR_INIT;
        int rc = child_finish(p->stages[i].child, &why);
        if (rc == 0)
            continue;
        bool broken = broke_its_pipe(p, i);
        if (code != 0)
            more++;
        if (code == 0 || rc == E_CANCELLED || (pipe && !broken)) {
            pipe = broken;
            code = of_stage(p, i, rc, &why, &first);
        }
    }
    if (code == 0)
        return 0;
    if (pipe && code == E_IO)
        return error_set(err, code, "%s. What comes after it did not read to its end", first.text);
    if (more > 0)
        return error_set(err, code, "%s (%zu more %s with it)", first.text, more,
                         plural(more, "stage failed", "stages failed"));
    return error_copy(err, &first);
}

/* Killed for being silent: only what was said last is of interest. */
static int stalled(struct producer *p, size_t i, const char *what, struct error *err)
{
    char name[STAGE_TEXT_MAX];
    char said[CHILD_LAST_LINE_MAX];
    char clean[CHILD_LAST_LINE_MAX];
    char time[NUMBER_TEXT_MAX];
    for (size_t j = 0; j < p->options.nstages; j++)
        child_kill(p->stages[j].child);
    for (size_t j = 0; j < p->options.nstages; j++)
        (void)child_finish(p->stages[j].child, NULL);
    (void)redact_text(clean, sizeof clean, child_last_line(p->stages[i].child, said));
    int rc = interrupt_check(err);
    return rc < 0 ? rc
                  : error_set(err, E_IO, "%s %s for %s and was stopped (`stall_timeout`)%s%s",
                              stage_name(p, i, name), what, duration_format(time, p->options.stall_ms),
                              clean[0] != '\0' ? ": " : "", clean);
}

/* Stage i has ended, but its output is still open. What follows would wait for more of it for ever. */
static int held(struct producer *p, size_t i, struct error *err)
{
    char name[STAGE_TEXT_MAX];
    for (size_t j = i + 1; j < p->options.nstages; j++)
        child_kill(p->stages[j].child);
    struct error why = ERROR_INIT;
    int rc = interrupt_check(err);
    if (rc == 0 && (rc = child_finish(p->stages[i].child, &why)) < 0)
        rc = of_stage(p, i, rc, &why, err);
    return rc < 0 ? rc
                  : error_set(err, E_IO,
                              "%s ended, but a process that it started still holds its output: whether that "
                              "is complete, nobody can say. Let the command wait for everything it starts",
                              stage_name(p, i, name));
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* The pipes between the stages. Our end goes when the reader ended, so that the writer hears of it. */
static int check_links(struct producer *p, struct error *err)
{
    for (size_t i = 0; i + 1 < p->options.nstages; i++) {
        struct pollfd link = { .fd = p->stages[i].link };
        if (link.fd < 0)
            continue;
        bool over = child_ended(p->stages[i].child); /* asked before poll, see wait_output */
        if (child_ended(p->stages[i + 1].child) || (poll(&link, 1, 0) > 0 && (link.revents & POLLHUP) != 0))
            fd_drop(&p->stages[i].link);
        else if (over)
            return held(p, i, err);
    }
    return 0;
}

/* Until there is something to read, or the end. */
static int wait_output(struct producer *p, struct error *err)
{
    size_t last = p->options.nstages - 1;
    uint64_t since = clock_mono_ms();
    for (;;) {
        int rc = check_links(p, err);
        if (rc < 0)
            return rc;
        /* Asked before poll: once it has ended only somebody else can keep the pipe open. */
        bool over = child_ended(last_child(p));
        struct pollfd out = { .fd = child_stdout(last_child(p)), .events = POLLIN };
        int n = poll(&out, 1, TICK_MS);
        if (n < 0 && errno != EINTR)
            return error_sys(err, "wait for the output of %s", p->options.stages[last][0]);
        if (n >= 0 && over && (out.revents & POLLHUP) == 0)
            return held(p, last, err);
        if (n > 0)
            return 0;
        if (clock_mono_ms() - since >= p->options.stall_ms)
            return stalled(p, last, "wrote nothing", err);
    }
}

int64_t producer_read(struct producer *p, void *data, size_t cap, struct error *err)
{
    int rc = wait_output(p, err);
    return rc < 0 ? rc
                  : fd_read(child_stdout(last_child(p)), data, cap,
                            p->options.stages[p->options.nstages - 1][0], err);
}

/* The output was closed; an end of everybody has to follow. */
static int wait_end(struct producer *p, struct error *err)
{
    uint64_t since = clock_mono_ms();
    for (size_t i = 0; i < p->options.nstages;) {
        int rc = check_links(p, err);
        if (rc < 0)
            return rc;
        if (child_ended(p->stages[i].child)) {
            i++;
            continue;
        }
        if (clock_mono_ms() - since >= p->options.stall_ms)
            return stalled(p, i,
                           i + 1 == p->options.nstages ? "closed its output, but did not end"
                                                       : "did not end after the output was complete",
                           err);
        (void)poll(NULL, 0, TICK_MS);
    }
    return 0;
}

int producer_finish(struct producer *p, struct error *err)
{
    int rc = wait_end(p, err);
    return rc < 0 ? rc : verdict(p, err);
}
