/* What waits, for the page: in a planner of its own, for the daemon's goes on. */
#include "backupd/daemon/waits.h"
#include "backupd/pages/view_internal.h"
#include "common/base/str.h"

#include "common/base/banned.h"

int view_add_waits(struct view *view, struct history *h, struct error *err)
{
    char text[WAITS_TEXT_MAX];
    int rc = waits_read(view->crew, h, &view->planner, err);
    for (size_t i = 0; rc == 0 && i < view->jobs.len; i++) {
        struct view_job *job = vec_at(&view->jobs, i);
        if (waits_line(view->crew, view->planner, i, view->options.now, text)[0] == '\0')
            continue;
        job->waits = str_dup(text, err);
        rc = job->waits != NULL ? 0 : E_NOMEM;
    }
    return rc;
}
