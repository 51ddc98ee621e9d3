#include "backupd/daemon/supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/child_run.h"
#include "backupd/daemon/crew.h"
#include "backupd/daemon/tell.h"
#include "backupd/host.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/sys/dirs.h"
#include "common/sys/filelock.h"
#include "common/sys/poll_loop.h"

#include "common/base/banned.h"

enum { FDS_PER_RUN = 2, PRUNE_EVERY = 86400 };

/* A run that is on. */
struct slot {
    char *job; /* its name; NULL: the slot is free */
    int64_t id;
    int64_t started;
    unsigned attempt;
    struct child_run run;
    const char *stopped; /* why it was asked to stop, or NULL */
    uint64_t kill_at;    /* clock_mono_ms; 0: it was not asked */
};

struct supervisor {
    const struct supervisor_options *options;
    struct conf *conf;
    struct crew crew;
    struct history *history;
    struct poll_loop *loop;
    struct filelock *lock;
    struct vec slots; /* struct slot *; few */
    bool stopping;
    int64_t pruned;
};

static int64_t now_of(void)
{
    return (int64_t)clock_wall();
}

static size_t job_of(const struct supervisor *s, const char *name)
{
    for (size_t i = 0; i < s->crew.n; i++)
        if (strcmp(s->crew.conf->jobs[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

static struct slot *slot_at(const struct supervisor *s, size_t i)
{
    return *(struct slot **)vec_at(&s->slots, i);
}

/* ---- runs ------------------------------------------------------------------------------------------------------------ */

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
    slot_free(slot_at(s, i));
    size_t last = s->slots.len - 1;
    *(struct slot **)vec_at(&s->slots, i) = slot_at(s, last);
    s->slots.len = last;
}

static enum history_verdict verdict_of(const struct slot *slot, const struct child_run_result *r)
{
    if (r->status == CLI_EXIT_OK)
        return HISTORY_OK;
    if (r->status == CLI_EXIT_PARTLY && r->summary[0] != '\0')
        return HISTORY_WARNING;
    return slot->stopped != NULL ? HISTORY_STOPPED : HISTORY_FAILED;
}

static enum planner_outcome outcome_of(enum history_verdict verdict, const struct child_run_result *r)
{
    if (verdict == HISTORY_OK || verdict == HISTORY_WARNING)
        return PLANNER_OK;
    return r->passing && verdict != HISTORY_STOPPED ? PLANNER_PASSING : PLANNER_FAILED;
}

/* What happened is in the history before anything else is decided. A history that takes nothing (a full disk) stops no
 * backup: it is told, again with each run. */
static void ended(struct supervisor *s, size_t i)
{
    struct slot *slot = slot_at(s, i);
    struct child_run_result r;
    struct error why = ERROR_INIT;
    char text[HISTORY_TEXT_MAX];
    child_run_finish(&slot->run, &r);
    enum history_verdict verdict = verdict_of(slot, &r);
    size_t job = job_of(s, slot->job);
    (void)snprintf(text, sizeof text, "%s%s%s", verdict == HISTORY_STOPPED ? slot->stopped : "",
                   verdict == HISTORY_STOPPED && r.text[0] != '\0' ? ": " : "", r.text);
    struct history_run run = { .job = slot->job,
                               .started = slot->started,
                               .ended = now_of(),
                               .verdict = verdict,
                               .exit_code = r.status,
                               .text = text,
                               .result = r.summary };
    struct history_job state;
    if (job != SIZE_MAX) {
        /* Of a run that had to end because the daemon does, the job stays as running: the next daemon starts it again. */
        if (!s->stopping || verdict != HISTORY_STOPPED)
            planner_finished(s->crew.planner, job, run.ended, outcome_of(verdict, &r));
        state = crew_to_history(&s->crew, job);
    }
    if (history_end(s->history, slot->id, &run, job != SIZE_MAX ? &state : NULL, &why) < 0)
        log_event(LOG_ALARM, "the end of run %lld is not in the history: %s", (long long)slot->id, why.text);
    tell_end(&run);
    slot_remove(s, i);
}

static int spawn(struct supervisor *s, struct slot *slot, struct error *err)
{
    const char *argv[8];
    size_t n = 0;
    argv[n++] = s->options->program;
    argv[n++] = "--json";
    argv[n++] = "--config";
    argv[n++] = s->options->config;
    argv[n++] = "backup";
    argv[n++] = slot->job;
    argv[n] = NULL;
    return child_run_start(&slot->run, argv, err);
}

/* The process could not be started at all. */
static void not_started(struct supervisor *s, size_t job, struct slot *slot, const struct error *why)
{
    struct history_run run = { .job = slot->job,
                               .started = slot->started,
                               .ended = now_of(),
                               .verdict = HISTORY_FAILED,
                               .exit_code = CLI_EXIT_FAILED,
                               .text = why->text };
    planner_finished(s->crew.planner, job, run.ended, PLANNER_PASSING);
    struct history_job state = crew_to_history(&s->crew, job);
    (void)history_end(s->history, slot->id, &run, &state, NULL);
    tell_end(&run);
    slot_free(slot);
}

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
    *slot = (struct slot){ .started = state->started, .attempt = state->attempt };
    slot->job = str_dup(s->crew.conf->jobs[e->job].name, err);
    if (slot->job == NULL) {
        slot_free(slot);
        return E_NOMEM;
    }
    struct history_run run = { .job = slot->job,
                               .reason = tell_reason(e),
                               .due = e->due,
                               .started = state->started,
                               .attempt = state->attempt,
                               .count = 1 };
    struct history_job job = crew_to_history(&s->crew, e->job);
    if (history_begin(s->history, &run, &job, &slot->id, &why) < 0)
        log_event(LOG_ALARM, "the beginning of a run of %s is not in the history: %s", slot->job, why.text);
    tell("%s: starts (%s)", slot->job, tell_reason(e));
    if (spawn(s, slot, &why) < 0) {
        not_started(s, e->job, slot, &why);
        return 0;
    }
    *(struct slot **)vec_push(&s->slots, NULL) = slot;
    return 0;
}

static void stop_slot(struct supervisor *s, struct slot *slot, const char *why)
{
    if (slot->kill_at != 0)
        return;
    tell("%s: is asked to stop (%s)", slot->job, why);
    slot->stopped = why;
    slot->kill_at = clock_mono_ms() + s->conf->daemon.stop_timeout_ms;
    child_run_stop(&slot->run);
}

/* ---- what the planner says ------------------------------------------------------------------------------------------ */

static void skipped(struct supervisor *s, const struct planner_event *e)
{
    struct error why = ERROR_INIT;
    struct history_run run = { .job = s->crew.conf->jobs[e->job].name,
                               .reason = tell_reason(e),
                               .due = e->due,
                               .count = e->count,
                               .ended = now_of(),
                               .verdict = HISTORY_SKIPPED };
    struct history_job job = crew_to_history(&s->crew, e->job);
    tell("%s: %s%llu %s skipped (%s)", run.job, e->count >= PLANNER_COUNT_MAX ? "at least " : "",
         (unsigned long long)e->count, plural(e->count, "run is", "runs are"), run.reason);
    if (history_skip(s->history, &run, &job, &why) < 0)
        log_event(LOG_ALARM, "a skipped run of %s is not in the history: %s", run.job, why.text);
}

static int act(struct supervisor *s, const struct planner_event *e, struct error *err)
{
    switch (e->kind) {
    case PLANNER_START:
        return start(s, e, err);
    case PLANNER_STOP:
        for (size_t i = 0; i < s->slots.len; i++)
            if (strcmp(slot_at(s, i)->job, s->crew.conf->jobs[e->job].name) == 0)
                stop_slot(s, slot_at(s, i), tell_reason(e));
        return 0;
    case PLANNER_SKIP:
        skipped(s, e);
        return 0;
    case PLANNER_CLOCK:
        log_event(LOG_WARN,
                  "job %s: the clock was set back by more than a day; its nights begin anew from now",
                  s->crew.conf->jobs[e->job].name);
        return 0;
    }
    return 0;
}

static int tick(struct supervisor *s, struct error *err)
{
    struct vec events = VEC_OF(struct planner_event);
    int rc = s->stopping ? 0 : planner_tick(s->crew.planner, now_of(), &events, err);
    for (size_t i = 0; rc == 0 && i < events.len; i++)
        rc = act(s, vec_at(&events, i), err);
    vec_free(&events);
    return rc;
}

/* ---- configuration ---------------------------------------------------------------------------------------------------- */

/* Where the jobs stand: of the crew before (a reload), else of the history. */
static int restore(struct supervisor *s, struct crew *crew, struct error *err)
{
    for (size_t i = 0; i < crew->n; i++) {
        const char *name = crew->conf->jobs[i].name;
        size_t before = s->crew.planner != NULL ? job_of(s, name) : SIZE_MAX;
        struct history_job job;
        if (before != SIZE_MAX) {
            planner_restore(crew->planner, i, planner_state(s->crew.planner, before), true);
            continue;
        }
        int rc = history_job_read(s->history, name, &job, err);
        if (rc < 0)
            return rc;
        struct planner_state state = crew_from_history(&job);
        if (rc == 1)
            planner_restore(crew->planner, i, &state, false);
    }
    return 0;
}

static int adopt(struct supervisor *s, struct conf *conf, struct error *err)
{
    struct crew crew = { .n = 0 };
    int rc = crew_make(conf, &crew, err);
    if (rc == 0)
        rc = restore(s, &crew, err);
    if (rc < 0) {
        crew_free(&crew);
        return rc;
    }
    crew_free(&s->crew);
    conf_free(s->conf);
    s->crew = crew;
    s->conf = conf;
    return 0;
}

static void reload(struct supervisor *s)
{
    struct error why = ERROR_INIT;
    struct conf *conf = host_configuration(s->options->cli, true, &why);
    if (conf == NULL || adopt(s, conf, &why) < 0) {
        conf_free(conf);
        (void)zone_set(s->conf->daemon.time_zone, NULL);
        log_event(LOG_ALARM, "the configuration was not reloaded, the old one goes on: %s", why.text);
        return;
    }
    tell("the configuration was reloaded: %zu %s", s->conf->njobs, plural(s->conf->njobs, "job", "jobs"));
    for (size_t i = 0; i < s->slots.len; i++)
        if (job_of(s, slot_at(s, i)->job) == SIZE_MAX)
            stop_slot(s, slot_at(s, i), "its job is no longer in the configuration");
}

/* ---- the loop ----------------------------------------------------------------------------------------------------------- */

/* Seconds of the wall's clock until something of ours is due; a run to be killed is the soonest. */
static int64_t wake_at(const struct supervisor *s)
{
    int64_t best = s->stopping ? INT64_MAX : planner_wake(s->crew.planner, now_of());
    for (size_t i = 0; i < s->slots.len; i++) {
        const struct slot *slot = slot_at(s, i);
        uint64_t mono = clock_mono_ms();
        int64_t at =
            slot->kill_at == 0
                ? INT64_MAX
                : now_of() + (slot->kill_at > mono ? (int64_t)((slot->kill_at - mono) / 1000) + 1 : 0);
        best = at < best ? at : best;
    }
    return best;
}

static size_t descriptors(const struct supervisor *s, struct pollfd fds[POLL_LOOP_FDS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < s->slots.len && n + FDS_PER_RUN <= POLL_LOOP_FDS_MAX; i++) {
        const struct child_run *run = &slot_at(s, i)->run;
        fds[n++] = (struct pollfd){ .fd = child_run_fd(run), .events = POLLIN };
        fds[n++] = (struct pollfd){ .fd = child_run_pidfd(run), .events = POLLIN };
    }
    return n;
}

static void look_after_runs(struct supervisor *s)
{
    for (size_t i = s->slots.len; i > 0; i--) {
        struct slot *slot = slot_at(s, i - 1);
        if (slot->kill_at != 0 && clock_mono_ms() >= slot->kill_at)
            child_kill(slot->run.child);
        if (child_run_ended(&slot->run))
            ended(s, i - 1);
    }
}

static void begin_to_stop(struct supervisor *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    tell("stops: %zu %s", s->slots.len, plural(s->slots.len, "run is on", "runs are on"));
    for (size_t i = 0; i < s->slots.len; i++)
        stop_slot(s, slot_at(s, i), "the daemon stops");
}

static void prune(struct supervisor *s)
{
    struct error why = ERROR_INIT;
    int64_t now = now_of();
    if (now - s->pruned < PRUNE_EVERY && now >= s->pruned)
        return;
    s->pruned = now;
    if (history_prune(s->history, now - (int64_t)(s->conf->daemon.keep_history_ms / 1000), &why) < 0)
        log_event(LOG_WARN, "the history keeps what is old: %s", why.text);
}

static int loop(struct supervisor *s, struct error *err)
{
    struct pollfd fds[POLL_LOOP_FDS_MAX];
    struct poll_news news;
    int rc = 0;
    while (rc == 0 && !(s->stopping && s->slots.len == 0)) {
        rc = tick(s, err);
        size_t n = descriptors(s, fds);
        if (rc == 0)
            rc = poll_loop_wait(s->loop, wake_at(s), fds, n, &news, err);
        if (rc < 0)
            break;
        if (news.clock_set)
            tell("the clock was set");
        if (news.stop)
            begin_to_stop(s);
        if (news.reload && !s->stopping)
            reload(s);
        look_after_runs(s);
        prune(s);
    }
    return rc;
}

static int prepare(struct supervisor *s, struct error *err)
{
    char *path = NULL;
    struct conf *conf = host_configuration(s->options->cli, true, err);
    if (conf == NULL)
        return err->code;
    int rc = dir_make_private(conf->state, err);
    if (rc == 0 && (path = path_join(conf->state, SUPERVISOR_LOCK, err)) == NULL)
        rc = E_NOMEM;
    if (rc == 0 && (s->lock = filelock_take(path, err)) == NULL)
        rc = error_wrap(err, "another daemon runs here");
    free(path);
    path = rc == 0 ? path_join(conf->state, SUPERVISOR_HISTORY, err) : NULL;
    if (rc == 0)
        rc = path != NULL ? history_open(path, &s->history, err) : E_NOMEM;
    free(path);
    int64_t cut = rc == 0 ? history_cut_off(s->history, now_of(), err) : 0;
    rc = cut < 0 ? (int)cut : rc;
    if (rc == 0)
        rc = adopt(s, conf, err);
    if (rc < 0)
        conf_free(conf);
    else if (cut > 0)
        log_event(LOG_WARN, "%lld %s cut off when the last daemon ended", (long long)cut,
                  plural((uint64_t)cut, "run was", "runs were"));
    return rc;
}

int supervisor_run(const struct supervisor_options *options, struct error *err)
{
    struct supervisor s = { .options = options, .slots = VEC_OF(struct slot *) };
    /* Signals are blocked before anything is started. */
    s.loop = poll_loop_new(err);
    int rc = s.loop != NULL ? prepare(&s, err) : err->code;
    if (rc == 0) {
        tell("runs: %zu %s", s.conf->njobs, plural(s.conf->njobs, "job", "jobs"));
        rc = loop(&s, err);
    }
    if (rc == 0)
        tell("has stopped");
    while (s.slots.len > 0)
        slot_remove(&s, s.slots.len - 1);
    vec_free(&s.slots);
    crew_free(&s.crew);
    history_close(s.history);
    filelock_free(s.lock);
    conf_free(s.conf);
    poll_loop_free(s.loop);
    return rc;
}
