#include "backupd/job/hook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "common/sys/child.h"
#include "common/sys/filelock.h"

#include "common/base/banned.h"

enum which { BEFORE, AFTER, ON_FAILURE };
enum { WHY_MAX = 1024 };

static const char *const names[] = { [BEFORE] = "before", [AFTER] = "after", [ON_FAILURE] = "on_failure" };

static const struct conf_command *command_of(const struct hooks *h, enum which which)
{
    return which == BEFORE ? &h->job->before : which == AFTER ? &h->job->after : &h->job->on_failure;
}

/* failed NULL: it has not. */
static int run(const struct hooks *h, enum which which, const struct error *failed, struct error *err)
{
    char text[WHY_MAX];
    const struct conf_command *command = command_of(h, which);
    char *job = str_printf(err, "BACKUPD_JOB=%s", h->job->name);
    char *hook = str_printf(err, "BACKUPD_HOOK=%s", names[which]);
    char *end = str_printf(err, "BACKUPD_RESULT=%s", failed != NULL ? "failed" : "published");
    char *why = str_printf(err, "BACKUPD_ERROR=%s",
                           failed != NULL ? str_printable(text, sizeof text, failed->text) : "");
    int rc = E_NOMEM;
    if (job != NULL && hook != NULL && end != NULL && why != NULL) {
        const char *const env[] = { job, hook, which != BEFORE ? end : NULL, which == ON_FAILURE ? why : NULL,
                                    NULL };
        const struct child_options options = { .env = env,
                                               .outlives_stop = which != BEFORE,
                                               .timeout_ms = h->job->hook_timeout_ms,
                                               .marked = true };
        log_event(LOG_INFO, "job %s: runs `%s` (%s)", h->job->name, names[which], command->argv[0]);
        rc = child_run(command->argv, &options, NULL, 0, err);
    }
    free(job);
    free(hook);
    free(end);
    free(why);
    return rc;
}

static int take_lock(struct hooks *h, struct error *err)
{
    char *path = str_printf(err, "%s/hooks-%s.lock", h->state, h->job->name);
    if (path == NULL)
        return E_NOMEM;
    struct error why = ERROR_INIT;
    h->lock = filelock_take(path, &why);
    free(path);
    return h->lock != NULL ? 0 : error_copy(err, &why);
}

/* ---- the mark: `after` is due ------------------------------------------------------------------------------------------- */

static char *mark_path(const struct hooks *h, struct error *err)
{
    return str_printf(err, "%s/hooks-%s.begun", h->state, h->job->name);
}

static int mark(const struct hooks *h, struct error *err)
{
    char *path = mark_path(h, err);
    int rc = path != NULL ? file_write_atomic(path, "", 0, 0600, FILE_REPLACE, err) : E_NOMEM;
    free(path);
    return rc;
}

static bool is_marked(const struct hooks *h)
{
    char *path = mark_path(h, NULL);
    bool is = path != NULL && access(path, F_OK) == 0;
    free(path);
    return is;
}

static void unmark(const struct hooks *h)
{
    char *path = mark_path(h, NULL);
    if (path == NULL || (unlink(path) < 0 && errno != ENOENT))
        log_event(LOG_WARN, "job %s: the mark of its hooks stays: `after` will run once more", h->job->name);
    free(path);
}

static bool run_after(const struct hooks *h, const struct error *failed)
{
    struct error why = ERROR_INIT;
    int rc = run(h, AFTER, failed, &why);
    unmark(h);
    if (rc < 0)
        log_event(LOG_WARN, "job %s: `after` failed (%s): what it should undo may still be there",
                  h->job->name, why.text);
    return rc == 0;
}

static void run_on_failure(const struct hooks *h, const struct error *failed)
{
    struct error why = ERROR_INIT;
    if (h->job->on_failure.argv != NULL && run(h, ON_FAILURE, failed, &why) < 0)
        log_event(LOG_WARN, "job %s: `on_failure` failed: %s", h->job->name, why.text);
}

/* What an earlier run left, which was killed. */
static void make_up(const struct hooks *h)
{
    struct error killed = ERROR_INIT;
    if (!is_marked(h))
        return;
    (void)error_set(&killed, E_CANCELLED, "the run was killed");
    log_event(LOG_WARN, "job %s: an earlier run was killed before its `after`, which runs now", h->job->name);
    if (h->job->after.argv != NULL)
        (void)run_after(h, &killed);
    else
        unmark(h);
}

/* ---- the calls ------------------------------------------------------------------------------------------------------------ */

int hooks_before(struct hooks *h, struct error *err)
{
    if (h->job->before.argv == NULL && h->job->after.argv == NULL)
        return 0;
    int rc = take_lock(h, err);
    if (rc < 0)
        return rc;
    make_up(h);
    if (h->job->after.argv != NULL && (rc = mark(h, err)) < 0)
        return rc;
    h->begun = true;
    if (h->job->before.argv == NULL)
        return 0;
    struct error why = ERROR_INIT;
    rc = run(h, BEFORE, NULL, &why);
    if (rc == 0)
        return 0;
    /* A hook that was too slow is not started again and again. */
    why.code = rc == E_RETRY ? E_IO : rc;
    (void)error_wrap(&why, "before");
    return error_copy(err, &why);
}

bool hooks_after(struct hooks *h, const struct error *why)
{
    bool good = !h->begun || h->job->after.argv == NULL || run_after(h, why);
    if (why != NULL)
        run_on_failure(h, why);
    filelock_free(h->lock);
    *h = (struct hooks){ .job = h->job };
    return good;
}

int hooks_make_up(struct hooks *h, const struct error *why, struct error *err)
{
    int rc = take_lock(h, err);
    if (rc < 0)
        return rc;
    make_up(h);
    run_on_failure(h, why);
    filelock_free(h->lock);
    *h = (struct hooks){ .job = h->job };
    return 0;
}
