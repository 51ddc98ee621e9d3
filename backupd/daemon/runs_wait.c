/* Runs that have not begun: they wait, are cancelled, or are not tried again. */
#include <stdio.h>
#include <string.h>

#include "backupd/daemon/supervisor_internal.h"
#include "backupd/daemon/waits.h"
#include "common/base/log.h"

#include "common/base/banned.h"

void runs_remember(struct supervisor *s, size_t job)
{
    struct history_job state = crew_to_history(&s->crew, job);
    ledger_job(s->ledger, &state);
}

void runs_wait(struct supervisor *s, const struct planner_event *e)
{
    char reason[TELL_REASON_MAX];
    char what[WAITS_TEXT_MAX];
    runs_remember(s, e->job);
    tell("%s: waits for %s (%s)", s->crew.conf->jobs[e->job].name, waits_what(&s->crew, &e->hold, what),
         tell_reason(&s->crew, e, reason));
}

static void announce(struct supervisor *s, enum daemon_event_kind kind, size_t job,
                     const struct history_run *run)
{
    struct daemon_event e = { .kind = kind, .job = job, .run = run };
    parts_event(s, &e);
}

struct giving_up {
    struct supervisor *s;
    size_t job;
    bool said;
};

static int say_failed(const struct history_run *r, void *arg)
{
    struct giving_up *g = arg;
    g->said = true;
    announce(g->s, DAEMON_GIVEN_UP, g->job, r);
    return 0;
}

/* Nobody has heard of the failure yet: it was to be tried again. */
void runs_give_up(struct supervisor *s, const struct planner_event *e)
{
    char reason[TELL_REASON_MAX];
    struct error why = ERROR_INIT;
    struct giving_up g = { .s = s, .job = e->job };
    const struct history_filter newest = { .job = s->crew.conf->jobs[e->job].name,
                                           .limit = 1,
                                           .only_runs = true };
    runs_remember(s, e->job);
    tell("%s: is not tried again (%s)", newest.job, tell_reason(&s->crew, e, reason));
    struct history *history = ledger_history(s->ledger);
    if (history == NULL || history_runs(history, &newest, say_failed, &g, &why) < 0 || !g.said)
        log_event(LOG_ALARM,
                  "job %s failed and is not tried again (%s); why it failed is not in the history: %s",
                  newest.job, reason, g.said || why.code == 0 ? "it is not there" : why.text);
}

static bool has_job(const struct crew *crew, const char *name)
{
    for (size_t i = 0; i < crew->n; i++)
        if (strcmp(crew->conf->jobs[i].name, name) == 0)
            return true;
    return false;
}

void runs_forget_running(struct supervisor *s, const char *name)
{
    size_t job = supervisor_job(s, name);
    if (job == SIZE_MAX)
        return;
    struct history_job state = crew_to_history(&s->crew, job);
    state.running = false;
    state.by_hand = false;
    state.due = 0;
    state.last = PLANNER_FAILED;
    ledger_job(s->ledger, &state);
}

/* It must not start when its job comes back some day. */
void runs_forget(struct supervisor *s, const struct crew *next)
{
    for (size_t i = 0; i < s->crew.n; i++) {
        struct planner_event was;
        struct history_run run = { .job = s->crew.conf->jobs[i].name,
                                   .reason = "its job is no longer in the configuration",
                                   .ended = supervisor_now(),
                                   .count = 1,
                                   .verdict = HISTORY_SKIPPED };
        if (has_job(next, run.job))
            continue;
        if (planner_state(s->crew.planner, i)->running)
            runs_forget_running(s, run.job);
        if (planner_cancel(s->crew.planner, i, &was, NULL) < 0)
            continue;
        run.due = was.due;
        struct history_job state = crew_to_history(&s->crew, i);
        tell("%s: the run that waited is skipped (%s)", run.job, run.reason);
        ledger_skip(s->ledger, &run, &state);
    }
}

/* In the history it is a run that a person has stopped, one without a beginning. */
int runs_cancel(struct supervisor *s, size_t job, const char *who, struct error *err)
{
    struct planner_event was;
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
    ledger_begin(s->ledger, &run, &state);
    tell("%s: %s", run.job, text);
    announce(s, DAEMON_ENDED, job, &run);
    return 0;
}
