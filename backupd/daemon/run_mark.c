#include "backupd/daemon/run_mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

/* ---- one run ----------------------------------------------------------------------------------------------------------- */

static const char *value_of(const struct run_mark *m)
{
    return m->variable + sizeof SWEEP_RUN; /* and the '=' */
}

static int make_file(struct run_mark *m, const char *state, struct error *err)
{
    char *dir = path_join(state, RUN_MARKS, err);
    int rc = dir != NULL ? dir_make_private(dir, err) : E_NOMEM;
    m->path = rc == 0 ? str_printf(err, "%s/%s.%s", dir, m->job, value_of(m)) : NULL;
    free(dir);
    if (m->path == NULL)
        return rc < 0 ? rc : E_NOMEM;
    int fd = open(m->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        rc = error_sys(err, "make %s", m->path);
        free(m->path);
        m->path = NULL;
    }
    fd_drop(&fd);
    return rc;
}

int run_mark_make(struct run_mark *m, const char *state, const char *job, struct error *err)
{
    struct error why = ERROR_INIT;
    *m = (struct run_mark){ .job = str_dup(job, err) };
    int rc = m->job != NULL ? sweep_mark(m->variable, SWEEP_RUN, err) : E_NOMEM;
    if (rc < 0) {
        free(m->job);
        *m = (struct run_mark){ .job = NULL };
        return rc;
    }
    if (make_file(m, state, &why) < 0)
        log_event(LOG_WARN,
                  "%s: should this daemon be killed, the next one will not find what the run has started: %s",
                  job, why.text);
    return 0;
}

/* True when nothing is left of it, as far as can be seen. */
static bool end_all(const char *variable, const char *job, const char *which)
{
    struct swept swept;
    struct error why = ERROR_INIT;
    int rc = sweep(variable, &swept, &why);
    if (swept.ended > 0)
        log_event(LOG_WARN, "%s: %zu %s of a run that %s, and %s ended", job, swept.ended,
                  plural(swept.ended, "process was left", "processes were left"), which,
                  plural(swept.ended, "was", "were"));
    if (rc < 0)
        log_event(LOG_WARN, "%s: whether a run that %s has left processes cannot be seen: %s", job, which,
                  why.text);
    else if (!swept.all)
        log_event(LOG_ALARM,
                  "%s: not all processes of a run that %s could be ended; they hold " SWEEP_RUN
                  " in their environment (/proc/PID/environ)",
                  job, which);
    return rc == 0 && swept.all;
}

static void remove_file(const char *path)
{
    if (path != NULL && unlink(path) < 0 && errno != ENOENT)
        log_event(LOG_WARN, "%s stays (%s): the next daemon will take its run for one that was cut off", path,
                  strerrordesc_np(errno));
}

void run_mark_end(struct run_mark *m, bool cut_off)
{
    if (m->job == NULL)
        return;
    /* Of what could not be ended the next daemon is to know. */
    if (!cut_off || end_all(m->variable, m->job, "was killed"))
        remove_file(m->path);
    free(m->job);
    free(m->path);
    *m = (struct run_mark){ .job = NULL };
}

/* ---- those of the daemon before ---------------------------------------------------------------------------------------- */

static void make_up(const char *dir, const char *name)
{
    char variable[SWEEP_MARK_MAX];
    const char *dot = strrchr(name, '.');
    char *job = NULL;
    char *path = NULL;
    if (dot == NULL || strlen(dot + 1) != SWEEP_VALUE_LEN ||
        sweep_mark_again(variable, SWEEP_RUN, dot + 1, NULL) < 0)
        return; /* none of ours */
    job = str_dup_len(name, (size_t)(dot - name), NULL);
    path = path_join(dir, name, NULL);
    if (job != NULL && path != NULL && end_all(variable, job, "was cut off"))
        remove_file(path);
    free(job);
    free(path);
}

void run_marks_make_up(const char *state)
{
    char *path = path_join(state, RUN_MARKS, NULL);
    DIR *dir = path != NULL ? opendir(path) : NULL;
    if (dir == NULL && (path == NULL || errno != ENOENT))
        log_event(LOG_WARN, "whether runs were cut off and have left processes cannot be seen: %s: %s", state,
                  strerrordesc_np(path == NULL ? ENOMEM : errno));
    for (const struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;)
        make_up(path, e->d_name);
    if (dir != NULL)
        (void)closedir(dir);
    free(path);
    (void)unsetenv(SWEEP_RUN);
    (void)unsetenv(SWEEP_CHILD);
}
