#include "common/access/drill_stand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };

const char *drill_trouble_name(enum drill_trouble t)
{
    static const char *const names[] = { "well", "could_not_run", "stale", "never", "failing" };
    return (size_t)t < sizeof names / sizeof names[0] ? names[t] : "unknown";
}

struct asking {
    const struct drill_stand_options *o;
    struct vec *out;
    struct error *err;
    uint64_t every; /* of what is added from rows */
};

/* ---- which there should be ------------------------------------------------------------------------------ */

/* Whether somebody asked for it: everybody who named nothing did. */
static bool asked_for(const struct asking *a, const char *job, const char *drill)
{
    for (size_t i = 0; i < a->o->nnames; i++)
        if (strcmp(a->o->names[i], job) == 0 || (drill != NULL && strcmp(a->o->names[i], drill) == 0))
            return true;
    return a->o->nnames == 0;
}

static bool is_there(const struct asking *a, const char *repository, const char *job)
{
    for (size_t i = 0; i < a->out->len; i++) {
        const struct drill_stand *s = vec_at(a->out, i);
        if (strcmp(s->job, job) == 0 && (s->drill != NULL || strcmp(s->repository, repository) == 0))
            return true;
    }
    return false;
}

static int want(struct asking *a, const char *repository, const char *job, const char *drill, uint64_t every)
{
    if ((drill == NULL && is_there(a, repository, job)) || !asked_for(a, job, drill))
        return 0;
    struct drill_stand *s = vec_push(a->out, a->err);
    if (s == NULL)
        return E_NOMEM;
    *s = (struct drill_stand){
        .repository = str_dup(repository, a->err), .job = str_dup(job, a->err), .drill = drill, .every = every
    };
    return s->repository != NULL && s->job != NULL ? 0 : E_NOMEM;
}

static int want_row(const struct drills_row *row, void *arg)
{
    struct asking *a = arg;
    return want(a, row->repository, row->job, NULL, a->every);
}

/* "" on a host that only drills. */
static const char *repository_of(const struct conf *conf, const char *job)
{
    for (size_t i = 0; i < conf->njobs; i++)
        if (strcmp(conf->jobs[i].name, job) == 0 && conf->jobs[i].repository != NULL)
            return conf->jobs[i].repository;
    return "";
}

static int collect(struct asking *a)
{
    const struct conf *conf = a->o->conf;
    uint64_t every = a->o->every != 0 ? a->o->every : DRILL_STAND_EVERY;
    bool jobs = a->o->jobs && (conf == NULL || conf->ndrills == 0);
    int rc = 0;
    for (size_t i = 0; rc == 0 && conf != NULL && i < conf->ndrills; i++) {
        const struct conf_drill *d = &conf->drills[i];
        bool says = d->every_ms != 0 && !a->o->every_given;
        rc = want(a, repository_of(conf, d->job), d->job, d->name, says ? d->every_ms / 1000 : every);
    }
    for (size_t i = 0; rc == 0 && jobs && conf != NULL && i < conf->njobs; i++)
        rc = want(a, conf->jobs[i].repository, conf->jobs[i].name, NULL, every);
    a->every = jobs ? every : 0;
    return rc < 0 || a->o->drills == NULL || !(jobs || a->o->others)
               ? rc
               : drills_last_per_job(a->o->drills, want_row, a, a->err);
}

/* ---- how one stands --------------------------------------------------------------------------------------- */

struct taking {
    struct drill_stand *stand;
    struct error *err;
};

static int take(const struct drills_row *r, void *arg)
{
    struct taking *t = arg;
    struct drill_stand *s = t->stand;
    s->any = true;
    s->verdict = r->verdict;
    s->finished = r->finished;
    s->rto_ms = r->rto_ms;
    s->rto_target_seconds = r->rto_target_seconds;
    (void)snprintf(s->id, sizeof s->id, "%s", r->id);
    (void)snprintf(s->reason, sizeof s->reason, "%s", r->reason);
    if (s->repository[0] != '\0' || r->repository[0] == '\0')
        return 0;
    free(s->repository);
    s->repository = str_dup(r->repository, t->err);
    return s->repository != NULL ? 0 : E_NOMEM;
}

const char *drill_ago(char out[NUMBER_TEXT_MAX], int64_t now, int64_t then)
{
    int64_t age = now > then ? now - then : 0;
    int64_t unit = age >= 2 * DAY ? DAY : age >= 2 * HOUR ? HOUR : MINUTE;
    (void)snprintf(out, NUMBER_TEXT_MAX, "%lld %s ago", (long long)(age / unit),
                   unit == DAY    ? "days"
                   : unit == HOUR ? "h"
                                  : "min");
    return out;
}

static bool is_stale(const struct drill_stand *s, int64_t now)
{
    return s->every != 0 && now > s->last_pass && (uint64_t)(now - s->last_pass) > s->every;
}

static void judge(struct drill_stand *s, int64_t now)
{
    char t[NUMBER_TEXT_MAX];
    char *text = s->text;
    if (!s->any) {
        s->trouble = DRILL_NEVER;
        (void)snprintf(text, DRILL_STAND_TEXT_MAX, "never drilled");
    } else if (s->verdict == DRILLS_FAIL) {
        s->trouble = DRILL_FAILING;
        (void)snprintf(text, DRILL_STAND_TEXT_MAX, "the last drill failed: %s", s->reason);
    } else if (s->last_pass == 0) {
        s->trouble = DRILL_NEVER;
        (void)snprintf(text, DRILL_STAND_TEXT_MAX, "no drill ever passed; the last could not run: %s",
                       s->reason);
    } else if (is_stale(s, now)) {
        s->trouble = DRILL_STALE;
        (void)snprintf(text, DRILL_STAND_TEXT_MAX, "stale: the last that passed was %s, more than %llu days",
                       drill_ago(t, now, s->last_pass), (unsigned long long)(s->every / DAY));
    } else if (s->verdict == DRILLS_COULD_NOT_RUN) {
        s->trouble = DRILL_NOT_RUN;
        (void)snprintf(text, DRILL_STAND_TEXT_MAX, "the last one could not run: %s", s->reason);
    } else {
        (void)snprintf(text, DRILL_STAND_TEXT_MAX, "passed %s", drill_ago(t, now, s->last_pass));
    }
}

static int look_at(struct drill_stand *s, const struct asking *a)
{
    const char *where = s->drill != NULL ? NULL : s->repository; /* a drill's name is enough */
    const struct drills_filter filter = { .repository = where, .job = s->job, .drill = s->drill, .limit = 1 };
    struct taking taking = { .stand = s, .err = a->err };
    int rc = 0;
    if (a->o->drills != NULL)
        rc = drills_each(a->o->drills, &filter, take, &taking, a->err);
    if (rc == 0 && a->o->drills != NULL)
        rc = drills_last_pass(a->o->drills, where, s->job, s->drill, &s->last_pass, a->err);
    judge(s, a->o->now);
    return rc;
}

int drill_stands(const struct drill_stand_options *options, struct vec *out, struct error *err)
{
    struct asking a = { .o = options, .out = out, .err = err };
    *out = (struct vec)VEC_OF(struct drill_stand);
    int rc = collect(&a);
    for (size_t i = 0; rc == 0 && i < out->len; i++)
        rc = look_at(vec_at(out, i), &a);
    if (rc < 0)
        drill_stands_free(out);
    return rc;
}

void drill_stands_free(struct vec *list)
{
    for (size_t i = 0; i < list->len; i++) {
        struct drill_stand *s = vec_at(list, i);
        free(s->repository);
        free(s->job);
    }
    vec_free(list);
}
