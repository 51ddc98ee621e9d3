#include "backupd/pages/view.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/anomaly/told.h"
#include "backupd/pages/view_internal.h"
#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/base/zone.h"

#include "common/base/banned.h"

enum { DAY = 86400, PAUSES = 32 };

const char *view_verdict_id(enum history_verdict verdict)
{
    return verdict == HISTORY_CUT_OFF ? "cut_off" : history_verdict_name(verdict);
}

const char *view_verdict_word(const struct history_point *p)
{
    return history_is_cancelled(p->verdict, p->text) ? "cancelled" : history_verdict_name(p->verdict);
}

bool view_verdict_is_bad(enum history_verdict v)
{
    return v == HISTORY_FAILED || v == HISTORY_STOPPED || v == HISTORY_CUT_OFF || v == HISTORY_SKIPPED;
}

int64_t view_when(const struct history_point *p)
{
    return p->started != 0 ? p->started : p->due;
}

uint64_t view_took(const struct view *view, const struct history_point *p)
{
    int64_t end = p->ended != 0 ? p->ended : view->options.now;
    return p->started == 0 || end < p->started ? 0 : (uint64_t)(end - p->started) * 1000;
}

static int keep_run(struct view_run *out, const struct history_point *p, struct error *err)
{
    out->p = *p;
    out->text = str_dup(p->text, err);
    out->reason = str_dup(p->reason, err);
    out->p.text = out->text;
    out->p.reason = out->reason;
    return out->text != NULL && out->reason != NULL ? 0 : E_NOMEM;
}

static void free_run(struct view_run *run)
{
    free(run->text);
    free(run->reason);
}

/* ---- nights and points ---------------------------------------------------------------------------------------------------- */

struct reading {
    struct view *view;
    struct view_job *job;
    int64_t today;
    struct error *err;
};

static int64_t day_of(int64_t t)
{
    struct civil c;
    zone_civil(t, &c);
    return civil_days(c.year, c.month, c.day);
}

/* What a day is remembered for: a success, whatever was before it; else what went wrong. */
static bool is_better(enum history_verdict a, enum history_verdict b)
{
    static const int rank[] = {
        [HISTORY_RUNNING] = 0, [HISTORY_OK] = 1,      [HISTORY_WARNING] = 2, [HISTORY_FAILED] = 3,
        [HISTORY_STOPPED] = 4, [HISTORY_CUT_OFF] = 5, [HISTORY_SKIPPED] = 6
    };
    return (size_t)a < HISTORY_VERDICTS && (size_t)b < HISTORY_VERDICTS && rank[a] < rank[b];
}

static void add_night(struct reading *r, const struct history_point *p)
{
    int64_t day = day_of(p->due != 0 ? p->due : p->started);
    int64_t at = VIEW_NIGHTS - 1 - (r->today - day);
    if (at < 0 || at >= VIEW_NIGHTS)
        return;
    struct view_night *n = &r->job->nights[at];
    if (p->verdict == HISTORY_SKIPPED) {
        n->skipped += p->count;
    } else {
        n->runs++;
        n->bad += view_verdict_is_bad(p->verdict) ? 1 : 0;
    }
    if (!n->any || is_better(p->verdict, n->verdict))
        n->verdict = p->verdict;
    n->any = true;
}

static int read_row(const struct history_point *p, void *arg)
{
    struct reading *r = arg;
    add_night(r, p);
    if (!p->has_bytes || p->verdict == HISTORY_RUNNING || r->job->points.len == VIEW_POINTS)
        return 0;
    struct history_point *kept = vec_push(&r->job->points, r->err);
    if (kept == NULL)
        return E_NOMEM;
    *kept = *p;
    kept->text = kept->reason = "";
    return 0;
}

static void turn_around(struct vec *points)
{
    for (size_t i = 0; i < points->len / 2; i++) {
        struct history_point *a = vec_at(points, i);
        struct history_point *b = vec_at(points, points->len - 1 - i);
        struct history_point swap = *a;
        *a = *b;
        *b = swap;
    }
}

static int read_nights(struct view *view, struct view_job *job, struct history *h, struct error *err)
{
    struct reading r = { .view = view, .job = job, .today = day_of(view->options.now), .err = err };
    const struct history_filter filter = { .job = job->name,
                                           .since = view->options.now - (int64_t)(VIEW_NIGHTS + 1) * DAY,
                                           .limit = VIEW_ROWS_MAX };
    job->nights = mem_alloc(VIEW_NIGHTS, sizeof *job->nights, err);
    if (job->nights == NULL)
        return E_NOMEM;
    for (int i = 0; i < VIEW_NIGHTS; i++)
        job->nights[i].day = r.today - (VIEW_NIGHTS - 1 - i);
    int rc = h != NULL ? history_points(h, &filter, read_row, &r, err) : 0;
    turn_around(&job->points);
    return rc;
}

/* ---- a job ---------------------------------------------------------------------------------------------------------------- */

struct keeping {
    struct view_run *run;
    bool *has;
    struct error *err;
};

static int keep_row(const struct history_point *p, void *arg)
{
    struct keeping *k = arg;
    *k->has = true;
    return keep_run(k->run, p, k->err);
}

/* The longest pause between the next due times, and when the first of them is. */
static void read_calendar(struct view_job *job, const struct planner_rules *r, int64_t now)
{
    int64_t t = r->calendar != NULL ? calendar_next(r->calendar, now - r->jitter) : 0;
    int64_t longest = 0;
    job->next = t != 0 ? t + r->jitter : 0;
    job->over = t == 0 && r->calendar != NULL;
    for (int i = 0; t != 0 && i < PAUSES; i++) {
        int64_t after = calendar_next(r->calendar, t);
        longest = after != 0 && after - t > longest ? after - t : longest;
        t = after;
    }
    job->stale_after = longest == 0 ? 0 : longest + (longest < VIEW_STALE_EXTRA ? longest : VIEW_STALE_EXTRA);
}

static int read_unusual(struct view_job *job, struct history *h, struct error *err)
{
    char text[ANOMALY_TEXT_MAX];
    const struct history_run run = { .id = job->ok.p.id, .text = "" };
    int rc = told_line(h, &run, text, err);
    if (rc == 0 && text[0] != '\0' && (job->unusual = str_dup(text, err)) == NULL)
        rc = E_NOMEM;
    return rc;
}

static int read_history(struct view *view, struct view_job *job, struct history *h, struct error *err)
{
    bool is_expire = strcmp(job->kind, conf_task_name(CONF_TASK_EXPIRE)) == 0;
    struct history_job state;
    const struct history_filter newest = { .job = job->name, .limit = 1 };
    struct keeping last = { &job->last, &job->has_last, err };
    struct keeping ok = { &job->ok, &job->has_ok, err };
    int rc = history_job_read(h, job->name, &state, err);
    if (rc == 1) {
        job->paused = state.paused;
        job->running_since = state.running ? state.started : 0;
    }
    rc = rc < 0 ? rc : history_points(h, &newest, keep_row, &last, err);
    if (rc == 0)
        rc = history_sums(h, job->name, &job->sums, err);
    const struct history_filter good = { .job = job->name, .id = job->sums.last_ok, .limit = 1 };
    if (rc == 0 && job->sums.last_ok != 0)
        rc = history_points(h, &good, keep_row, &ok, err);
    if (rc == 0 && job->has_ok)
        rc = read_unusual(job, h, err);
    if (rc == 0 && job->has_ok && is_expire)
        rc = history_result_number(h, job->ok.p.id, "suspicious_jobs", &job->braked, err);
    int64_t age = view->options.now - job->ok.p.ended;
    /* How old one is that is dated in the future nobody knows. */
    job->stale = job->has_ok && job->stale_after != 0 && (age > job->stale_after || age < -VIEW_AHEAD);
    return rc;
}

static int add_job(struct view *view, const struct crew *crew, size_t i, struct history *h, struct error *err)
{
    const struct conf_job *conf = &crew->conf->jobs[i];
    struct view_job *job = vec_push(&view->jobs, err);
    if (job == NULL)
        return E_NOMEM;
    *job = (struct view_job){ .name = conf->name,
                              .kind = conf_task_name(conf->task),
                              .engine = conf->engine != NULL ? conf->engine : "",
                              .repository = conf->repository != NULL ? conf->repository : "",
                              .schedule = conf->schedule.when,
                              .points = VEC_OF(struct history_point) };
    read_calendar(job, &crew->rules[i], view->options.now);
    int rc = h != NULL ? read_history(view, job, h, err) : 0;
    if (rc == 0 && view->options.nights)
        rc = read_nights(view, job, h, err);
    return rc;
}

static void free_job(struct view_job *job)
{
    if (job->has_last)
        free_run(&job->last);
    if (job->has_ok)
        free_run(&job->ok);
    free(job->unusual);
    free(job->waits);
    free(job->nights);
    vec_free(&job->points);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------- */

/* unread: or NULL. */
static int make(const struct crew *crew, struct history *history, const struct view_options *options,
                const char *unread, struct view *out, struct error *err)
{
    *out = (struct view){ .options = *options,
                          .crew = crew,
                          .zone = crew->conf->daemon.time_zone,
                          .jobs = VEC_OF(struct view_job),
                          .alarms = VEC_OF(struct view_alarm),
                          .stands = VEC_OF(struct drill_stand),
                          .drills = VEC_OF(struct view_drill),
                          .refusals = VEC_OF(struct view_refusal),
                          .storage = VEC_OF(struct view_storage) };
    int rc = 0;
    if (unread != NULL && (out->unread = str_dup(unread, err)) == NULL)
        rc = E_NOMEM;
    if (gethostname(out->host, sizeof out->host - 1) < 0)
        out->host[0] = '\0';
    for (size_t i = 0; rc == 0 && i < crew->n; i++)
        rc = add_job(out, crew, i, history, err);
    if (rc == 0 && options->nights)
        rc = view_add_waits(out, history, err);
    if (rc == 0 && history != NULL)
        rc = history_newest(history, &out->newest, err);
    if (rc == 0)
        rc = view_add_drills(out, crew, err);
    if (rc == 0)
        rc = view_add_refusals(out, history, err);
    if (rc == 0)
        rc = view_add_alarms(out, err);
    if (rc == 0)
        rc = view_add_storage(out, crew->conf, err);
    if (rc < 0)
        view_free(out);
    return rc;
}

int view_make(const struct crew *crew, struct history *history, const struct view_options *options,
              struct view *out, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = make(crew, history, options, options->unread, out, &why);
    if (rc == E_CORRUPT && history != NULL)
        return make(crew, NULL, options, why.text, out, err);
    return rc < 0 ? error_copy(err, &why) : rc;
}

void view_free(struct view *view)
{
    free(view->unread);
    for (size_t i = 0; i < view->jobs.len; i++)
        free_job(vec_at(&view->jobs, i));
    for (size_t i = 0; i < view->alarms.len; i++)
        free(((struct view_alarm *)vec_at(&view->alarms, i))->text);
    vec_free(&view->jobs);
    vec_free(&view->alarms);
    vec_free(&view->storage);
    vec_free(&view->drills);
    planner_free(view->planner);
    drill_stands_free(&view->stands);
    view_free_refusals(view);
}
