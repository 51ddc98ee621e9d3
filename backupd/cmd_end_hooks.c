/* end-hooks: what a run that was killed could not do any more. The daemon starts it. */
#include <stdlib.h>

#include "backupd/host.h"
#include "backupd/job/hook.h"
#include "backupd/verbs.h"

#include "common/base/banned.h"

int cmd_end_hooks(struct cli_context *cli, struct error *err)
{
    struct error killed = ERROR_INIT;
    struct conf *conf = host_configuration(cli, true, err);
    const struct conf_job *job = conf != NULL ? conf_find_job(conf, cli->args[0], err) : NULL;
    const struct conf_repository *repository =
        job != NULL ? conf_find_repository(conf, job->repository, err) : NULL;
    char *state = repository != NULL ? host_state(conf, repository, err) : NULL;
    int rc = state != NULL ? 0 : err->code;
    if (rc == 0) {
        struct hooks hooks = { .job = job, .state = state };
        (void)error_set(&killed, E_CANCELLED, "the run was killed");
        rc = hooks_make_up(&hooks, &killed, err);
    }
    free(state);
    conf_free(conf);
    return rc;
}
