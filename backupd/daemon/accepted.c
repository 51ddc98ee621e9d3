#include "backupd/daemon/accepted.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/daemon/supervisor.h"
#include "common/base/log.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "common/sys/filelock.h"

#include "common/base/banned.h"

enum { PRIVATE_FILE = 0600 };

/* Then nothing is written: a daemon starts on a full disk, too. */
static bool is_there(const char *path, const struct buf *packed)
{
    struct buf old = BUF_INIT;
    bool same = file_read_small(path, CONF_PACKED_MAX, &old, NULL) == 0 && old.len == packed->len &&
                memcmp(old.data, packed->data, packed->len) == 0;
    buf_free(&old);
    return same;
}

void accepted_keep(struct accepted *a, const char *state, const struct buf *packed)
{
    struct error why = ERROR_INIT;
    char *path = path_join(state, ACCEPTED_FILE, &why);
    int rc = path != NULL ? 0 : E_NOMEM;
    if (rc == 0 && !is_there(path, packed))
        rc = file_write_atomic(path, packed->data, packed->len, PRIVATE_FILE, FILE_REPLACE, &why);
    free(a->path);
    a->path = rc == 0 ? path : NULL;
    if (rc == 0)
        return;
    free(path);
    log_event(
        LOG_ALARM,
        "the configuration could not be kept for the runs, which read the file as it is when they start: %s",
        why.text);
}

const char *accepted_file(const struct accepted *a, const char *otherwise)
{
    return a->path != NULL ? a->path : otherwise;
}

void accepted_free(struct accepted *a)
{
    free(a->path);
    a->path = NULL;
}

void accepted_compare(const struct conf *conf, const struct buf *packed)
{
    char *lock = path_join(conf->state, SUPERVISOR_LOCK, NULL);
    char *path = path_join(conf->state, ACCEPTED_FILE, NULL);
    if (lock != NULL && path != NULL && filelock_held(lock, NULL, NULL) == 1 && access(path, R_OK) == 0 &&
        !is_there(path, packed))
        log_event(
            LOG_WARN,
            "the daemon goes by an older configuration than %s until it reads it again (`systemctl reload "
            "backupd`, or SIGHUP)",
            conf->file);
    free(lock);
    free(path);
}
