#include "backupd/daemon/alarms.h"
#include "backupd/daemon/supervisor.h"
#include "backupd/verbs.h"

#include "common/base/banned.h"

/* The program that is running, also when its file has been replaced by a newer one since. */
#define THIS_PROGRAM "/proc/self/exe"

int cmd_daemon(struct cli_context *cli, struct error *err)
{
    const struct supervisor_options options = { .cli = cli, .config = cli->config, .program = THIS_PROGRAM };
    alarms_listen();
    return supervisor_run(&options, err);
}
