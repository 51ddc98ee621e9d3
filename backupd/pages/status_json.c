#include "backupd/pages/status_json.h"

#include <stdio.h>

#include "backupd/daemon/waits.h"
#include "common/base/zone.h"
#include "common/cli/json.h"
#include "version.h"

#include "common/base/banned.h"

static void put_run(struct jsonout *o, const struct view *v, const struct history_point *p)
{
    jsonout_i64(o, "run", p->id);
    jsonout_str(o, "verdict", history_verdict_name(p->verdict));
    jsonout_time(o, "due", (uint64_t)p->due);
    jsonout_time(o, "started", (uint64_t)p->started);
    jsonout_time(o, "ended", (uint64_t)p->ended);
    jsonout_u64(o, "duration_seconds", view_took(v, p) / 1000);
    if (p->has_bytes) {
        jsonout_i64(o, "total_bytes_processed", p->read);
        jsonout_i64(o, "data_added", p->fresh);
        jsonout_i64(o, "data_added_packed", p->stored);
    }
}

static void put_last(struct jsonout *o, const struct view *v, const struct view_run *run)
{
    put_run(o, v, &run->p);
    jsonout_u64(o, "count", run->p.count);
    jsonout_i64(o, "exit_code", run->p.exit_code);
    jsonout_str(o, "reason", run->reason);
    jsonout_str(o, "text", run->text);
}

static void put_nights(struct jsonout *o, const struct view_job *j)
{
    struct jsonout *list = jsonout_array(o, "nights");
    for (int i = 0; j->nights != NULL && i < VIEW_NIGHTS; i++) {
        const struct view_night *n = &j->nights[i];
        struct jsonout *night = n->any ? jsonout_object(list, NULL) : NULL;
        struct civil c;
        char date[32];
        civil_of_days(n->day, &c);
        (void)snprintf(date, sizeof date, "%04d-%02d-%02d", c.year, c.month, c.day);
        jsonout_str(night, "date", date);
        jsonout_str(night, "verdict", history_verdict_name(n->verdict));
        jsonout_u64(night, "runs", n->runs);
        jsonout_u64(night, "bad", n->bad);
        jsonout_u64(night, "skipped", n->skipped);
    }
}

static void put_job(struct jsonout *list, const struct view *v, size_t at)
{
    const struct view_job *j = vec_at(&v->jobs, at);
    struct jsonout *o = jsonout_object(list, NULL);
    jsonout_str(o, "job", j->name);
    jsonout_str(o, "kind", j->kind);
    jsonout_str(o, "engine", j->engine);
    jsonout_str(o, "repository", j->repository);
    jsonout_str(o, "schedule", j->schedule);
    jsonout_bool(o, "paused", j->paused);
    jsonout_time(o, "running_since", (uint64_t)j->running_since);
    if (v->planner != NULL)
        waits_json(o, v->crew, v->planner, at, v->options.now);
    jsonout_time(o, "next", (uint64_t)j->next);
    jsonout_bool(o, "comes_again", j->next != 0);
    jsonout_i64(o, "stale_after_seconds", j->stale_after);
    jsonout_bool(o, "stale", j->stale);
    jsonout_i64(o, "consecutive_failures", j->sums.failures);
    jsonout_i64(o, "skipped_runs", j->sums.skipped);
    if (j->has_last)
        put_last(jsonout_object(o, "last"), v, &j->last);
    if (j->has_ok)
        put_run(jsonout_object(o, "last_success"), v, &j->ok.p);
    put_nights(o, j);
    struct jsonout *runs = jsonout_array(o, "sizes");
    for (size_t i = 0; i < j->points.len; i++)
        put_run(jsonout_object(runs, NULL), v, vec_at(&j->points, i));
}

static void put_daemon(struct jsonout *o, const struct view_daemon *d)
{
    struct jsonout *daemon = jsonout_object(o, "daemon");
    if (d->asked)
        jsonout_bool(daemon, "alive", d->alive);
    if (d->asked && d->alive)
        jsonout_time(daemon, "started", (uint64_t)d->started);
    if (d->has_errors)
        jsonout_u64(daemon, "history_errors", d->history_errors);
}

static void put_alarms(struct jsonout *o, const struct view *v)
{
    struct jsonout *list = jsonout_array(o, "alarms");
    for (size_t i = 0; i < v->alarms.len; i++) {
        const struct view_alarm *a = vec_at(&v->alarms, i);
        struct jsonout *alarm = jsonout_object(list, NULL);
        jsonout_str(alarm, "alarm", view_alarm_name(a->kind));
        jsonout_str(alarm, "job", a->job);
        jsonout_time(alarm, "since", (uint64_t)a->since);
        jsonout_str(alarm, "text", a->text);
    }
}

static void put_storage(struct jsonout *o, const struct view *v)
{
    struct jsonout *list = jsonout_array(o, "storage");
    for (size_t i = 0; i < v->storage.len; i++) {
        const struct view_storage *s = vec_at(&v->storage, i);
        struct jsonout *storage = jsonout_object(list, NULL);
        jsonout_str(storage, "repository", s->repository);
        jsonout_str(storage, "type", s->type);
        if (s->known)
            jsonout_u64(storage, "size_bytes", s->size);
        if (s->known)
            jsonout_u64(storage, "free_bytes", s->free);
    }
}

static void put_drills(struct jsonout *o, const struct view *v)
{
    struct jsonout *list = jsonout_array(o, "drills");
    for (size_t i = 0; i < v->drills.len; i++) {
        const struct view_drill *d = vec_at(&v->drills, i);
        const struct drill_stand *s = d->stand;
        struct jsonout *drill = jsonout_object(list, NULL);
        jsonout_str(drill, "drill", s->drill);
        jsonout_str(drill, "repository", s->repository);
        jsonout_str(drill, "job", s->job);
        jsonout_str(drill, "state", drill_trouble_name(s->trouble));
        jsonout_str(drill, "text", s->text);
        jsonout_u64(drill, "every_seconds", s->every);
        jsonout_time(drill, "last_pass", (uint64_t)s->last_pass);
        jsonout_time(drill, "due_by", (uint64_t)d->due_by);
        jsonout_time(drill, "next", (uint64_t)d->next);
        struct jsonout *last = s->any ? jsonout_object(drill, "last") : NULL;
        jsonout_str(last, "id", s->id);
        jsonout_str(last, "verdict", drills_verdict_name(s->verdict));
        jsonout_str(last, "reason", s->reason[0] != '\0' ? s->reason : NULL);
        jsonout_time(last, "finished", (uint64_t)s->finished);
        jsonout_i64(last, "rto_ms", s->rto_ms);
        jsonout_i64(last, "rto_target_seconds", s->rto_target_seconds);
    }
}

/* Refused logins: how many ever, and who lately. */
static void put_refused(struct jsonout *o, const struct view *v)
{
    struct jsonout *refused = jsonout_object(o, "control_refused");
    jsonout_u64(refused, "total", v->refused);
    struct jsonout *list = jsonout_array(refused, "accounts");
    for (size_t i = 0; i < v->refusals.len; i++) {
        const struct view_refusal *r = vec_at(&v->refusals, i);
        struct jsonout *one = jsonout_object(list, NULL);
        jsonout_str(one, "account", r->account);
        jsonout_u64(one, "count", r->count);
        jsonout_time(one, "first", (uint64_t)r->first);
        jsonout_time(one, "last", (uint64_t)r->last);
        jsonout_str(one, "text", r->what);
    }
}

int status_json_write(const struct view *view, struct buf *out, struct error *err)
{
    struct jsonout *o = jsonout_new("status");
    jsonout_str(o, "version", BACKUP_VERSION);
    jsonout_str(o, "host", view->host);
    jsonout_time(o, "time", (uint64_t)view->options.now);
    jsonout_str(o, "time_zone", view->zone);
    put_daemon(o, &view->options.daemon);
    put_alarms(o, view);
    struct jsonout *jobs = jsonout_array(o, "jobs");
    for (size_t i = 0; i < view->jobs.len; i++)
        put_job(jobs, view, i);
    put_storage(o, view);
    put_drills(o, view);
    put_refused(o, view);
    return jsonout_text(o, out, err);
}
