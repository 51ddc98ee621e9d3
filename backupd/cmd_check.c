#include <stdio.h>

#include "backupd/daemon/accepted.h"
#include "backupd/host.h"
#include "backupd/verbs.h"
#include "common/base/number.h"
#include "common/cli/json.h"
#include "common/conf/setting.h"

#include "common/base/banned.h"

static int config_json(const struct conf *conf, struct error *err)
{
    struct jsonout *o = jsonout_new("summary");
    jsonout_str(o, "file", conf->file);
    jsonout_u64(o, "repositories", conf->nrepositories);
    jsonout_u64(o, "jobs", conf->njobs);
    jsonout_u64(o, "tasks", conf->ntasks);
    jsonout_u64(o, "problems", 0);
    return jsonout_emit(o, err);
}

static void config_text(const struct cli_context *cli, const struct conf *conf)
{
    char command[HOST_COMMAND_MAX];
    char tasks[64] = "";
    if (conf->ntasks > 0)
        (void)snprintf(tasks, sizeof tasks, ", %zu %s", conf->ntasks, plural(conf->ntasks, "task", "tasks"));
    out_line(&cli->out, OUT_GOOD, "configuration ok: %zu %s, %zu %s%s", conf->nrepositories,
             plural(conf->nrepositories, "repository", "repositories"), conf->njobs,
             plural(conf->njobs, "job", "jobs"), tasks);
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
    int rc = 0;
    if (cli->json)
        rc = config_json(conf, err);
    else
        config_text(cli, conf);
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
