#include "backupd/daemon/supervisor_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/command.h"
#include "backupd/daemon/doubt.h"
#include "backupd/daemon/tell.h"
#include "common/access/access.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/jsonin.h"

#include "common/base/banned.h"

enum { FDS_PER_RUN = 2 };

/* ---- runs ------------------------------------------------------------------------------------------------------------ */

static void announce(struct supervisor *s, enum daemon_event_kind kind, size_t job,
                     const struct history_run *run)
{
    struct daemon_event e = { .kind = kind, .job = job, .run = run };
    parts_event(s, &e);
}

static void slot_free(struct slot *slot)
{
    if (slot == NULL)
        return;
    if (slot->run.child != NULL)
        child_run_free(&slot->run);
    free(slot->job);
    free(slot);
}

static void slot_remove(struct supervisor *s, size_t i)
{
    slot_free(supervisor_slot(s, i));
    size_t last = s->slots.len - 1;
    *(struct slot **)vec_at(&s->slots, i) = supervisor_slot(s, last);
    s->slots.len = last;
}

static enum history_verdict verdict_of(const struct slot *slot, const struct child_run_result *r,
                                       bool said_alarm)
{
    if (r->status == CLI_EXIT_OK)
        return said_alarm ? HISTORY_WARNING : HISTORY_OK;
    if (r->status == CLI_EXIT_PARTLY && r->summary[0] != '\0')
        return HISTORY_WARNING;
    return slot->stop != STOP_NONE ? HISTORY_STOPPED : HISTORY_FAILED;
}

static enum planner_outcome outcome_of(const struct slot *slot, enum history_verdict verdict,
                                       const struct child_run_result *r)
{
    if (verdict == HISTORY_OK || verdict == HISTORY_WARNING)
        return PLANNER_OK;
    if (verdict == HISTORY_STOPPED)
        return slot->stop == STOP_STALL ? PLANNER_PASSING : PLANNER_FAILED;
    return r->passing ? PLANNER_PASSING : PLANNER_FAILED;
}

/* What went wrong: why it was stopped, what it said, and the limit that it met. */
static void explain(const struct supervisor *s, const struct slot *slot, enum history_verdict verdict,
                    const struct child_run_result *r, char out[HISTORY_TEXT_MAX])
{
    char size[NUMBER_TEXT_MAX];
    size_t job = supervisor_job(s, slot->job);
    uint64_t memory = job != SIZE_MAX ? s->crew.conf->jobs[job].limits.memory : 0;
    bool stopped = verdict == HISTORY_STOPPED;
    /* A program in a run says it in its own words: "MemoryError", "Cannot allocate memory". */
    bool limited = memory != 0 && (r->no_memory || strcasestr(r->text, "memory") != NULL);
    (void)snprintf(out, HISTORY_TEXT_MAX, "%s%s%s%s%s%s", stopped ? slot->why : "",
                   stopped && r->text[0] != '\0' ? ": " : "", r->text, limited ? " (its limit: memory " : "",
                   limited ? size_format(size, memory) : "", limited ? ")" : "");
}

/* What a run said on its way is in the log of the daemon, and its first alarm with what went wrong: "1 alarm (see above)" has
 * nothing above it in a history. A run that ended well and said an alarm is a warning: somebody has to hear of it. What was
 * unusual about it is told as that: the line has the kind of an anomaly of its summary. */
struct said {
    const char *job;
    const struct jsonin_value *anomalies;
    char alarm[CHILD_RUN_TEXT_MAX];
};

static bool is_anomaly(const struct said *said, const char *kind)
{
    for (size_t i = 0; kind[0] != '\0' && i < jsonin_len(said->anomalies); i++) {
        const char *its = jsonin_text(jsonin_get(jsonin_at(said->anomalies, i), "kind"));
        if (its != NULL && strcmp(its, kind) == 0)
            return true;
    }
    return false;
}

static void on_said(const struct child_run_said *line, void *arg)
{
    struct said *said = arg;
    log_event(LOG_WARN, "%s: %s%s", said->job, line->alarm ? "alarm: " : "", line->text);
    if (line->alarm && said->alarm[0] == '\0' && !is_anomaly(said, line->kind))
        (void)snprintf(said->alarm, sizeof said->alarm, "%s", line->text);
}

static void hear(const struct slot *slot, const struct child_run_result *r, struct said *said)
{
    struct jsonin *summary =
        r->summary[0] != '\0' ? jsonin_parse(r->summary, strlen(r->summary), NULL) : NULL;
    *said = (struct said){ .job = slot->job, .anomalies = jsonin_get(jsonin_top(summary), "anomalies") };
    child_run_each_said(&slot->run, on_said, said);
    said->anomalies = NULL;
    jsonin_free(summary);
}

static void add_alarm(const struct said *said, char text[HISTORY_TEXT_MAX])
{
    size_t used = strlen(text);
    if (said->alarm[0] != '\0' && strstr(text, said->alarm) == NULL)
        (void)snprintf(text + used, HISTORY_TEXT_MAX - used, "%s%s", used > 0 ? ": " : "", said->alarm);
}

/* Of this slot, as the history knows it; what has ended is filled in. */
static struct history_run run_of(const struct slot *slot)
{
    return (struct history_run){ .id = slot->id,
                                 .job = slot->job,
                                 .reason = slot->reason,
                                 .due = slot->due,
                                 .started = slot->started,
                                 .attempt = slot->attempt,
                                 .count = 1 };
}

/* What happened is in the history before anything else is decided, or in its ledger: a history that takes nothing (a full disk)
 * stops no backup. */
static void ended(struct supervisor *s, size_t i)
{
    struct slot *slot = supervisor_slot(s, i);
    struct child_run_result r;
    char text[HISTORY_TEXT_MAX];
    child_run_finish(&slot->run, &r);
    size_t job = supervisor_job(s, slot->job);
    struct said said;
    hear(slot, &r, &said);
    enum history_verdict verdict = verdict_of(slot, &r, said.alarm[0] != '\0');
    explain(s, slot, verdict, &r, text);
    add_alarm(&said, text);
    struct history_run run = run_of(slot);
    run.ended = supervisor_now();
    run.verdict = verdict;
    run.exit_code = r.status;
    run.text = text;
    run.result = r.summary[0] != '\0' ? r.summary : r.unusual;
    struct history_job state;
    if (job != SIZE_MAX) {
        /* Of a run that had to end because the daemon does, the job stays as running: the next daemon starts it again. */
        if (slot->stop != STOP_DAEMON || verdict != HISTORY_STOPPED)
            planner_finished(s->crew.planner, job, run.ended, outcome_of(slot, verdict, &r));
        state = crew_to_history(&s->crew, job);
    }
    ledger_end(s->ledger, &run, job != SIZE_MAX ? &state : NULL);
    tell_end(&run);
    announce(s, DAEMON_ENDED, job, &run);
    slot_remove(s, i);
}

static int spawn(struct supervisor *s, size_t job, struct slot *slot, struct error *err)
{
    const struct conf_job *conf = &s->crew.conf->jobs[job];
    const struct process_limits limits = access_limits(&conf->limits);
    struct run_command command;
    int rc = run_command_make(&command, s->options->program, supervisor_configuration(s), conf, err);
    if (rc < 0)
        return rc;
    const struct child_run_options run = {
        .argv = run_command_argv(&command), .limits = &limits, .state = s->conf->state, .job = conf->name
    };
    rc = child_run_start(&slot->run, &run, err);
    run_command_free(&command);
    stall_begin(&slot->stall, conf->limits.stall_ms);
    return rc;
}

/* The process could not be started at all. */
static void not_started(struct supervisor *s, size_t job, struct slot *slot, const struct error *why)
{
    struct history_run run = run_of(slot);
    run.ended = supervisor_now();
    run.verdict = HISTORY_FAILED;
    run.exit_code = CLI_EXIT_FAILED;
    run.text = why->text;
    planner_finished(s->crew.planner, job, run.ended, PLANNER_PASSING);
    struct history_job state = crew_to_history(&s->crew, job);
    ledger_end(s->ledger, &run, &state);
    tell_end(&run);
    announce(s, DAEMON_ENDED, job, &run);
    slot_free(slot);
}

/* ---- who started it --------------------------------------------------------------------------------------------------- */

static void hand_remove(struct supervisor *s, size_t i)
{
    struct hand *hand = vec_at(&s->hands, i);
    free(hand->job);
    free(hand->who);
    *hand = *(struct hand *)vec_at(&s->hands, s->hands.len - 1);
    s->hands.len--;
}

int runs_started_by(struct supervisor *s, const char *job, const char *who, struct error *err)
{
    struct hand hand = { .job = str_dup(job, err), .who = str_dup(who, err) };
    struct hand *place = hand.job != NULL && hand.who != NULL ? vec_push(&s->hands, err) : NULL;
    if (place == NULL) {
        free(hand.job);
        free(hand.who);
        return E_NOMEM;
    }
    *place = hand;
    return 0;
}

const char *runs_reason(struct supervisor *s, const struct planner_event *e, char out[TELL_REASON_MAX])
{
    const char *job = s->crew.conf->jobs[e->job].name;
    size_t used = strlen(tell_reason(&s->crew, e, out));
    for (size_t i = s->hands.len; i > 0; i--) {
        const struct hand *hand = vec_at(&s->hands, i - 1);
        if (strcmp(hand->job, job) != 0)
            continue;
        if (e->reason == PLANNER_BY_HAND)
            (void)snprintf(out + used, TELL_REASON_MAX - used, " by %s", hand->who);
        hand_remove(s, i - 1);
    }
    return out;
}

/* ---- the beginning ------------------------------------------------------------------------------------------------------ */

static int start(struct supervisor *s, const struct planner_event *e, struct error *err)
{
    const struct planner_state *state = planner_state(s->crew.planner, e->job);
    struct error why = ERROR_INIT;
    struct slot **place = vec_push(&s->slots, err);
    struct slot *slot = place != NULL ? mem_alloc(1, sizeof *slot, err) : NULL;
    if (place != NULL)
        s->slots.len--; /* the room is there: what follows cannot fail for it */
    if (slot == NULL)
        return E_NOMEM;
    *slot = (struct slot){ .due = e->due, .started = state->started, .attempt = state->attempt };
    slot->job = str_dup(s->crew.conf->jobs[e->job].name, err);
    if (slot->job == NULL) {
        slot_free(slot);
        return E_NOMEM;
    }
    (void)runs_reason(s, e, slot->reason);
    struct history_run run = run_of(slot);
    struct history_job job = crew_to_history(&s->crew, e->job);
    ledger_begin(s->ledger, &run, &job);
    slot->id = run.id;
    tell("%s: starts (%s)", slot->job, slot->reason);
    announce(s, DAEMON_STARTED, e->job, &run);
    if (spawn(s, e->job, slot, &why) < 0) {
        not_started(s, e->job, slot, &why);
        return 0;
    }
    *(struct slot **)vec_push(&s->slots, NULL) = slot;
    return 0;
}

void runs_stop(struct supervisor *s, struct slot *slot, enum stop_kind kind, const char *why)
{
    if (slot->kill_at != 0)
        return;
    tell("%s: is asked to stop (%s)", slot->job, why);
    slot->stop = kind;
    (void)snprintf(slot->why, sizeof slot->why, "%s", why);
    slot->kill_at = clock_mono_ms() + s->conf->daemon.stop_timeout_ms;
    child_run_stop(&slot->run);
}

/* ---- what the planner says ------------------------------------------------------------------------------------------ */

static void skipped(struct supervisor *s, const struct planner_event *e)
{
    char reason[TELL_REASON_MAX];
    struct history_run run = { .job = s->crew.conf->jobs[e->job].name,
                               .reason = tell_reason(&s->crew, e, reason),
                               .due = e->due,
                               .count = e->count,
                               .ended = supervisor_now(),
                               .verdict = HISTORY_SKIPPED };
    struct history_job job = crew_to_history(&s->crew, e->job);
    tell("%s: %s%llu %s skipped (%s)", run.job, e->count >= PLANNER_COUNT_MAX ? "at least " : "",
         (unsigned long long)e->count, plural(e->count, "run is", "runs are"), run.reason);
    ledger_skip(s->ledger, &run, &job);
    announce(s, DAEMON_SKIPPED, e->job, &run);
}

int runs_act(struct supervisor *s, const struct planner_event *e, struct error *err)
{
    char reason[TELL_REASON_MAX];
    switch (e->kind) {
    case PLANNER_START:
        return start(s, e, err);
    case PLANNER_STOP:
        for (size_t i = 0; i < s->slots.len; i++)
            if (strcmp(supervisor_slot(s, i)->job, s->crew.conf->jobs[e->job].name) == 0)
                runs_stop(s, supervisor_slot(s, i), STOP_PLAN, tell_reason(&s->crew, e, reason));
        return 0;
    case PLANNER_SKIP:
        skipped(s, e);
        return 0;
    case PLANNER_CLOCK:
        doubt_act(s, e);
        return 0;
    case PLANNER_WAIT:
        runs_wait(s, e);
        return 0;
    case PLANNER_GIVE_UP:
        runs_give_up(s, e);
        return 0;
    case PLANNER_KNOWN:
        runs_remember(s, e->job);
        return 0;
    }
    return 0;
}

/* ---- for the loop ---------------------------------------------------------------------------------------------------- */

/* When a run is to be looked at; clock_mono_ms, UINT64_MAX: when it says something. */
static uint64_t look_at(const struct slot *slot)
{
    return slot->kill_at != 0 ? slot->kill_at : stall_look_at(&slot->stall);
}

int64_t runs_wake(const struct supervisor *s)
{
    uint64_t best = UINT64_MAX;
    uint64_t mono = clock_mono_ms();
    for (size_t i = 0; i < s->slots.len; i++) {
        uint64_t at = look_at(supervisor_slot(s, i));
        best = at < best ? at : best;
    }
    if (best == UINT64_MAX)
        return INT64_MAX;
    return supervisor_now() + (best > mono ? (int64_t)((best - mono) / 1000) + 1 : 0);
}

size_t runs_fds(const struct supervisor *s, struct pollfd *fds, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < s->slots.len && n + FDS_PER_RUN <= cap; i++) {
        const struct child_run *run = &supervisor_slot(s, i)->run;
        fds[n++] = (struct pollfd){ .fd = child_run_fd(run), .events = POLLIN };
        fds[n++] = (struct pollfd){ .fd = child_run_pidfd(run), .events = POLLIN };
    }
    return n;
}

static void look_for_stall(struct supervisor *s, struct slot *slot)
{
    char why[SLOT_WHY_MAX];
    char time[NUMBER_TEXT_MAX];
    if (slot->kill_at != 0 || !stall_look(&slot->stall, &slot->run))
        return;
    (void)snprintf(why, sizeof why, "nothing has moved for %s", duration_format(time, slot->stall.limit_ms));
    runs_stop(s, slot, STOP_STALL, why);
}

void runs_look(struct supervisor *s)
{
    for (size_t i = s->slots.len; i > 0; i--) {
        struct slot *slot = supervisor_slot(s, i - 1);
        look_for_stall(s, slot);
        if (slot->kill_at != 0 && clock_mono_ms() >= slot->kill_at)
            child_kill(slot->run.child);
        if (child_run_ended(&slot->run))
            ended(s, i - 1);
    }
}

void runs_free(struct supervisor *s)
{
    while (s->slots.len > 0)
        slot_remove(s, s->slots.len - 1);
    while (s->hands.len > 0)
        hand_remove(s, s->hands.len - 1);
    vec_free(&s->hands);
    vec_free(&s->slots);
}
