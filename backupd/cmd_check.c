#include <stdio.h>

#include "backupd/host.h"
#include "backupd/verbs.h"
#include "common/cli/json.h"
#include "common/conf/setting.h"

#include "common/base/banned.h"

int cmd_check_config(struct cli_context *cli, struct error *err)
{
    struct conf *conf = host_configuration(cli, true, err);
    if (conf == NULL)
        return err->code;
    char command[HOST_COMMAND_MAX];
    int rc = 0;
    if (cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_str(o, "file", conf->file);
        jsonout_u64(o, "repositories", conf->nrepositories);
        jsonout_u64(o, "jobs", conf->njobs);
        jsonout_u64(o, "problems", 0);
        rc = jsonout_emit(o, err);
    } else {
        out_line(&cli->out, OUT_GOOD, "configuration ok: %zu repositor%s, %zu job%s", conf->nrepositories,
                 conf->nrepositories == 1 ? "y" : "ies", conf->njobs, conf->njobs == 1 ? "" : "s");
        if (!cli->quiet)
            out_line(&cli->out, OUT_DIM, "next: %s check database, then check storage --probe",
                     host_command(cli, command));
    }
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
