#include <stdio.h>

#include "backupd/daemon/accepted.h"
#include "backupd/host.h"
#include "backupd/schedule_warn.h"
#include "backupd/verbs.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/cli/json.h"
#include "common/conf/setting.h"

#include "common/base/banned.h"

struct warning {
    const struct cli_context *cli;
    int rc;
    struct error *err;
};

static void print_warning(const struct conf_place *place, const char *text, void *arg)
{
    struct warning *w = arg;
    if (!w->cli->json) {
        out_line(&w->cli->out, OUT_WARN, "%s:%u:%u: warning: %s", place->file, place->line, place->column,
                 text);
        return;
    }
    struct jsonout *o = jsonout_new("warning");
    jsonout_str(o, "file", place->file);
    jsonout_u64(o, "line", place->line);
    jsonout_u64(o, "column", place->column);
    jsonout_str(o, "message", text);
    int rc = jsonout_emit(o, w->err);
    w->rc = w->rc < 0 ? w->rc : rc;
}

/* What the daemon would look at beyond the files: does each job wait for others without end, and does its time come? */
static int look_at_crew(const struct cli_context *cli, const struct conf *conf, size_t *warnings,
                        struct error *err)
{
    struct warning w = { .cli = cli, .err = err };
    struct crew crew;
    int rc = crew_make(conf, &crew, err);
    if (rc < 0)
        return rc;
    *warnings = schedule_warn(&crew, (int64_t)clock_wall(), print_warning, &w);
    crew_free(&crew);
    return w.rc;
}

static int config_json(const struct conf *conf, size_t warnings, struct error *err)
{
    struct jsonout *o = jsonout_new("summary");
    jsonout_str(o, "file", conf->file);
    jsonout_u64(o, "repositories", conf->nrepositories);
    jsonout_u64(o, "jobs", conf->njobs);
    jsonout_u64(o, "tasks", conf->ntasks);
    jsonout_u64(o, "problems", 0);
    jsonout_u64(o, "warnings", warnings);
    return jsonout_emit(o, err);
}

static void config_text(const struct cli_context *cli, const struct conf *conf, size_t warnings)
{
    char command[HOST_COMMAND_MAX];
    char tasks[64] = "";
    char also[64] = "";
    if (conf->ntasks > 0)
        (void)snprintf(tasks, sizeof tasks, ", %zu %s", conf->ntasks, plural(conf->ntasks, "task", "tasks"));
    if (warnings > 0)
        (void)snprintf(also, sizeof also, "; %zu %s", warnings, plural(warnings, "warning", "warnings"));
    out_line(&cli->out, OUT_GOOD, "configuration ok: %zu %s, %zu %s%s%s", conf->nrepositories,
             plural(conf->nrepositories, "repository", "repositories"), conf->njobs,
             plural(conf->njobs, "job", "jobs"), tasks, also);
    if (conf->njobs == 0 && conf->ntasks > 0)
        out_line(&cli->out, OUT_PLAIN, "no jobs: this host backs nothing up, and runs its tasks only");
    else if (conf->njobs == 0)
        out_line(&cli->out, OUT_PLAIN,
                 "no jobs: this host cannot back up, which is right for a restore station");
    else if (!cli->quiet)
        out_line(&cli->out, OUT_DIM, "next: %s check database, then check storage --probe",
                 host_command(cli, conf, command));
}

/* Without jobs it is a restore station's: `backup` refuses it, this does not. */
int cmd_check_config(struct cli_context *cli, struct error *err)
{
    struct buf packed = BUF_INIT;
    struct conf *conf = host_configuration_packed(cli, false, &packed, err);
    if (conf == NULL)
        return err->code;
    size_t warnings = 0;
    int rc = look_at_crew(cli, conf, &warnings, err);
    if (rc == 0 && cli->json)
        rc = config_json(conf, warnings, err);
    else if (rc == 0)
        config_text(cli, conf, warnings);
    accepted_compare(conf, &packed);
    buf_free(&packed);
    conf_free(conf);
    return rc;
}

int cmd_man_config(struct cli_context *cli, struct error *err)
{
    struct buf page = BUF_INIT;
    int rc = conf_man("November 24, 2026", &page, err);
    if (rc == 0 && fwrite(page.data, 1, page.len, cli->out.file) != page.len)
        rc = error_sys(err, "write the page");
    buf_free(&page);
    return rc;
}
