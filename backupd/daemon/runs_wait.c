/* Runs that have not begun: they wait, or are given up. */
#include <stdio.h>

#include "backupd/daemon/supervisor_internal.h"
#include "backupd/daemon/waits.h"
#include "common/base/log.h"

#include "common/base/banned.h"

void runs_remember(struct supervisor *s, size_t job)
{
    struct error why = ERROR_INIT;
    struct history_job state = crew_to_history(&s->crew, job);
    if (history_job_write(s->history, &state, &why) < 0)
        log_event(LOG_ALARM, "where job %s stands is not in the history: %s", state.name, why.text);
}

void runs_wait(struct supervisor *s, const struct planner_event *e)
{
    char reason[TELL_REASON_MAX];
    char what[WAITS_TEXT_MAX];
    runs_remember(s, e->job);
    tell("%s: waits for %s (%s)", s->crew.conf->jobs[e->job].name, waits_what(&s->crew, &e->hold, what),
         tell_reason(&s->crew, e, reason));
}

/* In the history it is a run that a person has stopped, one without a beginning. */
int runs_give_up(struct supervisor *s, size_t job, const char *who, struct error *err)
{
    struct planner_event was;
    struct error why = ERROR_INIT;
    char reason[TELL_REASON_MAX];
    char text[SLOT_WHY_MAX];
    int rc = planner_cancel(s->crew.planner, job, &was, err);
    if (rc < 0)
        return rc;
    (void)snprintf(text, sizeof text, HISTORY_CANCELLED "%s before it %s", who,
                   was.reason == PLANNER_AGAIN ? "was tried again" : "began");
    struct history_run run = { .job = s->crew.conf->jobs[job].name,
                               .reason = runs_reason(s, &was, reason),
                               .due = was.due,
                               .ended = supervisor_now(),
                               .count = 1,
                               .verdict = HISTORY_STOPPED,
                               .exit_code = CLI_EXIT_INTERRUPTED,
                               .text = text };
    struct history_job state = crew_to_history(&s->crew, job);
    if (history_begin(s->history, &run, &state, &run.id, &why) < 0)
        log_event(LOG_ALARM, "that a run of %s was cancelled is not in the history: %s", run.job, why.text);
    tell("%s: %s", run.job, text);
    struct daemon_event e = { .kind = DAEMON_ENDED, .job = job, .run = &run };
    parts_event(s, &e);
    return 0;
}
