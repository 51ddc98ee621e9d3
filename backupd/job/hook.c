#include "backupd/job/hook.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/child.h"
#include "common/sys/filelock.h"

#include "common/base/banned.h"

static int run(const struct hooks *h, const char *which, const char *result, struct error *err)
{
    bool after = result != NULL;
    const struct conf_command *command = after ? &h->job->after : &h->job->before;
    char *job = str_printf(err, "BACKUPD_JOB=%s", h->job->name);
    char *hook = str_printf(err, "BACKUPD_HOOK=%s", which);
    char *end = str_printf(err, "BACKUPD_RESULT=%s", after ? result : "");
    int rc = E_NOMEM;
    if (job != NULL && hook != NULL && end != NULL) {
        const char *const env[] = { job, hook, after ? end : NULL, NULL };
        const struct child_options options = { .env = env,
                                               .outlives_stop = after,
                                               .timeout_ms = h->job->hook_timeout_ms };
        log_event(LOG_INFO, "job %s: runs `%s` (%s)", h->job->name, which, command->argv[0]);
        rc = child_run(command->argv, &options, NULL, 0, err);
    }
    free(job);
    free(hook);
    free(end);
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

int hooks_before(struct hooks *h, struct error *err)
{
    if (h->job->before.argv == NULL && h->job->after.argv == NULL)
        return 0;
    int rc = take_lock(h, err);
    if (rc < 0)
        return rc;
    h->begun = true;
    if (h->job->before.argv == NULL)
        return 0;
    struct error why = ERROR_INIT;
    rc = run(h, "before", NULL, &why);
    if (rc == 0)
        return 0;
    /* A hook that was too slow is not started again and again. */
    why.code = rc == E_RETRY ? E_IO : rc;
    (void)error_wrap(&why, "before");
    return error_copy(err, &why);
}

bool hooks_after(struct hooks *h, bool published)
{
    struct error why = ERROR_INIT;
    int rc = 0;
    if (h->begun && h->job->after.argv != NULL)
        rc = run(h, "after", published ? "published" : "failed", &why);
    if (rc < 0)
        log_event(LOG_WARN, "job %s: `after` failed (%s): what it should undo may still be there",
                  h->job->name, why.text);
    filelock_free(h->lock);
    *h = (struct hooks){ .job = h->job };
    return rc == 0;
}
