/* check database: ask every source before the first night. */
#include <string.h>

#include "backupd/host.h"
#include "backupd/report.h"
#include "backupd/verbs.h"
#include "common/base/number.h"
#include "common/cli/json.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

struct tally {
    size_t ready;
    size_t failing;
    size_t warnings;
    int code; /* of those that would fail, E_UNSUPPORTED when they differ */
};

static void on_finding(bool fatal, const char *what, const char *cure, void *arg)
{
    report_finding(arg, fatal, what, cure);
}

/* What `before` makes is not there yet: what is missing now says little about the night. */
static void on_finding_without(bool fatal, const char *what, const char *cure, void *arg)
{
    (void)fatal;
    report_finding(arg, false, what, cure);
}

/* What is read: the files and directories among the options. */
static void add_paths(const struct engine *engine, const struct engine_job *job, struct report *report)
{
    for (size_t i = 0; engine->path_options != NULL && engine->path_options[i] != NULL; i++)
        for (size_t j = 0; j < job->noptions; j++)
            if (strcmp(job->options[j].key, engine->path_options[i]) == 0)
                report_add(report, engine->path_options[i], OUT_PLAIN, "%s", job->options[j].value);
}

/* 0 and findings in the report, or why nothing could be asked. */
static int ask(const struct conf *conf, const struct conf_job *conf_job, struct report *report,
               struct error *err)
{
    struct engine_job job = { .name = NULL };
    const struct engine *engine = engine_find(conf_job->engine, err);
    if (engine == NULL)
        return E_USAGE;
    int rc = access_job(conf, conf_job, &job, err);
    if (rc < 0)
        return rc;
    job.preflight = true;
    report_add(report, "engine", OUT_PLAIN, "%s", engine->name);
    add_paths(engine, &job, report);
    bool hooked = conf_job->before.argv != NULL;
    if (hooked)
        report_add(report, "before", OUT_PLAIN, "was not run: what it prepares is not looked at");
    rc = engine->probe(&job, hooked ? on_finding_without : on_finding, report, err);
    access_job_free(&job);
    return rc;
}

static int check_one(struct cli_context *cli, const struct conf *conf, const struct conf_job *job,
                     struct tally *t, struct error *err)
{
    struct report report;
    struct error why = ERROR_INIT;
    report_init(&report, cli, "database", job->name, err);
    int rc = ask(conf, job, &report, &why);
    if (rc < 0 && rc != E_NOMEM && rc != E_CANCELLED)
        report_finding(&report, true, why.text, "correct the job in the configuration");
    bool ok = rc == 0 && report.fatal == 0;
    if (!cli->json && ok)
        report_add(&report, "result", OUT_GOOD, "ready to be backed up");
    int printed = report_print(&report, ok, err);
    if (rc == E_NOMEM || rc == E_CANCELLED)
        return error_copy(err, &why);
    rc = rc < 0 ? rc : E_UNSUPPORTED;
    t->ready += ok;
    t->warnings += report.warnings;
    if (!ok)
        t->code = t->failing == 0 || t->code == rc ? rc : E_UNSUPPORTED;
    t->failing += !ok;
    return printed;
}

static int summary(const struct cli_context *cli, const struct tally *t, struct error *err)
{
    if (cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_u64(o, "ready", t->ready);
        jsonout_u64(o, "failing", t->failing);
        jsonout_u64(o, "warnings", t->warnings);
        int rc = jsonout_emit(o, err);
        if (rc < 0)
            return rc;
    }
    if (t->failing == 0)
        return 0;
    if (t->ready + t->failing == 1)
        return error_set(err, t->code, "the job would fail (see above)");
    return error_set(err, t->code, "%zu of %zu jobs would fail (see above)", t->failing,
                     t->failing + t->ready);
}

int cmd_check_database(struct cli_context *cli, struct error *err)
{
    struct vec jobs = VEC_OF(const struct conf_job *);
    struct tally tally = { .ready = 0 };
    struct conf *conf = host_configuration(cli, true, err);
    if (conf == NULL)
        return err->code;
    int rc = host_jobs(cli, conf, &jobs, err);
    for (size_t i = 0; rc == 0 && i < jobs.len; i++) {
        rc = interrupt_check(err);
        if (rc == 0)
            rc = check_one(cli, conf, *(const struct conf_job **)vec_at(&jobs, i), &tally, err);
    }
    if (rc == 0)
        rc = summary(cli, &tally, err);
    vec_free(&jobs);
    conf_free(conf);
    return rc;
}
