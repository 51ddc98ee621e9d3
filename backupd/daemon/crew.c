#include "backupd/daemon/crew.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/base/zone.h"

#include "common/base/banned.h"

enum { HOST_NAME_MAX_LEN = 256 };

/* FNV-1a: spreads names; nothing depends on it being hard to guess. */
static uint64_t spread(uint64_t h, const char *text)
{
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return h;
}

int64_t crew_jitter(const char *job, uint64_t limit_ms)
{
    char host[HOST_NAME_MAX_LEN] = "";
    uint64_t seconds = limit_ms / 1000;
    (void)gethostname(host, sizeof host - 1);
    return seconds == 0
               ? 0
               : (int64_t)(spread(spread(UINT64_C(14695981039346656037), host), job) % (seconds + 1));
}

static const char *option(const struct conf_job *job, const char *key)
{
    return conf_job_option(job, key, 0);
}

/* What it shares with few others, for free(): the database server that a job reads from, a task's repository. "" for
 * nothing. */
static char *lane_of(const struct conf_job *job, struct error *err)
{
    if (job->task != CONF_TASK_NONE) /* one of a kind at a time */
        return str_printf(err, "repository and task (%s of %s)", conf_task_name(job->task), job->repository);
    static const char *const with_server[] = { "postgres", "mariadb", "mariabackup" };
    const char *host = option(job, "host");
    const char *port = option(job, "port");
    const char *socket = option(job, "socket");
    for (size_t i = 0; i < sizeof with_server / sizeof with_server[0]; i++)
        if (strcmp(job->engine, with_server[i]) == 0)
            return str_printf(err, "%s server %s%s%s", i == 0 ? "PostgreSQL" : "MariaDB",
                              host != NULL     ? host
                              : socket != NULL ? socket
                                               : "of this host",
                              port != NULL ? ":" : "", port != NULL ? port : "");
    return str_dup("", err);
}

static int make_rules(struct crew *c, size_t i, struct error *err)
{
    const struct conf_job *job = &c->conf->jobs[i];
    const struct conf_schedule *s = &job->schedule;
    struct planner_rules *r = &c->rules[i];
    if (s->when != NULL) {
        int rc = calendar_parse(s->when, &c->calendars[i], err);
        if (rc < 0)
            return rc;
    }
    c->lanes[i] = lane_of(job, err);
    if (c->lanes[i] == NULL)
        return E_NOMEM;
    *r = (struct planner_rules){ .name = job->name,
                                 .calendar = c->calendars[i],
                                 .jitter = crew_jitter(job->name, s->jitter_ms),
                                 .window = (int64_t)(s->window_ms / 1000),
                                 .max_duration = (int64_t)(s->max_duration_ms / 1000),
                                 .catch_up = (int64_t)(s->catch_up_ms / 1000),
                                 .retries = CREW_RETRIES,
                                 .retry_pause = CREW_RETRY_PAUSE };
    if (c->lanes[i][0] != '\0')
        r->lanes[r->nlanes++] =
            (struct planner_lane){ c->lanes[i],
                                   job->task == CONF_TASK_NONE ? c->conf->daemon.per_server : 1 };
    if (s->depends_on.n > PLANNER_DEPENDS_MAX)
        return error_set(err, E_USAGE, "job %s depends on more than %d others", job->name,
                         (int)PLANNER_DEPENDS_MAX);
    for (size_t d = 0; d < s->depends_on.n; d++)
        for (size_t k = 0; k < c->n; k++)
            if (strcmp(c->conf->jobs[k].name, s->depends_on.names[d]) == 0)
                r->depends[r->ndepends++] = k;
    return 0;
}

int crew_make(const struct conf *conf, struct crew *out, struct error *err)
{
    struct crew c = { .conf = conf, .n = conf->njobs + conf->ntasks };
    int rc = zone_set(conf->daemon.time_zone, err);
    if (rc == 0 && ((c.rules = mem_alloc(c.n + 1, sizeof *c.rules, err)) == NULL ||
                    (c.calendars = mem_alloc(c.n + 1, sizeof *c.calendars, err)) == NULL ||
                    (c.lanes = mem_alloc(c.n + 1, sizeof *c.lanes, err)) == NULL))
        rc = E_NOMEM;
    for (size_t i = 0; rc == 0 && i < c.n; i++)
        rc = make_rules(&c, i, err);
    if (rc == 0)
        rc = planner_new(c.rules, c.n, conf->daemon.concurrency, &c.planner, err);
    if (rc < 0) {
        crew_free(&c);
        return rc;
    }
    *out = c;
    return 0;
}

void crew_free(struct crew *c)
{
    planner_free(c->planner);
    for (size_t i = 0; c->calendars != NULL && i < c->n; i++)
        calendar_free(c->calendars[i]);
    for (size_t i = 0; c->lanes != NULL && i < c->n; i++)
        free(c->lanes[i]);
    free(c->calendars);
    free(c->lanes);
    free(c->rules);
    *c = (struct crew){ .n = 0 };
}

struct history_job crew_to_history(const struct crew *c, size_t job)
{
    const struct planner_state *s = planner_state(c->planner, job);
    return (struct history_job){ .name = c->conf->jobs[job].name,
                                 .last_due = s->last_due,
                                 .due = s->due,
                                 .from = s->from,
                                 .started = s->started,
                                 .not_before = s->not_before,
                                 .attempt = s->attempt,
                                 .last = (unsigned)s->last,
                                 .running = s->running,
                                 .by_hand = s->by_hand,
                                 .paused = s->paused };
}

struct planner_state crew_from_history(const struct history_job *j)
{
    return (struct planner_state){ .last_due = j->last_due,
                                   .due = j->due,
                                   .from = j->from,
                                   .started = j->started,
                                   .not_before = j->not_before,
                                   .attempt = j->attempt,
                                   .last = j->last <= PLANNER_SKIPPED ? (enum planner_outcome)j->last
                                                                      : PLANNER_NEVER,
                                   .running = j->running,
                                   .by_hand = j->by_hand,
                                   .paused = j->paused };
}
