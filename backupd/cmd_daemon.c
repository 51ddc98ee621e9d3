#include "backupd/daemon/alarms.h"
#include "backupd/daemon/pid1.h"
#include "backupd/daemon/supervisor.h"
#include "backupd/daemon/tell.h"
#include "backupd/verbs.h"
#include "common/sys/child.h"

#include "common/base/banned.h"

int cmd_daemon(struct cli_context *cli, struct error *err)
{
    const struct supervisor_options options = { .cli = cli, .config = cli->config, .program = CHILD_SELF };
    int rc = pid1_is_first() ? pid1_split(&cli->exit_code, err) : PID1_CHILD;
    if (rc == PID1_CHILD) {
        alarms_listen();
        if (!cli->json)
            log_to(tell_log, cli);
    }
    return rc == PID1_CHILD ? supervisor_run(&options, err) : rc < 0 ? rc : 0;
}
