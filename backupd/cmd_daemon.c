#include "backupd/daemon/alarms.h"
#include "backupd/daemon/pid1.h"
#include "backupd/daemon/supervisor.h"
#include "backupd/verbs.h"

#include "common/base/banned.h"

/* The program that is running, also when its file has been replaced by a newer one since. */
#define THIS_PROGRAM "/proc/self/exe"

int cmd_daemon(struct cli_context *cli, struct error *err)
{
    const struct supervisor_options options = { .cli = cli, .config = cli->config, .program = THIS_PROGRAM };
    int rc = pid1_is_first() ? pid1_split(&cli->exit_code, err) : PID1_CHILD;
    if (rc == PID1_CHILD)
        alarms_listen();
    return rc == PID1_CHILD ? supervisor_run(&options, err) : rc < 0 ? rc : 0;
}
