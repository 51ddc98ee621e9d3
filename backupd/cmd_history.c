/* status, history, show: what the daemon remembers. */
#include <stdlib.h>
#include <string.h>

#include "backupd/ask.h"
#include "backupd/anomaly/told.h"
#include "backupd/daemon/crew.h"
#include "backupd/daemon/supervisor.h"
#include "backupd/daemon/waits.h"
#include "backupd/host.h"
#include "backupd/pages/look.h"
#include "backupd/schedule_warn.h"
#include "backupd/status_alarms.h"
#include "backupd/verbs.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/zone.h"
#include "common/cli/json.h"
#include "common/cli/out.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { LINES_DEFAULT = 20, LINES_MAX = 100000, RECEIPT_TEXT = 64 };

const struct cli_option history_options[] = {
    { .name = "lines",
      .letter = 'n',
      .kind = CLI_INTEGER,
      .metavar = "N",
      .min = 1,
      .max = LINES_MAX,
      .help = "So many runs (default 20)." },
    { .name = "runs", .kind = CLI_FLAG, .help = "Only what ran, without what was skipped." },
    ASK_QUERY_OPTIONS,
    CLI_OPTIONS_END
};
const struct cli_option status_options[] = { ASK_QUERY_OPTIONS, CLI_OPTIONS_END };
const struct cli_option show_options[] = { ASK_QUERY_OPTIONS, CLI_OPTIONS_END };

static int open_history(const struct conf *conf, struct history **out, struct error *err)
{
    char *path = path_join(conf->state, SUPERVISOR_HISTORY, err);
    if (path == NULL)
        return E_NOMEM;
    int rc = history_open_read(path, out, err);
    free(path);
    if (rc != E_NOT_FOUND)
        return rc;
    return look_daemon(conf).alive
               ? error_set(
                     err, E_NOT_FOUND,
                     "the history is gone: " SUPERVISOR_HISTORY
                     " is no longer in %s. The daemon that runs still has it, and makes the file anew when it "
                     "does something next (`systemctl reload backupd` for now)",
                     conf->state)
               : error_set(
                     err, E_NOT_FOUND,
                     "there is no history in %s: `backupd daemon` has not run here yet, or it was removed",
                     conf->state);
}

/* Bytes of the source, or of what a verification has read. */
static int bytes_of(struct history *h, int64_t id, int64_t *read, int64_t *added, struct error *err)
{
    int rc = history_result_number(h, id, "total_bytes_processed", read, err);
    if (rc == 0 && *read == 0)
        rc = history_result_number(h, id, "bytes_read", read, err);
    return rc == 0 ? history_result_number(h, id, "data_added_packed", added, err) : rc;
}

static enum out_style style_of(enum history_verdict v)
{
    return v == HISTORY_OK                                ? OUT_GOOD
           : v == HISTORY_RUNNING                         ? OUT_BOLD
           : v == HISTORY_WARNING || v == HISTORY_SKIPPED ? OUT_WARN
                                                          : OUT_BAD;
}

static const char *word_of(const struct history_run *r)
{
    return history_is_cancelled(r->verdict, r->text) ? "cancelled" : history_verdict_name(r->verdict);
}

static enum out_style colour_of(const struct history_run *r)
{
    return history_is_cancelled(r->verdict, r->text) ? OUT_WARN : style_of(r->verdict);
}

static bool is_bad(enum history_verdict v)
{
    return v == HISTORY_FAILED || v == HISTORY_STOPPED || v == HISTORY_SKIPPED || v == HISTORY_CUT_OFF;
}

static int64_t when_of(const struct history_run *r)
{
    return r->started != 0 ? r->started : r->due;
}

static const char *duration_of(const struct history_run *r, char out[NUMBER_TEXT_MAX])
{
    int64_t end = r->verdict == HISTORY_RUNNING ? (int64_t)clock_wall() : r->ended;
    out[0] = '\0';
    return r->started == 0 || end < r->started ? out
                                               : duration_format(out, (uint64_t)(end - r->started) * 1000);
}

/* ---- status -------------------------------------------------------------------------------------------------------- */

struct status {
    struct cli_context *cli;
    struct history *history;
    struct table *table;
    const struct crew *crew;
    struct planner *planner; /* what waits */
    bool daemon;             /* one runs here, or may */
    size_t job;
    bool paused;
    bool seen;
    size_t bad;
    struct error *err;
};

/* What is open in the history of a daemon that is no more was cut off; the next one writes that down. */
static struct history_run as_it_is(const struct status *s, const struct history_run *r)
{
    struct history_run run = *r;
    if (run.verdict != HISTORY_RUNNING || s->daemon)
        return run;
    run.verdict = HISTORY_CUT_OFF;
    run.text = HISTORY_DAEMON_ENDED;
    return run;
}

static int print_json(const struct status *s, const struct history_run *r, const char *type,
                      struct error *err)
{
    struct history *h = s->history;
    char receipt[RECEIPT_TEXT];
    int64_t added = 0;
    int64_t read = 0;
    int rc = history_result_text(h, r->id, "receipt", receipt, sizeof receipt, err);
    if (rc == 0)
        rc = history_result_number(h, r->id, "data_added_packed", &added, err);
    if (rc == 0)
        rc = history_result_number(h, r->id, "total_bytes_processed", &read, err);
    if (rc < 0)
        return rc;
    struct jsonout *o = jsonout_new(type);
    jsonout_i64(o, "run", r->id);
    jsonout_str(o, "job", r->job);
    jsonout_str(o, "verdict", history_verdict_name(r->verdict));
    if (strcmp(type, "status") == 0) {
        jsonout_bool(o, "paused", s->paused);
        waits_json(o, s->crew, s->planner, s->job, (int64_t)clock_wall());
    }
    jsonout_str(o, "reason", r->reason);
    jsonout_time(o, "due", (uint64_t)r->due);
    jsonout_time(o, "started", (uint64_t)r->started);
    jsonout_time(o, "ended", (uint64_t)r->ended);
    jsonout_u64(o, "attempt", r->attempt);
    jsonout_u64(o, "count", r->count);
    jsonout_i64(o, "exit_code", r->exit_code);
    jsonout_str(o, "text", r->text);
    jsonout_i64(o, "total_bytes_processed", read);
    jsonout_i64(o, "data_added_packed", added);
    jsonout_str(o, "receipt", receipt);
    rc = told_json(h, r, o, err);
    if (rc == 0)
        return jsonout_emit(o, err);
    jsonout_free(o);
    return rc;
}

static void add_next(struct status *s)
{
    const struct planner_rules *r = &s->crew->rules[s->job];
    char wall[32];
    int64_t now = (int64_t)clock_wall();
    int64_t t = r->calendar != NULL ? calendar_next(r->calendar, now - r->jitter) : 0;
    if (s->paused) {
        table_cell(s->table, OUT_WARN, "paused");
        return;
    }
    if (t == 0 && r->calendar != NULL)
        table_cell(s->table, OUT_WARN, SCHEDULE_OVER);
    else
        table_cell(s->table, OUT_DIM, "%s", t != 0 ? zone_format(wall, t + r->jitter) : "");
}

/* What waits, and what there is to say of the last run. */
static void add_note(struct status *s, const char *line)
{
    char why[WAITS_TEXT_MAX];
    (void)waits_line(s->crew, s->planner, s->job, (int64_t)clock_wall(), why);
    table_cell(s->table, why[0] != '\0' ? OUT_WARN : OUT_PLAIN, "%s%s%s", why,
               why[0] != '\0' && line[0] != '\0' ? "; " : "", line);
}

static int status_line(const struct history_run *stored, void *arg)
{
    struct status *s = arg;
    const struct history_run now = as_it_is(s, stored), *r = &now;
    char wall[32];
    char took[NUMBER_TEXT_MAX];
    char size[NUMBER_TEXT_MAX];
    char line[ANOMALY_TEXT_MAX] = "";
    int64_t read = 0;
    int64_t added = 0;
    s->seen = true;
    s->bad += is_bad(r->verdict) ? 1 : 0;
    if (s->cli->json)
        return print_json(s, r, "status", s->err);
    int rc = bytes_of(s->history, r->id, &read, &added, s->err);
    table_cell(s->table, OUT_BOLD, "%s", r->job);
    table_cell(s->table, colour_of(r), "%s", word_of(r));
    table_cell(s->table, OUT_PLAIN, "%s", zone_format(wall, when_of(r)));
    table_cell(s->table, OUT_PLAIN, "%s", duration_of(r, took));
    table_cell(s->table, OUT_PLAIN, "%s", read > 0 ? size_format(size, (uint64_t)read) : "");
    table_cell(s->table, OUT_PLAIN, "%s", read > 0 ? size_format(size, (uint64_t)added) : "");
    add_next(s);
    if (rc == 0)
        rc = told_line(s->history, r, line, s->err);
    add_note(s, line[0] != '\0' ? line : is_bad(r->verdict) ? r->reason : "");
    return rc;
}

static int never_ran(struct status *s)
{
    if (s->cli->json) {
        struct jsonout *o = jsonout_new("status");
        jsonout_str(o, "job", s->crew->conf->jobs[s->job].name);
        jsonout_str(o, "verdict", "never");
        jsonout_bool(o, "paused", s->paused);
        waits_json(o, s->crew, s->planner, s->job, (int64_t)clock_wall());
        return jsonout_emit(o, s->err);
    }
    table_cell(s->table, OUT_BOLD, "%s", s->crew->conf->jobs[s->job].name);
    table_cell(s->table, OUT_DIM, "not yet");
    for (int i = 0; i < 4; i++)
        table_cell(s->table, OUT_PLAIN, "%s", "");
    add_next(s);
    add_note(s, "");
    return 0;
}

static struct table *status_table(struct error *err)
{
    static const struct {
        const char *title;
        bool right;
    } columns[] = { { "job", false }, { "last run", false }, { "at", false },   { "took", true },
                    { "read", true }, { "stored", true },    { "next", false }, { "", false } };
    struct table *t = table_new(err);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        table_column(t, columns[i].title, columns[i].right);
    return t;
}

static int print_status(struct status *s, const struct vec *jobs, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < jobs->len; i++) {
        const struct conf_job *job = *(const struct conf_job **)vec_at(jobs, i);
        const struct history_filter filter = { .job = job->name, .limit = 1 };
        s->job = (size_t)(job - s->crew->conf->jobs);
        s->seen = false;
        struct history_job state = { .paused = false };
        rc = history_job_read(s->history, job->name, &state, err);
        s->paused = rc == 1 && state.paused;
        if (rc >= 0)
            rc = history_runs(s->history, &filter, status_line, s, err);
        if (rc == 0 && !s->seen)
            rc = never_ran(s);
    }
    if (rc == 0 && !s->cli->json)
        rc = table_print(s->table, &s->cli->out, err);
    return rc == 0 && !s->cli->json ? out_flush(&s->cli->out, err) : rc;
}

/* Of runs that wait to be written nothing is known here. */
static int not_all_well(const struct conf *conf, size_t more, struct error *err)
{
    char wall[32];
    struct trouble trouble;
    look_trouble(conf, &trouble);
    if (trouble.since != 0)
        return error_set(
            err, E_IO,
            "what is known of the last runs is well, but the history takes nothing since %s: %zu %s to be looked at",
            zone_format(wall, trouble.since), more, plural(more, "thing is", "things are"));
    return error_set(err, E_IO, "the last runs are well, but %zu %s to be looked at", more,
                     plural(more, "thing is", "things are"));
}

int cmd_status(struct cli_context *cli, struct error *err)
{
    struct vec jobs = VEC_OF(const struct conf_job *);
    struct crew crew = { .n = 0 };
    size_t more = 0;
    struct conf *conf = NULL;
    int rc = ask_or_read(cli, "status", true, &conf, err);
    if (conf == NULL)
        return rc;
    struct status s = { .cli = cli,
                        .table = cli->json ? NULL : status_table(err),
                        .crew = &crew,
                        .err = err,
                        .daemon = waits_daemon(conf) };
    rc = host_scheduled(cli, conf, &jobs, err);
    if (rc == 0)
        rc = crew_make(conf, &crew, err);
    if (rc == 0)
        rc = open_history(conf, &s.history, err);
    if (rc == 0)
        rc = waits_read(&crew, s.history, &s.planner, err);
    if (rc == 0)
        rc = print_status(&s, &jobs, err);
    if (rc == 0)
        rc = status_alarms(cli, &crew, s.history, &jobs, &more, err);
    if (rc == 0 && s.bad > 0 && more > 0)
        rc = error_set(err, E_IO, "%zu of %zu %s not well, and %zu %s to be looked at", s.bad, jobs.len,
                       plural(jobs.len, "job is", "jobs are"), more,
                       plural(more, "thing more is", "things more are"));
    else if (rc == 0 && s.bad > 0)
        rc = error_set(err, E_IO, "%zu of %zu %s not well", s.bad, jobs.len,
                       plural(jobs.len, "job is", "jobs are"));
    else if (rc == 0 && more > 0)
        rc = not_all_well(conf, more, err);
    planner_free(s.planner);
    history_close(s.history);
    table_free(s.table);
    crew_free(&crew);
    vec_free(&jobs);
    conf_free(conf);
    return rc;
}

/* ---- history and show -------------------------------------------------------------------------------------------------- */

static int history_line(const struct history_run *stored, void *arg)
{
    struct status *s = arg;
    const struct history_run now = as_it_is(s, stored), *r = &now;
    char wall[32];
    char took[NUMBER_TEXT_MAX];
    char line[ANOMALY_TEXT_MAX];
    s->seen = true;
    if (s->cli->json)
        return print_json(s, r, "run", s->err);
    int rc = told_line(s->history, r, line, s->err);
    table_cell(s->table, OUT_BOLD, "%lld", (long long)r->id);
    table_cell(s->table, OUT_PLAIN, "%s", r->job);
    table_cell(s->table, OUT_PLAIN, "%s", zone_format(wall, when_of(r)));
    table_cell(s->table, colour_of(r), "%s", word_of(r));
    table_cell(s->table, OUT_PLAIN, "%s", duration_of(r, took));
    if (r->count > 1)
        table_cell(s->table, OUT_PLAIN, "%llu: %s", (unsigned long long)r->count, r->reason);
    else
        table_cell(s->table, OUT_PLAIN, "%s", line[0] != '\0' ? line : r->reason);
    return rc;
}

int cmd_history(struct cli_context *cli, struct error *err)
{
    struct conf *conf = NULL;
    int rc = ask_or_read(cli, "history", false, &conf, err);
    if (conf == NULL)
        return rc;
    struct history_filter filter = { .job = cli->nargs > 0 ? cli->args[0] : NULL,
                                     .limit = (unsigned)cli_number(cli, "lines"),
                                     .only_runs = cli_flag(cli, "runs") };
    struct status s = {
        .cli = cli, .table = cli->json ? NULL : table_new(err), .err = err, .daemon = waits_daemon(conf)
    };
    filter.limit = filter.limit > 0 ? filter.limit : LINES_DEFAULT;
    table_column(s.table, "run", true);
    table_column(s.table, "job", false);
    table_column(s.table, "at", false);
    table_column(s.table, "", false);
    table_column(s.table, "took", true);
    table_column(s.table, "", false);
    rc = zone_set(conf->daemon.time_zone, err);
    if (rc == 0)
        rc = open_history(conf, &s.history, err);
    if (rc == 0)
        rc = history_runs(s.history, &filter, history_line, &s, err);
    if (rc == 0 && !cli->json)
        rc = table_print(s.table, &cli->out, err);
    if (rc == 0 && !cli->json)
        rc = out_flush(&cli->out, err);
    history_close(s.history);
    table_free(s.table);
    conf_free(conf);
    return rc;
}

static int show_run(const struct history_run *stored, void *arg)
{
    struct status *s = arg;
    const struct history_run now = as_it_is(s, stored), *r = &now;
    char wall[32];
    char text[NUMBER_TEXT_MAX];
    char receipt[RECEIPT_TEXT];
    s->seen = true;
    if (s->cli->json)
        return print_json(s, r, "run", s->err);
    struct table *t = pairs_new(s->err);
    int64_t read = 0;
    int64_t added = 0;
    int rc = history_result_text(s->history, r->id, "receipt", receipt, sizeof receipt, s->err);
    if (rc == 0)
        rc = bytes_of(s->history, r->id, &read, &added, s->err);
    out_heading(&s->cli->out, "run %lld of %s", (long long)r->id, r->job);
    pairs_add(t, "verdict", colour_of(r), "%s", word_of(r));
    if (r->text[0] != '\0')
        pairs_add(t, "because", OUT_PLAIN, "%s", r->text);
    pairs_add(t, "why", OUT_PLAIN, "%s", r->reason);
    if (r->due != 0)
        pairs_add(t, "due", OUT_PLAIN, "%s", zone_format(wall, r->due));
    if (r->started != 0) {
        pairs_add(t, "started", OUT_PLAIN, "%s", zone_format(wall, r->started));
        pairs_add(t, "took", OUT_PLAIN, "%s", duration_of(r, text));
        pairs_add(t, "try", OUT_PLAIN, "%u", r->attempt);
        pairs_add(t, "exit code", OUT_PLAIN, "%d", r->exit_code);
    } else {
        pairs_add(t, "runs", OUT_PLAIN, "%llu", (unsigned long long)r->count);
    }
    if (read > 0)
        pairs_add(t, "read", OUT_PLAIN, "%s", size_format(text, (uint64_t)read));
    if (read > 0)
        pairs_add(t, "stored", OUT_PLAIN, "%s", size_format(text, (uint64_t)added));
    if (receipt[0] != '\0')
        pairs_add(t, "receipt", OUT_BOLD, "%s", receipt);
    if (rc == 0)
        rc = told_pairs(s->history, r, t, s->err);
    if (rc == 0)
        rc = table_print(t, &s->cli->out, s->err);
    table_free(t);
    return rc < 0 ? rc : out_flush(&s->cli->out, s->err);
}

static int no_such_run(const struct conf *conf, uint64_t id, struct error *err)
{
    char wall[32];
    struct trouble trouble;
    look_trouble(conf, &trouble);
    if (trouble.since != 0)
        return error_set(
            err, E_NOT_FOUND,
            "run %llu is not in the history, which takes nothing since %s: if it is a newer one it waits to be "
            "written (`backupd status`, and the daemon's log has it)",
            (unsigned long long)id, zone_format(wall, trouble.since));
    return error_set(err, E_NOT_FOUND, "there is no run %llu", (unsigned long long)id);
}

int cmd_show(struct cli_context *cli, struct error *err)
{
    uint64_t id = 0;
    int rc = number_parse(cli->args[0], 1, INT64_MAX, &id, err);
    if (rc < 0)
        return error_wrap(err, "the number of a run, as `backupd history` prints it");
    struct conf *conf = NULL;
    rc = ask_or_read(cli, "show", false, &conf, err);
    if (conf == NULL)
        return rc;
    struct status s = { .cli = cli, .err = err, .daemon = waits_daemon(conf) };
    struct history_filter filter = { .id = (int64_t)id };
    rc = zone_set(conf->daemon.time_zone, err);
    if (rc == 0)
        rc = open_history(conf, &s.history, err);
    if (rc == 0)
        rc = history_runs(s.history, &filter, show_run, &s, err);
    if (rc == 0 && !s.seen)
        rc = no_such_run(conf, id, err);
    history_close(s.history);
    conf_free(conf);
    return rc;
}
