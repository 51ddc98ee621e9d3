/* anomaly list, anomaly accept: what is usual for a job, and what a person says about it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/anomaly/anomaly.h"
#include "backupd/host.h"
#include "backupd/verbs.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/zone.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

enum { SECONDS = 1000 };

/* What the runs of a job say, newest last. */
struct state {
    size_t usual;      /* runs that are compared with, accepted ones too */
    size_t suspicious; /* in a row, at the end */
    bool learned;
    const struct baseline_run *last;
};

static struct state state_of(const struct vec *runs, const struct conf_anomalies *settings)
{
    struct state s = { .usual = 0 };
    int64_t now = (int64_t)clock_wall();
    int64_t first = 0;
    for (size_t i = 0; i < runs->len; i++) {
        s.last = vec_at(runs, i);
        if (s.last->state == BASELINE_SUSPICIOUS) {
            s.suspicious++;
            continue;
        }
        /* The oldest that is not of the future: a clock may have been wrong. */
        first = s.usual == 0 || first > now ? s.last->time : first;
        s.usual++;
        s.suspicious = 0;
    }
    s.learned = s.usual >= settings->min_runs && now - first >= (int64_t)(settings->min_age_ms / SECONDS);
    return s;
}

static int list_json(const struct conf_job *job, const struct conf_anomalies *settings, const struct state *s,
                     struct error *err)
{
    struct jsonout *o = jsonout_new("anomalies");
    jsonout_str(o, "job", job->name);
    jsonout_bool(o, "watched", settings->watch);
    jsonout_bool(o, "learned", s->learned);
    jsonout_u64(o, "runs", s->usual);
    jsonout_u64(o, "suspicious_in_a_row", s->suspicious);
    jsonout_time(o, "last", s->last != NULL ? (uint64_t)s->last->time : 0);
    jsonout_str(o, "text", s->suspicious > 0 ? s->last->text : "");
    return jsonout_emit(o, err);
}

static const char *word_of(const struct conf_anomalies *settings, const struct state *s)
{
    return !settings->watch ? "off" : s->suspicious > 0 ? "suspicious" : s->learned ? "usual" : "learning";
}

static void list_row(struct table *t, const struct conf_job *job, const struct conf_anomalies *settings,
                     const struct state *s)
{
    char wall[32];
    table_cell(t, OUT_BOLD, "%s", job->name);
    table_cell(t, s->suspicious > 0 ? OUT_BAD : OUT_PLAIN, "%s", word_of(settings, s));
    table_cell(t, OUT_PLAIN, "%s", s->last != NULL ? zone_format(wall, s->last->time) : "");
    table_cell(t, OUT_PLAIN, "%zu", s->usual);
    table_cell(t, OUT_PLAIN, "%zu", s->suspicious);
}

/* What was found at the last run, below the table. */
static void list_text(const struct cli_context *cli, const struct conf *conf, const struct conf_job *job,
                      const struct state *s)
{
    char command[HOST_COMMAND_MAX];
    if (s->suspicious == 0)
        return;
    out_heading(&cli->out, "%s/%u", job->name, (unsigned)s->last->session);
    for (const char *line = s->last->text; *line != '\0';) {
        size_t n = strcspn(line, "\n");
        out_line(&cli->out, OUT_PLAIN, "  %.*s", (int)n, line);
        line += n + (line[n] == '\n' ? 1 : 0);
    }
    out_line(&cli->out, OUT_DIM, "  If that is how it is now: %s anomaly accept %s",
             host_command(cli, conf, command), job->name);
}

/* Not made here: it would belong to whoever asks. NULL when there is none. */
static int open_baseline(const struct conf *conf, struct baseline **out, struct error *err)
{
    char *path = watch_path(conf, err);
    int rc = path == NULL ? E_NOMEM : access(path, F_OK) == 0 ? baseline_open(path, out, err) : 0;
    free(path);
    return rc;
}

static int list_jobs(struct cli_context *cli, const struct conf *conf, struct baseline *b,
                     const struct vec *jobs, struct error *err)
{
    struct table *t = cli->json ? NULL : table_new(err);
    int rc = 0;
    table_column(t, "job", false);
    table_column(t, "is", false);
    table_column(t, "last run", false);
    table_column(t, "compared with", true);
    table_column(t, "suspicious", true);
    for (int pass = 0; rc == 0 && pass < 2; pass++) {
        if (pass == 1 && !cli->json)
            rc = table_print(t, &cli->out, err);
        for (size_t i = 0; rc == 0 && i < jobs->len && (pass == 0 || !cli->json); i++) {
            const struct conf_job *job = *(const struct conf_job **)vec_at(jobs, i);
            const struct conf_anomalies *settings = conf_anomalies_of(conf, job);
            struct vec runs = VEC_OF(struct baseline_run);
            if (b != NULL)
                rc = baseline_runs(b, job->repository, job->name, &runs, err);
            struct state s = state_of(&runs, settings);
            if (rc == 0 && cli->json)
                rc = list_json(job, settings, &s, err);
            else if (rc == 0 && pass == 0)
                list_row(t, job, settings, &s);
            else if (rc == 0)
                list_text(cli, conf, job, &s);
            baseline_runs_free(&runs);
        }
    }
    table_free(t);
    return rc < 0 || cli->json ? rc : out_flush(&cli->out, err);
}

int cmd_anomaly_list(struct cli_context *cli, struct error *err)
{
    struct vec jobs = VEC_OF(const struct conf_job *);
    struct baseline *b = NULL;
    struct conf *conf = host_configuration(cli, true, err);
    if (conf == NULL)
        return err->code;
    int rc = host_jobs(cli, conf, &jobs, err);
    if (rc == 0)
        rc = zone_set(conf->daemon.time_zone, err);
    if (rc == 0)
        rc = open_baseline(conf, &b, err);
    if (rc == 0)
        rc = list_jobs(cli, conf, b, &jobs, err);
    baseline_close(b);
    vec_free(&jobs);
    conf_free(conf);
    return rc;
}

static int accept_one(const struct cli_context *cli, struct baseline *b, const struct conf_job *job,
                      struct error *err)
{
    int64_t n = b != NULL ? baseline_accept(b, job->repository, job->name, err) : 0;
    if (n < 0)
        return (int)n;
    if (n == 0)
        return error_set(err, E_NOT_FOUND,
                         "the last run of %s was not suspicious: there is nothing to accept", job->name);
    if (cli->json) {
        struct jsonout *o = jsonout_new("accepted");
        jsonout_str(o, "job", job->name);
        jsonout_i64(o, "runs", n);
        return jsonout_emit(o, err);
    }
    out_line(&cli->out, OUT_PLAIN, "%s: the last %lld %s now as usual; the next ones are compared with %s.",
             job->name, (long long)n, plural((uint64_t)n, "run counts", "runs count"),
             plural((uint64_t)n, "it, too", "them, too"));
    return out_flush(&cli->out, err);
}

int cmd_anomaly_accept(struct cli_context *cli, struct error *err)
{
    struct baseline *b = NULL;
    struct conf *conf = host_configuration(cli, true, err);
    if (conf == NULL)
        return err->code;
    const struct conf_job *job = conf_find_job(conf, cli->args[0], err);
    int rc = job != NULL ? open_baseline(conf, &b, err) : E_USAGE;
    if (rc == 0)
        rc = accept_one(cli, b, job, err);
    baseline_close(b);
    conf_free(conf);
    return rc;
}
