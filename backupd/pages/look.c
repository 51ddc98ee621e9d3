#include "backupd/pages/look.h"

#include <stdlib.h>

#include "backupd/daemon/supervisor.h"
#include "backupd/host.h"
#include "common/base/log.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"
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

static int open_trouble(const struct conf *conf, struct error *err)
{
    int fd = -1;
    char *path = path_join(conf->state, TROUBLE_FILE, err);
    int rc = path != NULL ? trouble_open(path, &fd, err) : E_NOMEM;
    free(path);
    return rc < 0 ? rc : fd;
}

static void read_trouble(int fd, struct trouble *out)
{
    struct error why = ERROR_INIT;
    if (trouble_read(fd, out, &why) >= 0)
        return;
    *out = (struct trouble){ .since = 0 };
    log_event(LOG_WARN, "whether the history takes what happens is not known: %s", why.text);
}

void look_trouble(const struct conf *conf, struct trouble *out)
{
    struct error why = ERROR_INIT;
    int fd = open_trouble(conf, &why);
    *out = (struct trouble){ .since = 0 };
    if (fd >= 0)
        read_trouble(fd, out);
    else if (fd != E_NOT_FOUND)
        log_event(LOG_WARN, "whether the history takes what happens is not known: %s", why.text);
    fd_drop(&fd);
}

/* The daemon writes over the same file as long as it lives. */
static void take_trouble(struct look *look, struct trouble *out)
{
    *out = (struct trouble){ .since = 0 };
    if (!look->shut) {
        if (look->trouble > 0)
            fd_drop(&look->trouble);
        look->trouble = open_trouble(look->conf, NULL);
    }
    if (look->trouble > 0)
        read_trouble(look->trouble, out);
}

int look_view(struct look *look, const struct view_options *options, struct view *out, struct error *err)
{
    struct view_options full = *options;
    struct trouble trouble;
    bool known_bad = look->shut && look->unread.code != 0;
    int rc = known_bad ? 0 : open_history(look, err);
    if (!look->shut)
        drills_file_look(&look->drills, look->conf->state, false, options->now);
    take_trouble(look, &trouble);
    full.drills = &look->drills;
    full.trouble = &trouble;
    full.unread = known_bad ? look->unread.text : NULL;
    if (rc == 0)
        rc = view_make(&look->crew, look->history, &full, out, err);
    if (rc == 0 && out->unread != NULL && !known_bad)
        (void)error_set(&look->unread, E_CORRUPT, "%s", out->unread);
    else if (rc == 0 && !known_bad)
        look->unread = (struct error)ERROR_INIT;
    if (rc == 0) {
        /* They live as long as this call. */
        out->options.trouble = NULL;
        out->options.unread = NULL;
    }
    if (rc < 0 || look->unread.code != 0) {
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
    if (look->trouble > 0)
        fd_drop(&look->trouble);
    crew_free(&look->crew);
    conf_free(look->conf);
    *look = (struct look){ .conf = NULL };
}
