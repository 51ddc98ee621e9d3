/* What people ask the daemon to do: start, cancel, pause, resume. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/control.h"
#include "backupd/daemon/tell.h"
#include "backupd/daemon/waits.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { LINE_LEN = 512 };

/* ---- lines of the answer ---------------------------------------------------------------------------------------------- */

static void say(struct vec *lines, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One that there is no memory for is missing; what was done is done. */
static void say(struct vec *lines, const char *fmt, ...)
{
    char text[LINE_LEN];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *copy = str_dup(text, NULL);
    char **slot = copy != NULL ? vec_push(lines, NULL) : NULL;
    if (slot != NULL)
        *slot = copy;
    else
        free(copy);
}

static void lines_free(struct vec *lines)
{
    for (size_t i = 0; i < lines->len; i++)
        free(*(char **)vec_at(lines, i));
    vec_free(lines);
}

static void fail(struct client *c, const struct error *why)
{
    control_answer(c, cli_exit_code(why->code), why->text, NULL);
}

/* What was done and would be forgotten with this daemon. */
static const char *unstored(const struct supervisor *s, const char *job, int *exit_code)
{
    if (ledger_is_stored(s->ledger, job))
        return "";
    *exit_code = CLI_EXIT_PARTLY;
    return "; not stored: the history takes nothing (`backupd status`), and a daemon that ends before it does forgets this";
}

static void answer_done(struct client *c, int exit_code, const struct vec *lines)
{
    control_answer(c, exit_code, exit_code != 0 ? "it is done, but not stored" : NULL, lines);
}

/* ---- names ------------------------------------------------------------------------------------------------------------- */

/* The jobs of the request, all of them known; E_USAGE. At least one. */
static int jobs_of(const struct supervisor *s, const struct client *c, struct vec *out, struct error *err)
{
    size_t n = jsonflat_count(c->request, "jobs");
    if (n == 0 || n > CONTROL_JOBS_MAX)
        return error_set(err, E_USAGE, "say which job");
    for (size_t i = 0; i < n; i++) {
        const char *name = jsonflat_text_at(c->request, "jobs", i);
        const struct conf_job *job = name != NULL ? conf_find_scheduled(s->crew.conf, name, err) : NULL;
        if (job == NULL)
            return name != NULL ? E_USAGE : error_set(err, E_USAGE, "a job's name is a text");
        size_t *slot = vec_push(out, err);
        if (slot == NULL)
            return E_NOMEM;
        *slot = (size_t)(job - s->crew.conf->jobs);
    }
    return 0;
}

/* ---- start ------------------------------------------------------------------------------------------------------------- */

void control_started_free(struct client *c)
{
    for (size_t i = 0; i < c->started.len; i++) {
        struct started *w = vec_at(&c->started, i);
        free(w->job);
        free(w->text);
    }
    vec_free(&c->started);
}

static int wait_for_job(struct client *c, const char *job, struct error *err)
{
    struct started w = { .job = str_dup(job, err) };
    struct started *slot = w.job != NULL ? vec_push(&c->started, err) : NULL;
    if (slot == NULL) {
        free(w.job);
        return E_NOMEM;
    }
    *slot = w;
    return 0;
}

static int start_one(struct supervisor *s, struct client *c, size_t job, struct error *err)
{
    const char *name = s->crew.conf->jobs[job].name;
    int rc = wait_for_job(c, name, err);
    if (rc == 0)
        rc = planner_start(s->crew.planner, job, supervisor_now(), err);
    if (rc == 0)
        rc = runs_started_by(s, name, c->peer.name, err);
    if (rc < 0)
        return rc;
    runs_remember(s, job);
    tell("%s: is to start, says %s", name, c->peer.name);
    return 0;
}

static void start(struct supervisor *s, struct client *c)
{
    struct vec jobs = VEC_OF(size_t);
    struct error why = ERROR_INIT;
    int rc = s->stopping ? error_set(&why, E_BUSY, "the daemon is stopping: nothing is started any more")
                         : jobs_of(s, c, &jobs, &why);
    /* All or none. */
    for (size_t i = 0; rc == 0 && i < jobs.len; i++) {
        size_t job = *(size_t *)vec_at(&jobs, i);
        const struct planner_state *state = planner_state(s->crew.planner, job);
        if (state->running || (state->due != 0 && state->by_hand))
            rc = error_set(&why, E_BUSY, "%s %s already", s->crew.conf->jobs[job].name,
                           state->running ? "is running" : "was started and waits");
    }
    for (size_t i = 0; rc == 0 && i < jobs.len; i++)
        rc = start_one(s, c, *(size_t *)vec_at(&jobs, i), &why);
    vec_free(&jobs);
    if (rc < 0) {
        fail(c, &why);
        return;
    }
    c->stays = jsonflat_true(c->request, "wait");
    c->state = CLIENT_WAITS;
    c->until = c->stays ? INT64_MAX : supervisor_now() + CONTROL_TIMEOUT;
}

/* ---- waiting for it ---------------------------------------------------------------------------------------------------- */

static void over(struct started *w, int exit_code, const char *text)
{
    w->over = true;
    w->exit_code = exit_code;
    w->text = str_dup(text, NULL);
}

/* A run that was stopped, or could not even start, has no good end whatever its process said. */
static int exit_of(const struct history_run *run)
{
    bool good = run->verdict == HISTORY_OK || run->verdict == HISTORY_WARNING;
    return good || run->exit_code != 0 ? run->exit_code : CLI_EXIT_FAILED;
}

void control_hear(struct supervisor *s, struct client *c, const struct daemon_event *e)
{
    char text[LINE_LEN];
    for (size_t i = 0; i < c->started.len; i++) {
        struct started *w = vec_at(&c->started, i);
        bool same = e->run != NULL && strcmp(e->run->job, w->job) == 0;
        if (w->over)
            continue;
        if (e->kind == DAEMON_STARTED && same && w->run == 0)
            w->run = e->run->id;
        bool began = e->run != NULL && e->run->started != 0;
        if (e->kind == DAEMON_ENDED && same && (began ? w->run == e->run->id : w->run == 0)) {
            w->run = e->run->id;
            (void)snprintf(text, sizeof text, "%s%s%s", history_verdict_name(e->run->verdict),
                           e->run->text != NULL && e->run->text[0] != '\0' ? ": " : "",
                           e->run->text != NULL ? e->run->text : "");
            over(w, exit_of(e->run), text);
        }
        if (e->kind == DAEMON_RELOADED && w->run == 0 && supervisor_job(s, w->job) == SIZE_MAX)
            over(w, CLI_EXIT_FAILED, "it is no longer in the configuration, and did not start");
        if (e->kind == DAEMON_STOPPING && w->run == 0)
            over(w, CLI_EXIT_FAILED, "the daemon stops; the next one starts it");
    }
}

static void settle_line(struct supervisor *s, const struct started *w, struct vec *lines, int *stored)
{
    char reason[WAITS_TEXT_MAX];
    size_t job = supervisor_job(s, w->job);
    if (w->over && w->run != 0)
        say(lines, "%s: run %lld: %s", w->job, (long long)w->run, w->text != NULL ? w->text : "");
    else if (w->over)
        say(lines, "%s: %s", w->job, w->text != NULL ? w->text : "");
    else if (w->run != 0)
        say(lines, "%s: run %lld has started", w->job, (long long)w->run);
    else if (job != SIZE_MAX)
        say(lines, "%s: %s%s", w->job,
            waits_line(&s->crew, s->crew.planner, job, supervisor_now(), reason)[0] != '\0' ? reason
                                                                                            : "starts next",
            unstored(s, w->job, stored));
}

void control_settle(struct supervisor *s, struct client *c)
{
    struct vec lines = VEC_OF(char *);
    int exit_code = 0;
    int stored = 0;
    size_t bad = 0;
    for (size_t i = 0; i < c->started.len; i++) {
        const struct started *w = vec_at(&c->started, i);
        if (c->stays && !w->over)
            return;
        settle_line(s, w, &lines, &stored);
        bad += w->exit_code != 0 ? 1 : 0;
        exit_code = exit_code == 0 ? w->exit_code : exit_code;
    }
    char text[LINE_LEN];
    (void)snprintf(text, sizeof text, "%zu of %zu runs did not succeed", bad, c->started.len);
    if (c->started.len == 1)
        (void)snprintf(text, sizeof text, "the run did not succeed");
    if (bad > 0)
        control_answer(c, exit_code, text, &lines);
    else
        answer_done(c, stored, &lines);
    lines_free(&lines);
}

/* ---- cancel ------------------------------------------------------------------------------------------------------------ */

/* The run of this number, or of this job. */
static struct slot *slot_of(const struct supervisor *s, const char *what)
{
    uint64_t id = 0;
    bool number = number_parse(what, 1, INT64_MAX, &id, NULL) == 0;
    for (size_t i = 0; i < s->slots.len; i++)
        if (number && supervisor_slot(s, i)->id == (int64_t)id)
            return supervisor_slot(s, i);
    return supervisor_slot_of(s, what);
}

/* One that waits has no number yet: it goes by its job. */
static void cancel_waiting(struct supervisor *s, struct client *c, const char *what)
{
    struct error why = ERROR_INIT;
    struct vec lines = VEC_OF(char *);
    int exit_code = 0;
    char safe[CONTROL_NAME_MAX];
    size_t job = what != NULL ? supervisor_job(s, what) : SIZE_MAX;
    if (job == SIZE_MAX || runs_cancel(s, job, c->peer.name, &why) < 0) {
        (void)error_set(
            &why, E_NOT_FOUND,
            "no run %s is on or waits (`backupd history` shows the numbers, `backupd status` who waits)",
            what != NULL ? str_printable(safe, sizeof safe, what) : "");
        fail(c, &why);
        return;
    }
    say(&lines, "%s: the run that waited is cancelled%s", what, unstored(s, what, &exit_code));
    answer_done(c, exit_code, &lines);
    lines_free(&lines);
}

static void cancel(struct supervisor *s, struct client *c)
{
    const char *what = jsonflat_text(c->request, "what");
    struct vec lines = VEC_OF(char *);
    char reason[SLOT_WHY_MAX];
    int exit_code = 0;
    struct slot *slot = what != NULL ? slot_of(s, what) : NULL;
    if (slot == NULL) {
        cancel_waiting(s, c, what);
        return;
    }
    if (slot->kill_at != 0) {
        say(&lines, "%s: run %lld is ending already (%s)", slot->job, (long long)slot->id, slot->why);
    } else {
        (void)snprintf(reason, sizeof reason, HISTORY_CANCELLED "%s", c->peer.name);
        runs_stop(s, slot, STOP_HAND, reason);
        runs_forget_running(s, slot->job);
        say(&lines, "%s: run %lld is asked to end%s", slot->job, (long long)slot->id,
            unstored(s, slot->job, &exit_code));
    }
    answer_done(c, exit_code, &lines);
    lines_free(&lines);
}

/* ---- pause and resume ---------------------------------------------------------------------------------------------------- */

static void pause_jobs(struct supervisor *s, struct client *c, bool paused)
{
    struct vec jobs = VEC_OF(size_t);
    struct vec lines = VEC_OF(char *);
    struct error why = ERROR_INIT;
    int exit_code = 0;
    if (jobs_of(s, c, &jobs, &why) < 0) {
        fail(c, &why);
        vec_free(&jobs);
        return;
    }
    for (size_t i = 0; i < jobs.len; i++) {
        size_t job = *(size_t *)vec_at(&jobs, i);
        const char *name = s->crew.conf->jobs[job].name;
        const struct planner_state *state = planner_state(s->crew.planner, job);
        bool was = state->paused;
        bool waits = state->due != 0 && !state->running && !state->by_hand;
        planner_pause(s->crew.planner, job, supervisor_now(), paused);
        runs_remember(s, job);
        const char *but = unstored(s, name, &exit_code);
        if (was == paused)
            say(&lines, "%s: %s%s", name, paused ? "was paused already" : "was not paused", but);
        else
            say(&lines, "%s: %s%s", name,
                !paused ? "runs again when it is due"
                : waits ? "is paused; the run that waits is skipped, and what comes due until it is resumed"
                        : "is paused; what comes due is skipped until it is resumed",
                but);
        if (was != paused)
            tell("%s: is %s by %s", name, paused ? "paused" : "resumed", c->peer.name);
    }
    answer_done(c, exit_code, &lines);
    lines_free(&lines);
    vec_free(&jobs);
}

/* ---- the request --------------------------------------------------------------------------------------------------------- */

void control_do(struct supervisor *s, struct client *c)
{
    const char *verb = jsonflat_text(c->request, "verb");
    char what[CONTROL_NAME_MAX];
    char text[LINE_LEN];
    if (verb != NULL && control_is_query(verb)) {
        c->state = CLIENT_QUEUED;
        c->until = supervisor_now() + CONTROL_QUERY_TIMEOUT;
    } else if (c->peer.right != CONTROL_ALL) {
        (void)snprintf(text, sizeof text, "it may only read, and asked to %s",
                       str_printable(what, sizeof what, verb != NULL ? verb : "?"));
        control_refuse(s, &c->peer, text);
        control_answer(c, CLI_EXIT_FAILED,
                       "this account may only read: members of daemon.control_group may do more", NULL);
    } else if (verb != NULL && strcmp(verb, "start") == 0) {
        start(s, c);
    } else if (verb != NULL && strcmp(verb, "cancel") == 0) {
        cancel(s, c);
    } else if (verb != NULL && (strcmp(verb, "pause") == 0 || strcmp(verb, "resume") == 0)) {
        pause_jobs(s, c, strcmp(verb, "pause") == 0);
    } else {
        control_answer(c, CLI_EXIT_USAGE, "the daemon does not know what is asked", NULL);
    }
}
