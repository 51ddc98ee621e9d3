#include <stdlib.h>
#include <string.h>

#include "backupd/host.h"
#include "backupd/job/run.h"
#include "backupd/job/summary.h"
#include "backupd/verbs.h"
#include "common/base/alloc.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

const struct cli_option backup_options[] = {
    { .name = "compression",
      .kind = CLI_INTEGER,
      .metavar = "LEVEL",
      .min = 1,
      .max = 19,
      .help = "Zstandard level for this run instead of the configured one." },
    { .name = "no-scrub",
      .kind = CLI_FLAG,
      .help = "Do not read one stored pack at random to see whether it is undamaged." },
    { .name = "tag",
      .kind = CLI_STRING,
      .metavar = "NAME",
      .many = true,
      .help =
          "Give the snapshots this tag, besides those that the job gives; may be repeated. Keep rules can name "
          "tags whose snapshots stay." },
    { .name = "kit-unconfirmed",
      .kind = CLI_FLAG,
      .help = "Go on although nobody has tried the restore kit (`backupd key verify-kit`)." },
    CLI_OPTIONS_END
};

/* How the jobs ended. */
struct tally {
    size_t good;
    size_t bad;
    size_t flawed;  /* of the good ones: published, but not all of the source is in it */
    size_t unclean; /* of the good ones: `after` failed */
    int code;       /* of all failures so far, E_IO when they differ */
};

static int run_one(struct cli_context *cli, struct job_run *run, bool alone, struct tally *t,
                   struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = job_run(run, &why);
    if (rc == 0) {
        t->good++;
        t->flawed += summary_flawed(run);
        t->unclean += run->after_failed;
        return summary_print(run, err);
    }
    t->code = t->bad == 0 || t->code == rc ? rc : E_IO;
    t->bad++;
    summary_refused(run);
    if (alone || rc == E_CANCELLED || rc == E_NOMEM) {
        (void)error_copy(err, &why);
        return error_wrap(err, "%s", run->job->name);
    }
    cli->exit_code = 0; /* it was that of one job */
    summary_failed(run, &why);
    return 0;
}

/* Each failure was told when it happened. */
static int verdict(struct cli_context *cli, const struct tally *t, struct error *err)
{
    if (t->bad == 0 && t->flawed == 0 && t->unclean == 0)
        return 0;
    if (t->bad == 0 && t->flawed == 0) {
        cli->exit_code = CLI_EXIT_PARTLY;
        return error_set(err, E_IO,
                         "%zu of %zu jobs published a snapshot, but did not clean up: `after` failed",
                         t->unclean, t->good);
    }
    if (t->bad == 0) {
        cli->exit_code = CLI_EXIT_PARTLY;
        return error_set(
            err, E_IO,
            "%zu of %zu jobs published a snapshot that does not hold all of its source; the warnings "
            "name what is missing or was changed meanwhile",
            t->flawed, t->good);
    }
    cli->exit_code = t->good > 0 ? CLI_EXIT_PARTLY : 0;
    return error_set(err, t->code, "%zu of %zu jobs failed", t->bad, t->good + t->bad);
}

/* Those of --tag, NULL-terminated, for free(). */
static const char **tags_given(const struct cli_context *cli, struct error *err)
{
    size_t n = cli_count(cli, "tag");
    const char **tags = mem_alloc(n + 1, sizeof *tags, err);
    for (size_t i = 0; tags != NULL && i < n; i++) {
        tags[i] = cli_text_at(cli, "tag", i);
        if (conf_name_is_good(tags[i]))
            continue;
        (void)error_set(err, E_USAGE,
                        "--tag: '%s' is no good name: use 1 to %d of a-z 0-9 . _ -, a letter or digit first",
                        tags[i], CONF_NAME_MAX);
        free(tags);
        return NULL;
    }
    return tags;
}

int cmd_backup(struct cli_context *cli, struct error *err)
{
    struct vec jobs = VEC_OF(const struct conf_job *);
    struct tally tally = { .good = 0 };
    const char **tags = tags_given(cli, err);
    struct conf *conf = tags != NULL ? host_configuration(cli, true, err) : NULL;
    if (conf == NULL) {
        free(tags);
        return err->code;
    }
    int rc = host_jobs(cli, conf, &jobs, err);
    for (size_t i = 0; rc == 0 && i < jobs.len; i++) {
        struct job_run run = { .cli = cli,
                               .conf = conf,
                               .job = *(const struct conf_job **)vec_at(&jobs, i),
                               .level = (unsigned)cli_number(cli, "compression"),
                               .tags = tags,
                               .refused = ANOMALIES_INIT,
                               .kit_unconfirmed = cli_flag(cli, "kit-unconfirmed"),
                               .scrub = !cli_flag(cli, "no-scrub") };
        rc = interrupt_check(err);
        if (rc == 0)
            rc = run_one(cli, &run, jobs.len == 1, &tally, err);
        job_run_free(&run);
    }
    if (rc == 0)
        rc = verdict(cli, &tally, err);
    vec_free(&jobs);
    conf_free(conf);
    free(tags);
    return rc;
}
