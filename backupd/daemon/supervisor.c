#include "backupd/daemon/supervisor.h"

#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/doubt.h"
#include "backupd/daemon/supervisor_internal.h"
#include "backupd/daemon/tell.h"
#include "backupd/host.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/access/access.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum {
    PRUNE_EVERY = 86400,
    STEP_MIN = 5, /* seconds; a smaller step of the clock is nothing to speak of */
    STEP_BIG = 60,
    RUNS_FDS_MAX = POLL_LOOP_FDS_MAX * 3 / 4, /* the rest is for the parts */
};

int64_t supervisor_now(void)
{
    return (int64_t)clock_wall();
}

size_t supervisor_job(const struct supervisor *s, const char *name)
{
    for (size_t i = 0; i < s->crew.n; i++)
        if (strcmp(s->crew.conf->jobs[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

struct slot *supervisor_slot(const struct supervisor *s, size_t i)
{
    return *(struct slot **)vec_at(&s->slots, i);
}

const char *supervisor_configuration(const struct supervisor *s)
{
    return accepted_file(&s->accepted, s->options->config);
}

struct slot *supervisor_slot_of(const struct supervisor *s, const char *job)
{
    for (size_t i = 0; i < s->slots.len; i++)
        if (strcmp(supervisor_slot(s, i)->job, job) == 0)
            return supervisor_slot(s, i);
    return NULL;
}

static void announce(struct supervisor *s, enum daemon_event_kind kind)
{
    struct daemon_event e = { .kind = kind, .job = SIZE_MAX };
    parts_event(s, &e);
}

static int64_t wall_ahead(void)
{
    return supervisor_now() - (int64_t)(clock_mono_ms() / 1000);
}

/* Before each look at what is due: a clock that was set must not end a run, or hold up one that is tried again. */
static void look_at_clock(struct supervisor *s)
{
    int64_t ahead = wall_ahead();
    int64_t by = ahead - s->wall_ahead;
    s->wall_ahead = ahead;
    if (by > -STEP_MIN && by < STEP_MIN)
        return;
    char time[NUMBER_TEXT_MAX];
    bool forward = by > 0;
    (void)duration_format(time, (uint64_t)(forward ? by : -by) * 1000);
    if (by > -STEP_BIG && by < STEP_BIG)
        tell("the clock was set %s by %s", forward ? "forward" : "back", time);
    else
        log_event(LOG_WARN,
                  "the clock was set %s by %s, or this machine slept: what is due goes by the new time",
                  forward ? "forward" : "back", time);
    planner_clock_set(s->crew.planner, by);
    if (by < -(int64_t)PLANNER_SET_BACK_MAX)
        doubt_look(s);
}

static int tick(struct supervisor *s, struct error *err)
{
    struct vec events = VEC_OF(struct planner_event);
    int rc = s->stopping ? 0 : planner_tick(s->crew.planner, supervisor_now(), &events, err);
    for (size_t i = 0; rc == 0 && i < events.len; i++)
        rc = runs_act(s, vec_at(&events, i), err);
    vec_free(&events);
    return rc;
}

/* ---- configuration ---------------------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool same_schedule(const struct conf *a, size_t in_a, const struct conf *b, size_t in_b)
{
    return same_text(a->jobs[in_a].schedule.when, b->jobs[in_b].schedule.when) &&
           same_text(a->daemon.time_zone, b->daemon.time_zone);
}

/* A reload has brought this schedule: nothing before now was missed by it. */
static void begin_anew(struct supervisor *s, struct crew *crew, size_t job)
{
    if (planner_state(crew->planner, job)->last_due < supervisor_now())
        planner_decided(crew->planner, job, supervisor_now());
    struct history_job state = crew_to_history(crew, job);
    ledger_job(s->ledger, &state);
}

static int restore_from_history(struct supervisor *s, struct crew *crew, size_t i, struct error *err)
{
    struct history_job job;
    int rc = ledger_job_read(s->ledger, crew->conf->jobs[i].name, &job, err);
    if (rc != 1)
        return rc;
    const struct slot *slot = supervisor_slot_of(s, crew->conf->jobs[i].name);
    struct planner_state state = crew_from_history(&job);
    if (slot != NULL) { /* its job was gone, so it is asked to stop; until it has, no other begins */
        state.due = slot->due;
        state.started = slot->started;
        state.attempt = slot->attempt;
        state.running = state.stopping = true;
    }
    planner_restore(crew->planner, i, &state, slot != NULL);
    if (s->crew.planner != NULL)
        begin_anew(s, crew, i);
    return 0;
}

/* Where the jobs stand: of the crew before (a reload), else of the history. */
static int restore(struct supervisor *s, struct crew *crew, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < crew->n; i++) {
        size_t before = s->crew.planner != NULL ? supervisor_job(s, crew->conf->jobs[i].name) : SIZE_MAX;
        if (before == SIZE_MAX) {
            rc = restore_from_history(s, crew, i, err);
            continue;
        }
        planner_restore(crew->planner, i, planner_state(s->crew.planner, before), true);
        if (!same_schedule(s->crew.conf, before, crew->conf, i))
            begin_anew(s, crew, i);
    }
    return rc;
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
    runs_forget(s, &crew);
    crew_free(&s->crew);
    conf_free(s->conf);
    s->crew = crew;
    s->conf = conf;
    return 0;
}

/* History, lock and socket are where they are. */
static int same_state(const struct supervisor *s, const struct conf *conf, struct error *err)
{
    if (strcmp(conf->state, s->conf->state) == 0)
        return 0;
    return error_set(err, E_UNSUPPORTED, "`state` is %s now and was %s: that takes a restart", conf->state,
                     s->conf->state);
}

/* The mistakes of a configuration are lines of the log here. */
static struct conf *read_again(struct supervisor *s, struct buf *packed, struct error *err)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    struct conf *conf = access_configuration_packed(s->options->cli->config, true, packed, &problems, err);
    if (conf == NULL && problems.total > 0 && conf_problems_format(&problems, &text, NULL) == 0)
        for (size_t at = 0; at < text.len;) {
            const char *line = (const char *)text.data + at;
            const char *end = memchr(line, '\n', text.len - at);
            size_t len = end != NULL ? (size_t)(end - line) : text.len - at;
            log_event(LOG_WARN, "%.*s", (int)len, line);
            at += len + 1;
        }
    buf_free(&text);
    conf_problems_free(&problems);
    return conf;
}

static int take_new(struct supervisor *s, struct error *err)
{
    struct buf packed = BUF_INIT;
    struct conf *conf = read_again(s, &packed, err);
    s->is_old = conf == NULL;
    int rc = conf != NULL ? same_state(s, conf, err) : err->code;
    if (rc == 0)
        rc = adopt(s, conf, err);
    if (rc == 0)
        accepted_keep(&s->accepted, conf->state, &packed);
    else
        conf_free(conf);
    buf_free(&packed);
    return rc;
}

static void reload(struct supervisor *s)
{
    struct error why = ERROR_INIT;
    announce(s, DAEMON_RELOADING);
    if (take_new(s, &why) < 0) {
        char command[HOST_COMMAND_MAX];
        (void)zone_set(s->conf->daemon.time_zone, NULL);
        log_event(LOG_ALARM, "the configuration was not reloaded, the old one goes on: %s%s%s%s", why.text,
                  s->is_old ? " (`" : "", s->is_old ? host_command(s->options->cli, s->conf, command) : "",
                  s->is_old ? " check config` names every mistake)" : "");
        announce(s, DAEMON_NOT_RELOADED);
        return;
    }
    tell_crew("the configuration was reloaded", &s->crew);
    for (size_t i = 0; i < s->slots.len; i++)
        if (supervisor_job(s, supervisor_slot(s, i)->job) == SIZE_MAX)
            runs_stop(s, supervisor_slot(s, i), STOP_PLAN, "its job is no longer in the configuration");
    announce(s, DAEMON_RELOADED);
}

/* ---- the loop ----------------------------------------------------------------------------------------------------------- */

static int64_t wake_at(struct supervisor *s)
{
    int64_t plan = s->stopping ? INT64_MAX : planner_wake(s->crew.planner, supervisor_now());
    int64_t runs = runs_wake(s);
    int64_t parts = parts_wake(s);
    int64_t ledger = ledger_wake(s->ledger);
    int64_t best = plan < runs ? plan : runs;
    best = best < parts ? best : parts;
    return best < ledger ? best : ledger;
}

static void begin_to_stop(struct supervisor *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    tell("stops: %zu %s", s->slots.len, plural(s->slots.len, "run is on", "runs are on"));
    for (size_t i = 0; i < s->slots.len; i++)
        runs_stop(s, supervisor_slot(s, i), STOP_DAEMON, "the daemon stops");
    announce(s, DAEMON_STOPPING);
}

static void prune(struct supervisor *s)
{
    int64_t now = supervisor_now();
    if (now - s->pruned < PRUNE_EVERY && now >= s->pruned)
        return;
    s->pruned = now;
    ledger_prune(s->ledger, now, (int64_t)(s->conf->daemon.keep_history_ms / 1000));
}

static int loop(struct supervisor *s, struct error *err)
{
    struct pollfd fds[POLL_LOOP_FDS_MAX];
    struct poll_news news;
    int rc = 0;
    s->wall_ahead = wall_ahead();
    announce(s, DAEMON_READY);
    while (rc == 0 && !(s->stopping && s->slots.len == 0)) {
        look_at_clock(s);
        rc = tick(s, err);
        size_t nruns = runs_fds(s, fds, RUNS_FDS_MAX);
        size_t n = nruns + parts_fds(s, fds + nruns, POLL_LOOP_FDS_MAX - nruns);
        if (rc == 0)
            rc = poll_loop_wait(s->loop, wake_at(s), fds, n, &news, err);
        if (rc < 0)
            break;
        if (news.clock_set)
            announce(s, DAEMON_CLOCK_SET);
        if (news.stop)
            begin_to_stop(s);
        if (news.reload && !s->stopping)
            reload(s);
        runs_look(s);
        ledger_look(s->ledger);
        parts_look(s, fds + nruns, n - nruns);
        prune(s);
    }
    return rc;
}

static int prepare(struct supervisor *s, struct error *err)
{
    char *path = NULL;
    struct buf packed = BUF_INIT;
    struct conf *conf = host_configuration_packed(s->options->cli, true, &packed, err);
    if (conf == NULL)
        return err->code;
    int rc = zone_set(conf->daemon.time_zone, err); /* of all that is told from here on */
    if (rc == 0)
        rc = dir_make_private(conf->state, err);
    if (rc == 0 && (path = path_join(conf->state, SUPERVISOR_LOCK, err)) == NULL)
        rc = E_NOMEM;
    if (rc == 0 && (s->lock = filelock_take(path, err)) == NULL)
        rc = err->code == E_BUSY ? error_wrap(err, "another daemon runs here")
                                 : error_wrap(err, "the daemon cannot write to its state directory");
    free(path);
    if (rc == 0)
        run_marks_make_up(conf->state);
    if (rc == 0)
        rc = ledger_open(conf->state, &s->ledger, err);
    int64_t cut = rc == 0 ? history_cut_off(ledger_history(s->ledger), supervisor_now(), err) : 0;
    rc = cut < 0 ? (int)cut : rc;
    if (rc == 0)
        rc = adopt(s, conf, err);
    if (rc == 0)
        accepted_keep(&s->accepted, conf->state, &packed);
    buf_free(&packed);
    if (rc < 0)
        conf_free(conf);
    else if (cut > 0)
        log_event(LOG_WARN, "%lld %s cut off when the last daemon ended", (long long)cut,
                  plural((uint64_t)cut, "run was", "runs were"));
    return rc;
}

int supervisor_run(const struct supervisor_options *options, struct error *err)
{
    struct supervisor s = { .options = options,
                            .slots = VEC_OF(struct slot *),
                            .hands = VEC_OF(struct hand) };
    /* Signals are blocked before anything is started. */
    s.loop = poll_loop_new(err);
    int rc = s.loop != NULL ? prepare(&s, err) : err->code;
    if (rc == 0)
        rc = parts_open(&s, &s.parts, err);
    if (rc == 0) {
        tell_crew("runs", &s.crew);
        doubt_look(&s);
        rc = loop(&s, err);
    }
    if (rc == 0)
        tell("has stopped");
    runs_free(&s);
    parts_close(&s);
    crew_free(&s.crew);
    ledger_close(s.ledger);
    filelock_free(s.lock);
    conf_free(s.conf);
    accepted_free(&s.accepted);
    poll_loop_free(s.loop);
    return rc;
}
