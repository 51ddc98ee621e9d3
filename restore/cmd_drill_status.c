/* restore drill status: is every job drilled, lately, and did it pass? For monitoring. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "restore/drill/records.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { YEAR = 365 * 86400 };

const struct cli_option drill_status_options[] = {
    { .name = "every",
      .kind = CLI_DURATION,
      .fallback = "30d",
      .min = 3600,
      .max = 10 * (uint64_t)YEAR,
      .help =
          "A job whose last drill that passed is older is stale. Default for drills whose configuration does not say `every`." },
    CLI_OPTIONS_END
};

/* The codes of monitoring plugins. */
enum state { STATE_OK = 0, STATE_WARNING = 1, STATE_CRITICAL = 2, STATE_UNKNOWN = 3 };
static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

struct wanted {
    char *repository;
    char *job;
    const char *drill; /* of the configuration; NULL: any drill of the job */
    uint64_t every;
};

struct asking {
    struct cli_context *cli;
    const struct conf *conf;
    struct drills *drills; /* NULL: none was ever made */
    struct vec wanted;     /* struct wanted */
    enum state worst;
    size_t bad;
    struct table *table;
    struct error *err;
    int rc;
};

/* Whether somebody asked for it: everybody who named nothing did. */
static bool asked_for(const struct asking *a, const char *job, const char *drill)
{
    for (size_t i = 0; i < a->cli->nargs; i++)
        if (strcmp(a->cli->args[i], job) == 0 || (drill != NULL && strcmp(a->cli->args[i], drill) == 0))
            return true;
    return a->cli->nargs == 0;
}

static int want(struct asking *a, const char *repository, const char *job, const char *drill, uint64_t every)
{
    for (size_t i = 0; drill == NULL && i < a->wanted.len; i++) {
        const struct wanted *w = vec_at(&a->wanted, i);
        if (strcmp(w->job, job) == 0 && strcmp(w->repository, repository) == 0)
            return 0;
    }
    struct wanted *w = asked_for(a, job, drill) ? vec_push(&a->wanted, a->err) : NULL;
    if (w == NULL)
        return asked_for(a, job, drill) ? E_NOMEM : 0;
    *w = (struct wanted){
        .repository = str_dup(repository, a->err), .job = str_dup(job, a->err), .drill = drill, .every = every
    };
    return w->repository != NULL && w->job != NULL ? 0 : E_NOMEM;
}

static int want_row(const struct drills_row *row, void *arg)
{
    struct asking *a = arg;
    return want(a, row->repository, row->job, NULL, cli_number(a->cli, "every"));
}

/* The drills of the configuration. Without any: its jobs, and what was drilled here before. */
static int collect(struct asking *a)
{
    int rc = 0;
    uint64_t every = cli_number(a->cli, "every");
    for (size_t i = 0; rc == 0 && a->conf != NULL && i < a->conf->ndrills; i++) {
        const struct conf_drill *d = &a->conf->drills[i];
        bool says = d->every_ms != 0 && !cli_given(a->cli, "every");
        rc = want(a, "", d->job, d->name, says ? d->every_ms / 1000 : every);
    }
    if (rc < 0 || (a->conf != NULL && a->conf->ndrills != 0))
        return rc;
    for (size_t i = 0; rc == 0 && a->conf != NULL && i < a->conf->njobs; i++)
        rc = want(a, a->conf->jobs[i].repository, a->conf->jobs[i].name, NULL, every);
    return rc < 0 || a->drills == NULL ? rc : drills_last_per_job(a->drills, want_row, a, a->err);
}

/* ---- one job ------------------------------------------------------------------------------------------- */

struct found {
    bool any;
    enum drills_verdict verdict;
    int64_t finished;
    char id[64];
    char reason[200];
};

static int take(const struct drills_row *r, void *arg)
{
    struct found *f = arg;
    *f = (struct found){ .any = true, .verdict = r->verdict, .finished = r->finished };
    (void)snprintf(f->id, sizeof f->id, "%s", r->id);
    (void)snprintf(f->reason, sizeof f->reason, "%s", r->reason);
    return 0;
}

static const char *ago(char out[NUMBER_TEXT_MAX], uint64_t now, int64_t then)
{
    uint64_t age = now > (uint64_t)then ? now - (uint64_t)then : 0;
    bool days = age >= 2 * 86400;
    (void)snprintf(out, NUMBER_TEXT_MAX, "%llu %s ago", (unsigned long long)(age / (days ? 86400 : 3600)),
                   days ? "days" : "h");
    return out;
}

static enum state judge(const struct found *f, int64_t pass, uint64_t every, uint64_t now, char *text,
                        size_t cap)
{
    char t[NUMBER_TEXT_MAX];
    bool stale = pass == 0 || now > (uint64_t)pass + every;
    if (!f->any) {
        (void)snprintf(text, cap, "never drilled");
        return STATE_CRITICAL;
    }
    if (f->verdict == DRILLS_FAIL) {
        (void)snprintf(text, cap, "the last drill failed: %s", f->reason);
        return STATE_CRITICAL;
    }
    if (pass == 0) {
        (void)snprintf(text, cap, "no drill ever passed; the last could not run: %s", f->reason);
        return STATE_CRITICAL;
    }
    if (stale) {
        (void)snprintf(text, cap, "stale: the last that passed was %s, more than %llu days",
                       ago(t, now, pass), (unsigned long long)(every / 86400));
        return STATE_WARNING;
    }
    if (f->verdict == DRILLS_COULD_NOT_RUN) {
        (void)snprintf(text, cap, "the last one could not run: %s", f->reason);
        return STATE_WARNING;
    }
    (void)snprintf(text, cap, "passed %s", ago(t, now, pass));
    return STATE_OK;
}

static int tell(struct asking *a, const struct wanted *w, const struct found *f, int64_t pass)
{
    char text[400];
    enum state s = judge(f, pass, w->every, clock_wall(), text, sizeof text);
    a->worst = s > a->worst ? s : a->worst;
    a->bad += s != STATE_OK;
    if (a->cli->json) {
        struct jsonout *o = jsonout_new("drill_status");
        jsonout_str(o, "repository", w->repository);
        jsonout_str(o, "job", w->job);
        jsonout_str(o, "drill", w->drill);
        jsonout_str(o, "state", words[s]);
        jsonout_str(o, "text", text);
        jsonout_str(o, "last_drill", f->any ? f->id : NULL);
        jsonout_time(o, "last_time", f->any ? (uint64_t)f->finished : 0);
        jsonout_time(o, "last_pass", (uint64_t)pass);
        jsonout_u64(o, "every_seconds", w->every);
        return jsonout_emit(o, a->err);
    }
    table_cell(a->table, s == STATE_OK ? OUT_GOOD : s == STATE_WARNING ? OUT_WARN : OUT_BAD, "%s", words[s]);
    table_cell(a->table, OUT_BOLD, "%s%s%s", w->repository, w->repository[0] != '\0' ? "/" : "", w->job);
    if (a->conf != NULL && a->conf->ndrills != 0)
        table_cell(a->table, OUT_PLAIN, "%s", w->drill);
    table_cell(a->table, OUT_PLAIN, "%s", text);
    return 0;
}

static int ask(struct asking *a, const struct wanted *w)
{
    const char *repository = w->drill != NULL ? NULL : w->repository; /* a drill's name is enough */
    struct found f = { .any = false };
    int64_t pass = 0;
    int rc = 0;
    struct drills_filter filter = { .repository = repository, .job = w->job, .drill = w->drill, .limit = 1 };
    if (a->drills != NULL)
        rc = drills_each(a->drills, &filter, take, &f, a->err);
    if (rc == 0 && a->drills != NULL)
        rc = drills_last_pass(a->drills, repository, w->job, w->drill, &pass, a->err);
    return rc < 0 ? rc : tell(a, w, &f, pass);
}

/* ---- all ----------------------------------------------------------------------------------------------- */

static int print(struct asking *a)
{
    size_t n = a->wanted.len;
    if (a->cli->json)
        return 0;
    out_line(&a->cli->out,
             a->worst == STATE_OK        ? OUT_GOOD
             : a->worst == STATE_WARNING ? OUT_WARN
                                         : OUT_BAD,
             "DRILLS %s: %zu of %zu to look at", words[a->worst], a->bad, n);
    return table_print(a->table, &a->cli->out, a->err);
}

static int run(struct asking *a)
{
    struct error why = ERROR_INIT;
    int rc = evidence_history(a->cli, a->conf, &a->drills, &why);
    if (rc < 0 && rc != E_NOT_FOUND)
        return error_copy(a->err, &why);
    rc = collect(a);
    if (rc == 0 && a->wanted.len == 0)
        return error_set(a->err, E_NOT_FOUND, "%s",
                         a->cli->nargs != 0
                             ? "this host knows no such job, and never drilled it"
                             : "there is nothing to drill: no job is configured, and none was drilled here");
    table_column(a->table, "state", false);
    table_column(a->table, "job", false);
    if (a->conf != NULL && a->conf->ndrills != 0)
        table_column(a->table, "drill", false);
    table_column(a->table, "how it stands", false);
    for (size_t i = 0; rc == 0 && i < a->wanted.len; i++)
        rc = ask(a, vec_at(&a->wanted, i));
    return rc == 0 ? print(a) : rc;
}

int cmd_drill_status(struct cli_context *cli, struct error *err)
{
    struct drill_source s;
    struct asking a = { .cli = cli, .err = err, .wanted = VEC_OF(struct wanted), .table = table_new(err) };
    int rc = drill_source_open(cli, false, &s, err);
    a.conf = s.conf;
    rc = rc < 0 ? rc : run(&a);
    cli->exit_code =
        rc < 0 ? STATE_UNKNOWN : (int)a.worst; /* not the programs' own codes: monitoring reads these */
    for (size_t i = 0; i < a.wanted.len; i++) {
        const struct wanted *w = vec_at(&a.wanted, i);
        free(w->repository);
        free(w->job);
    }
    vec_free(&a.wanted);
    table_free(a.table);
    drills_close(a.drills);
    drill_source_close(&s);
    return rc;
}
