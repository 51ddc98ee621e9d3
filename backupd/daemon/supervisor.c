#include "backupd/daemon/supervisor.h"

#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/supervisor_internal.h"
#include "backupd/daemon/tell.h"
#include "backupd/host.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
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

/* Where the jobs stand: of the crew before (a reload), else of the history. */
static int restore(struct supervisor *s, struct crew *crew, struct error *err)
{
    for (size_t i = 0; i < crew->n; i++) {
        const char *name = crew->conf->jobs[i].name;
        size_t before = s->crew.planner != NULL ? supervisor_job(s, name) : SIZE_MAX;
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

/* History, lock and socket are where they are. */
static int same_state(const struct supervisor *s, const struct conf *conf, struct error *err)
{
    if (strcmp(conf->state, s->conf->state) == 0)
        return 0;
    return error_set(err, E_UNSUPPORTED, "`state` is %s now and was %s: that takes a restart", conf->state,
                     s->conf->state);
}

static int take_new(struct supervisor *s, struct error *err)
{
    struct buf packed = BUF_INIT;
    struct conf *conf = host_configuration_packed(s->options->cli, true, &packed, err);
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
        (void)zone_set(s->conf->daemon.time_zone, NULL);
        log_event(LOG_ALARM, "the configuration was not reloaded, the old one goes on: %s", why.text);
        announce(s, DAEMON_NOT_RELOADED);
        return;
    }
    tell_crew("the configuration was reloaded", s->conf);
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
    int64_t best = plan < runs ? plan : runs;
    return best < parts ? best : parts;
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
    struct error why = ERROR_INIT;
    int64_t now = supervisor_now();
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
    int rc = dir_make_private(conf->state, err);
    if (rc == 0 && (path = path_join(conf->state, SUPERVISOR_LOCK, err)) == NULL)
        rc = E_NOMEM;
    if (rc == 0 && (s->lock = filelock_take(path, err)) == NULL)
        rc = error_wrap(err, "another daemon runs here");
    free(path);
    if (rc == 0)
        run_marks_make_up(conf->state);
    path = rc == 0 ? path_join(conf->state, SUPERVISOR_HISTORY, err) : NULL;
    if (rc == 0)
        rc = path != NULL ? history_open(path, &s->history, err) : E_NOMEM;
    free(path);
    int64_t cut = rc == 0 ? history_cut_off(s->history, supervisor_now(), err) : 0;
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
        tell_crew("runs", s.conf);
        rc = loop(&s, err);
    }
    if (rc == 0)
        tell("has stopped");
    runs_free(&s);
    parts_close(&s);
    crew_free(&s.crew);
    history_close(s.history);
    filelock_free(s.lock);
    conf_free(s.conf);
    accepted_free(&s.accepted);
    poll_loop_free(s.loop);
    return rc;
}
