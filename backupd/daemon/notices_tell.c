/* notices_tell.c - what is told to whom, and how often. */
#include <stdio.h>
#include <string.h>

#include "backupd/daemon/alarms.h"
#include "backupd/daemon/notices.h"
#include "backupd/host.h"
#include "backupd/notices/compose.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { LOOK_BACK = 1000, REASON_MAX = 512, MS = 1000 };

/* One event on its way to the channels. */
struct telling {
    struct supervisor *s;
    struct notices *q;
    const struct history_run *run; /* NULL, or full */
    struct history_run full;       /* what was told, with what only the history knows */
    const char *job;               /* NULL: the daemon */
    int64_t now;
    int64_t last_good;
    char uid[NOTICE_UID_TEXT];
    char host[NOTICE_HOST_MAX];
    char command[HOST_COMMAND_MAX];
    struct jsonin *summary;
    const struct jsonin_value *anomalies;
    struct error *err;
};

/* ---- into the queue ------------------------------------------------------------------------------------------------- */

static void tell_dropped(const struct conf_channel *c, uint64_t dropped)
{
    alarms_quiet(true);
    log_event(LOG_ALARM, "channel %s: %llu %s dropped, more than %d wait to be sent", c->name,
              (unsigned long long)dropped, plural(dropped, "notice was", "notices were"), NOTICES_MAX);
    alarms_quiet(false);
}

static enum conf_task task_of(const struct telling *t)
{
    size_t job = t->job != NULL ? supervisor_job(t->s, t->job) : SIZE_MAX;
    return job != SIZE_MAX ? t->s->conf->jobs[job].task : CONF_TASK_NONE;
}

/* When the job is due next; 0: by hand only, or no longer configured. */
static int64_t next_of(const struct telling *t)
{
    size_t job = t->job != NULL ? supervisor_job(t->s, t->job) : SIZE_MAX;
    const struct planner_rules *r = job != SIZE_MAX ? &t->s->crew.rules[job] : NULL;
    int64_t next = r != NULL && r->calendar != NULL ? calendar_next(r->calendar, t->now - r->jitter) : 0;
    return next != 0 ? next + r->jitter : 0;
}

static bool is_paused(const struct telling *t)
{
    size_t job = t->job != NULL ? supervisor_job(t->s, t->job) : SIZE_MAX;
    return job != SIZE_MAX && planner_state(t->s->crew.planner, job)->paused;
}

static int put(struct telling *t, const struct conf_channel *c, const char *event, const char *what,
               const struct notice_told *told)
{
    struct notice_words words = NOTICE_WORDS_INIT;
    uint64_t dropped = 0;
    const struct notice_facts facts = { .event = event,
                                        .job = t->job,
                                        .task = task_of(t),
                                        .run = t->run,
                                        .what = what,
                                        .told = told != NULL ? *told : (struct notice_told){ .since = 0 },
                                        .last_good = t->last_good,
                                        .next = next_of(t),
                                        .time = t->now,
                                        .repeat_after = (int64_t)(c->repeat_after_ms / MS),
                                        .uid = t->uid,
                                        .host = t->host,
                                        .zone = t->s->conf->daemon.time_zone,
                                        .old_configuration = t->s->is_old,
                                        .paused = is_paused(t),
                                        .command = t->command,
                                        .anomalies = t->anomalies };
    int rc = notice_compose(&facts, &words, t->err);
    if (rc == 0) {
        const struct notice notice = { .uid = t->uid,
                                       .channel = c->name,
                                       .event = event,
                                       .job = t->job != NULL ? t->job : "",
                                       .subject = (const char *)words.subject.data,
                                       .text = (const char *)words.text.data,
                                       .body = (const char *)words.body.data,
                                       .created = t->now };
        rc = notices_put(t->q, &notice, &dropped, t->err);
    }
    notice_words_free(&words);
    if (rc == 0 && dropped > 0)
        tell_dropped(c, dropped);
    return rc;
}

/* It happened; told under this name when the channel wants it and has not heard it lately. 1 when it was put. */
static int seen_as(struct telling *t, const struct conf_channel *c, unsigned events, const char *name,
                   const char *kind, const char *reason, const char *what)
{
    struct notice_told told;
    const struct notice_seen seen = { .channel = c->name,
                                      .job = t->job != NULL ? t->job : "",
                                      .kind = kind,
                                      .reason = reason,
                                      .now = t->now,
                                      .repeat_after = (int64_t)(c->repeat_after_ms / MS) };
    int rc = notices_seen(t->q, &seen, &told, t->err);
    if (rc <= 0 || (c->on & events) == 0)
        return rc < 0 ? rc : 0;
    rc = put(t, c, name, what, &told);
    return rc < 0 ? rc : 1;
}

static int seen(struct telling *t, const struct conf_channel *c, enum conf_notice event, const char *kind,
                const char *reason, const char *what)
{
    return seen_as(t, c, event, conf_notice_name(event), kind, reason, what);
}

/* ---- runs -------------------------------------------------------------------------------------------------------------- */

/* A run that went well ends what was told before; one that is not complete ends only that there was none. */
static int recovered(struct telling *t, const struct conf_channel *c, bool complete)
{
    struct notice_told trouble;
    struct notice_told warning = { .since = 0 };
    int rc = notices_over(t->q, c->name, t->job, "trouble", &trouble, t->err);
    int was = rc;
    if (rc >= 0 && complete) {
        rc = notices_over(t->q, c->name, t->job, "warning", &warning, t->err);
        was |= rc;
    }
    if (rc < 0 || was == 0 || (c->on & CONF_ON_RECOVERY) == 0)
        return rc < 0 ? rc : 0;
    struct notice_told sum = trouble.since != 0 ? trouble : warning;
    rc =
        put(t, c, "recovery", trouble.since != 0 ? "a run was good again" : "a run was complete again", &sum);
    return rc < 0 ? rc : 1;
}

/* The kinds and things of all anomalies: those make a reason, not the numbers. */
static int unusual(struct telling *t, const struct conf_channel *c)
{
    char reason[REASON_MAX] = "";
    char what[REASON_MAX];
    size_t n = jsonin_len(t->anomalies);
    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const struct jsonin_value *one = jsonin_at(t->anomalies, i);
        char kind[64];
        char thing[128];
        size_t used = strlen(reason);
        (void)snprintf(reason + used, sizeof reason - used, "%s %s;",
                       jsonin_show(jsonin_get(one, "kind"), kind, sizeof kind),
                       jsonin_show(jsonin_get(one, "what"), thing, sizeof thing));
    }
    (void)snprintf(what, sizeof what, "%zu %s not as usual", n, plural(n, "thing is", "things are"));
    return seen(t, c, CONF_ON_ANOMALY, "anomaly", reason, what);
}

static int good_run(struct telling *t, const struct conf_channel *c)
{
    bool complete = t->run->verdict == HISTORY_OK;
    const char *text = t->run->text != NULL ? t->run->text : "";
    int told = recovered(t, c, complete);
    int rc = told;
    if (rc >= 0 && !complete) {
        rc = seen(t, c, CONF_ON_WARNING, "warning", text, text);
        told |= rc;
    }
    if (rc >= 0) {
        rc = unusual(t, c);
        told |= rc;
    }
    return rc < 0 ? rc : told != 0;
}

/* Somebody wanted it so: no failure, and told to who hears of failures, for it is a night without a backup. */
static bool is_cancelled(const struct history_run *r)
{
    return history_is_cancelled(r->verdict, r->text);
}

static int any_end(struct telling *t, const struct conf_channel *c, bool good, bool again)
{
    const char *text = t->run->text != NULL ? t->run->text : "";
    char what[HISTORY_TEXT_MAX + 64];
    int told = 0;
    if (good)
        told = good_run(t, c);
    else if (is_cancelled(t->run))
        told = seen_as(t, c, CONF_ON_FAILURE | CONF_ON_CANCELLED, NOTICE_CANCELLED, "trouble", text, text);
    else if (!again)
        told = seen(t, c, CONF_ON_FAILURE, "trouble", text, text);
    if (!good && !again && told == 0 && (c->on & CONF_ON_FAILURE) == 0) /* a failure's notice tells it, too */
        told = unusual(t, c);
    if (told != 0 || (c->on & CONF_ON_ALWAYS) == 0)
        return told < 0 ? told : 0;
    (void)snprintf(what, sizeof what, "%s%s%s%s", history_verdict_name(t->run->verdict),
                   text[0] != '\0' ? ": " : "", text, again ? " (it is tried again)" : "");
    return put(t, c, "always", what, NULL);
}

static int ping(struct telling *t, const struct conf_channel *c, const char *event)
{
    /* Only the newest says how it is. */
    int rc = notices_supersede(t->q, c->name, t->job, t->err);
    return rc == 0 ? put(t, c, event, t->run->text != NULL ? t->run->text : "", NULL) : rc;
}

static int missed(struct telling *t, const struct conf_channel *c)
{
    char what[REASON_MAX];
    char reason[REASON_MAX];
    const struct history_run *r = t->run;
    (void)snprintf(what, sizeof what, "%llu %s skipped: %s", (unsigned long long)r->count,
                   plural(r->count, "run was", "runs were"), r->reason);
    (void)snprintf(reason, sizeof reason, "missed: %s", r->reason);
    int rc = c->type == CONF_PING ? 0 : seen(t, c, CONF_ON_MISSED, "trouble", reason, what);
    return rc < 0 ? rc : 0;
}

/* ---- events ------------------------------------------------------------------------------------------------------------- */

static int note_good(const struct history_run *r, void *arg)
{
    struct telling *t = arg;
    if (t->last_good == 0 && r->id != t->run->id &&
        (r->verdict == HISTORY_OK || r->verdict == HISTORY_WARNING))
        t->last_good = r->ended;
    return 0;
}

/* Without an error: a notice that knows less is better than none. */
static void look_up(struct telling *t)
{
    const struct history_filter filter = { .job = t->job, .limit = LOOK_BACK, .only_runs = true };
    struct history *h = ledger_history(t->s->ledger);
    if (h != NULL && t->run->verdict != HISTORY_OK && t->run->verdict != HISTORY_RUNNING)
        (void)history_runs(h, &filter, note_good, t, NULL);
}

/* "backupd --config FILE", to be typed anywhere. */
static void set_command(struct telling *t)
{
    static const char with[] = "backupd --config ";
    bool given = t->s->options->cli->config_given;
    (void)snprintf(t->command, sizeof t->command, "%s", given ? with : "backupd");
    if (given)
        (void)str_shell_word(t->command + sizeof with - 1, sizeof t->command - sizeof with, t->s->conf->file);
}

static int begin(struct telling *t, struct supervisor *s, struct notices *q, const struct history_run *run,
                 const char *job, struct error *err)
{
    *t = (struct telling){ .s = s, .q = q, .job = job, .now = supervisor_now(), .err = err };
    (void)notice_uid(t->uid);
    (void)notice_host(t->host);
    set_command(t);
    if (run != NULL) {
        t->full = *run;
        t->run = &t->full;
        look_up(t);
    }
    if (run != NULL && run->result != NULL && run->result[0] != '\0')
        t->summary = jsonin_parse(run->result, strlen(run->result), NULL);
    t->anomalies = jsonin_get(jsonin_top(t->summary), "anomalies");
    return notices_begin(q, err);
}

static int end(struct telling *t, int rc)
{
    jsonin_free(t->summary);
    return notices_end(t->q, rc, t->err);
}

/* A failure that the planner tries again is not one yet. */
static bool is_tried_again(const struct supervisor *s, size_t job)
{
    const struct planner_state *state = planner_state(s->crew.planner, job);
    return state->due != 0 && !state->running;
}

int notices_tell(struct supervisor *s, struct notices *q, const struct daemon_event *e, struct error *err)
{
    struct telling t;
    bool good = e->run->verdict == HISTORY_OK || e->run->verdict == HISTORY_WARNING;
    bool again = e->kind == DAEMON_ENDED && !good && is_tried_again(s, e->job);
    int rc = begin(&t, s, q, e->run, e->run->job, err);
    if (rc < 0) {
        jsonin_free(t.summary);
        return rc;
    }
    for (size_t i = 0; rc >= 0 && i < s->conf->nchannels; i++) {
        const struct conf_channel *c = &s->conf->channels[i];
        if (!conf_channel_has_job(c, e->run->job))
            continue;
        if (e->kind == DAEMON_SKIPPED)
            rc = missed(&t, c);
        else if (c->type != CONF_PING)
            rc = e->kind != DAEMON_STARTED ? any_end(&t, c, good, again) : 0;
        else if (!again)
            rc = ping(&t, c,
                      e->kind == DAEMON_STARTED ? "start"
                      : good                    ? "success"
                      : is_cancelled(e->run)    ? NOTICE_CANCELLED
                                                : "failure");
    }
    return end(&t, rc);
}

int notices_tell_alarm(struct supervisor *s, struct notices *q, const char *text, const char *except,
                       struct error *err)
{
    struct telling t;
    int rc = begin(&t, s, q, NULL, NULL, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc >= 0 && i < s->conf->nchannels; i++) {
        const struct conf_channel *c = &s->conf->channels[i];
        if (c->type != CONF_PING && (except == NULL || strcmp(except, c->name) != 0))
            rc = seen(&t, c, CONF_ON_ALARM, "alarm", text, text);
    }
    return end(&t, rc);
}

int notices_tell_history(struct supervisor *s, struct notices *q, const struct trouble *trouble,
                         struct error *err)
{
    static const char kind[] = "history";
    char what[TROUBLE_SAYS_MAX];
    struct telling t;
    struct notice_told told;
    int rc = begin(&t, s, q, NULL, NULL, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc >= 0 && i < s->conf->nchannels; i++) {
        const struct conf_channel *c = &s->conf->channels[i];
        if (c->type == CONF_PING)
            continue;
        if (trouble->since != 0) {
            rc = seen(&t, c, CONF_ON_ALARM, kind, kind, trouble_says(trouble, what));
            continue;
        }
        rc = notices_over(q, c->name, "", kind, &told, err);
        if (rc == 1 && (c->on & CONF_ON_RECOVERY) != 0)
            rc = put(
                &t, c, "recovery",
                "the history takes what happens again; `backupd history` shows what it did not take meanwhile",
                &told);
    }
    return end(&t, rc);
}
