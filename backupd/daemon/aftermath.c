#include "backupd/daemon/aftermath.h"

#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/supervisor_internal.h"
#include "backupd/daemon/tell.h"
#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { KILLED_FROM = 128 };

struct mending {
    char *job;
    struct child_run run;
};

struct aftermath {
    struct mending list[AFTERMATH_MAX];
    size_t n;
};

static int aftermath_open(struct supervisor *s, void **self, struct error *err)
{
    (void)s;
    *self = mem_alloc(1, sizeof(struct aftermath), err);
    return *self != NULL ? 0 : E_NOMEM;
}

/* Its next run would meet the hooks' lock. */
static void keep(struct supervisor *s, const char *job, bool kept)
{
    size_t i = supervisor_job(s, job);
    if (i != SIZE_MAX)
        planner_keep(s->crew.planner, i, kept);
}

static void begin(struct supervisor *s, struct aftermath *a, const char *job)
{
    const char *const argv[] = { s->options->program, "--json", "--config", supervisor_configuration(s),
                                 "end-hooks",         job,      NULL };
    const struct child_run_options run = { .argv = argv, .state = s->conf->state, .job = job };
    struct error why = ERROR_INIT;
    struct mending m = { .job = a->n < AFTERMATH_MAX ? str_dup(job, &why) : NULL };
    if (m.job != NULL && child_run_start(&m.run, &run, &why) == 0) {
        tell("%s: was killed; its hooks `after` and `on_failure` run now, and its next run waits for them",
             job);
        a->list[a->n++] = m;
        keep(s, job, true);
        return;
    }
    free(m.job);
    log_event(LOG_WARN, "job %s: its hook `after` runs with the next run only: %s", job,
              a->n < AFTERMATH_MAX ? why.text : "too many runs were killed at once");
}

static void aftermath_event(struct supervisor *s, void *self, const struct daemon_event *e)
{
    const struct aftermath *a = self;
    for (size_t i = 0; e->kind == DAEMON_RELOADED && i < a->n; i++)
        keep(s, a->list[i].job, true); /* the planner is a new one */
    if (e->kind != DAEMON_ENDED || e->job == SIZE_MAX || s->stopping || e->run->exit_code <= KILLED_FROM)
        return;
    const struct conf_job *job = &s->crew.conf->jobs[e->job];
    if (e->run->exit_code != CLI_EXIT_INTERRUPTED && job->task == CONF_TASK_NONE &&
        (job->after.argv != NULL || job->on_failure.argv != NULL))
        begin(s, self, job->name);
}

static size_t aftermath_fds(struct supervisor *s, void *self, struct pollfd *fds, size_t cap)
{
    const struct aftermath *a = self;
    size_t n = 0;
    (void)s;
    for (size_t i = 0; i < a->n && n + 2 <= cap; i++) {
        fds[n++] = (struct pollfd){ .fd = child_run_fd(&a->list[i].run), .events = POLLIN };
        fds[n++] = (struct pollfd){ .fd = child_run_pidfd(&a->list[i].run), .events = POLLIN };
    }
    return n;
}

static void finish(struct supervisor *s, struct aftermath *a, size_t i)
{
    struct mending *m = &a->list[i];
    struct child_run_result result;
    child_run_finish(&m->run, &result);
    if (result.status != 0)
        log_event(LOG_WARN, "job %s: its hooks after a run that was killed: %s", m->job, result.text);
    keep(s, m->job, false);
    child_run_free(&m->run);
    free(m->job);
    *m = a->list[--a->n];
}

static void aftermath_look(struct supervisor *s, void *self, const struct pollfd *fds, size_t n)
{
    struct aftermath *a = self;
    (void)fds;
    (void)n;
    for (size_t i = a->n; i > 0; i--)
        if (child_run_ended(&a->list[i - 1].run))
            finish(s, a, i - 1);
}

static void aftermath_close(struct supervisor *s, void *self)
{
    struct aftermath *a = self;
    (void)s;
    for (size_t i = 0; i < a->n; i++) {
        child_run_free(&a->list[i].run);
        free(a->list[i].job);
    }
    free(a);
}

const struct part_kind aftermath_part = {
    .name = "hooks of killed runs",
    .open = aftermath_open,
    .event = aftermath_event,
    .fds = aftermath_fds,
    .look = aftermath_look,
    .close = aftermath_close,
};
