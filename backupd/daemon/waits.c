#include "backupd/daemon/waits.h"

#include <stdio.h>
#include <stdlib.h>

#include "backupd/daemon/supervisor.h"
#include "common/base/number.h"
#include "common/base/zone.h"
#include "common/sys/dirs.h"
#include "common/sys/filelock.h"

#include "common/base/banned.h"

bool waits_daemon(const struct conf *conf)
{
    char *lock = path_join(conf->state, SUPERVISOR_LOCK, NULL);
    bool none = lock != NULL && filelock_held(lock, NULL, NULL) == 0;
    free(lock);
    return !none;
}

int waits_read(const struct crew *crew, struct history *history, struct planner **out, struct error *err)
{
    struct planner *p = NULL;
    bool on = waits_daemon(crew->conf);
    int rc = planner_new(crew->rules, crew->n, crew->conf->daemon.concurrency, &p, err);
    *out = NULL;
    for (size_t i = 0; rc == 0 && history != NULL && i < crew->n; i++) {
        struct history_job job;
        int found = history_job_read(history, crew->conf->jobs[i].name, &job, err);
        if (found == 1) {
            struct planner_state state = crew_from_history(&job);
            state.not_before = on ? state.not_before : 0; /* nobody tries it at that time */
            planner_restore(p, i, &state, on);
        }
        rc = found < 0 ? found : 0;
    }
    if (rc < 0)
        planner_free(p);
    else
        *out = p;
    return rc;
}

const char *waits_what(const struct crew *crew, const struct planner_hold *h, char out[WAITS_TEXT_MAX])
{
    out[0] = '\0';
    switch (h->kind) {
    case PLANNER_FREE:
        break;
    case PLANNER_HELD_AGAIN:
        (void)snprintf(out, WAITS_TEXT_MAX, "the time of its next try");
        break;
    case PLANNER_HELD_HOOKS:
        (void)snprintf(out, WAITS_TEXT_MAX, "the hooks of its run before, which was killed");
        break;
    case PLANNER_HELD_DEPENDS:
        (void)snprintf(out, WAITS_TEXT_MAX, "job %s", crew->conf->jobs[h->other].name);
        break;
    case PLANNER_HELD_LANE:
        if (h->running > 1)
            (void)snprintf(out, WAITS_TEXT_MAX, "one of the %u jobs that are on with the same %s", h->running,
                           h->lane);
        else
            (void)snprintf(out, WAITS_TEXT_MAX, "job %s with the same %s", crew->conf->jobs[h->other].name,
                           h->lane);
        break;
    case PLANNER_HELD_LIMIT:
        (void)snprintf(out, WAITS_TEXT_MAX, "its turn (%u of %u %s on)", h->running, h->limit,
                       plural(h->limit, "run is", "runs are"));
        break;
    }
    return out;
}

bool waits_is(const struct planner *planner, size_t job)
{
    const struct planner_state *s = planner_state(planner, job);
    return s->due != 0 && !s->running;
}

const char *waits_line(const struct crew *crew, const struct planner *planner, size_t job, int64_t now,
                       char out[WAITS_TEXT_MAX])
{
    char what[WAITS_TEXT_MAX];
    char wall[32];
    const struct planner_state *s = planner_state(planner, job);
    const struct planner_hold hold = planner_held(planner, job, now);
    unsigned tries = crew->rules[job].retries + 1;
    out[0] = '\0';
    if (!waits_is(planner, job))
        return out;
    if (hold.kind == PLANNER_HELD_AGAIN)
        (void)snprintf(out, WAITS_TEXT_MAX, "is tried again at %s (attempt %u of %u)",
                       zone_format(wall, s->not_before), s->attempt + 1,
                       s->attempt < tries ? tries : s->attempt + 1);
    else
        (void)snprintf(out, WAITS_TEXT_MAX, "waits since %s for %s", zone_format(wall, s->from),
                       hold.kind == PLANNER_FREE ? "the daemon to start it" : waits_what(crew, &hold, what));
    return out;
}

void waits_json(struct jsonout *o, const struct crew *crew, const struct planner *planner, size_t job,
                int64_t now)
{
    static const char *const kinds[] = {
        [PLANNER_FREE] = "daemon",      [PLANNER_HELD_AGAIN] = "retry", [PLANNER_HELD_HOOKS] = "hooks",
        [PLANNER_HELD_DEPENDS] = "job", [PLANNER_HELD_LANE] = "lane",   [PLANNER_HELD_LIMIT] = "limit"
    };
    char text[WAITS_TEXT_MAX];
    const struct planner_state *s = planner_state(planner, job);
    const struct planner_hold hold = planner_held(planner, job, now);
    bool other = hold.kind == PLANNER_HELD_DEPENDS || hold.kind == PLANNER_HELD_LANE;
    if (!waits_is(planner, job)) {
        jsonout_str(o, "waiting", NULL);
        return;
    }
    struct jsonout *w = jsonout_object(o, "waiting");
    jsonout_time(w, "due", (uint64_t)s->due);
    jsonout_time(w, "since", (uint64_t)s->from);
    jsonout_bool(w, "by_hand", s->by_hand);
    jsonout_u64(w, "attempt", s->attempt + 1);
    jsonout_time(w, "not_before", (uint64_t)s->not_before);
    jsonout_str(w, "for", kinds[hold.kind]);
    jsonout_str(w, "job", other ? crew->conf->jobs[hold.other].name : NULL);
    jsonout_str(w, "text", waits_line(crew, planner, job, now, text));
}
