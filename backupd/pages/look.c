#include "backupd/pages/look.h"

#include <stdlib.h>

#include "backupd/daemon/supervisor.h"
#include "backupd/host.h"
#include "common/base/log.h"
#include "common/sys/dirs.h"
#include "common/sys/filelock.h"

#include "common/base/banned.h"

int look_open(struct cli_context *cli, struct look *out, struct error *err)
{
    struct look look = { .conf = host_configuration(cli, true, err) };
    if (look.conf == NULL)
        return err->code;
    int rc = crew_make(look.conf, &look.crew, err);
    if (rc < 0) {
        look_close(&look);
        return rc;
    }
    *out = look;
    return 0;
}

static int open_history(struct look *look, struct error *err)
{
    if (look->history != NULL)
        return 0;
    char *path = path_join(look->conf->state, SUPERVISOR_HISTORY, err);
    int rc = path != NULL ? history_open_read(path, &look->history, err) : E_NOMEM;
    free(path);
    return rc == E_NOT_FOUND ? 0 : rc;
}

int look_view(struct look *look, const struct view_options *options, struct view *out, struct error *err)
{
    struct view_options full = *options;
    int rc = open_history(look, err);
    if (!look->shut)
        drills_file_look(&look->drills, look->conf->state, false, options->now);
    full.drills = &look->drills;
    if (rc == 0)
        rc = view_make(&look->crew, look->history, &full, out, err);
    if (rc < 0) {
        /* A file that was damaged is put aside and another one takes its name. */
        history_close(look->history);
        look->history = NULL;
    }
    return rc;
}

int64_t look_version(struct look *look)
{
    int64_t version = -1;
    if (look->history == NULL || history_version(look->history, &version, NULL) < 0)
        return -1;
    return version;
}

struct view_daemon look_daemon(const struct conf *conf)
{
    struct view_daemon d = { .asked = false };
    struct error why = ERROR_INIT;
    char *path = path_join(conf->state, SUPERVISOR_LOCK, &why);
    int rc = path != NULL ? filelock_held(path, &d.started, &why) : E_NOMEM;
    free(path);
    d.asked = rc >= 0;
    d.alive = rc == 1;
    if (rc < 0)
        log_event(LOG_INFO, "whether the daemon runs is not known: %s", why.text);
    return d;
}

void look_close(struct look *look)
{
    history_close(look->history);
    drills_file_close(&look->drills);
    crew_free(&look->crew);
    conf_free(look->conf);
    *look = (struct look){ .conf = NULL };
}
