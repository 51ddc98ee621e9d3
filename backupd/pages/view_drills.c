/* Restore drills: how each stands, until when it has to pass, and when the daemon drills it next. */
#include <stdlib.h>
#include <string.h>

#include "backupd/pages/view_internal.h"
#include "common/base/str.h"

#include "common/base/banned.h"

/* "--drill NAME" or "--drill=NAME" among the arguments of a task. */
static bool names_drill(const struct conf_job *task, const char *drill)
{
    static const char option[] = "--drill";
    for (size_t i = 0; i < task->arguments.n; i++) {
        const char *word = task->arguments.names[i];
        const char *rest = str_starts(word, option) ? word + sizeof option - 1 : NULL;
        const char *name = rest == NULL                                   ? NULL
                           : rest[0] == '='                               ? rest + 1
                           : rest[0] == '\0' && i + 1 < task->arguments.n ? task->arguments.names[i + 1]
                                                                          : NULL;
        if (name != NULL && strcmp(name, drill) == 0)
            return true;
    }
    return false;
}

/* "shop/latest" is of shop. */
static bool selects_job(const struct conf_job *task, const char *job)
{
    size_t len = strlen(job);
    return task->selector != NULL && strncmp(task->selector, job, len) == 0 && task->selector[len] == '/';
}

static int64_t next_of(const struct view *view, const struct crew *crew, const struct drill_stand *s)
{
    int64_t best = 0;
    for (size_t i = 0; i < crew->n; i++) {
        const struct conf_job *task = &crew->conf->jobs[i];
        const struct view_job *job = vec_at(&view->jobs, i);
        bool its = task->task == CONF_TASK_DRILL &&
                   (s->drill != NULL ? names_drill(task, s->drill) : selects_job(task, s->job));
        if (its && !job->paused && job->next != 0 && (best == 0 || job->next < best))
            best = job->next;
    }
    return best;
}

int view_add_drills(struct view *view, const struct crew *crew, struct error *err)
{
    const struct drills_file *f = view->options.drills;
    struct error why = ERROR_INIT;
    const struct drill_stand_options options = {
        .conf = crew->conf, .drills = f != NULL ? f->drills : NULL, .now = view->options.now, .others = true
    };
    view->drills_known = f != NULL && f->why.code == 0;
    if (!view->drills_known)
        return 0;
    int rc = drill_stands(&options, &view->stands, &why);
    if (rc == E_NOMEM)
        return error_copy(err, &why);
    view->drills_known = rc == 0;
    for (size_t i = 0; rc == 0 && i < view->stands.len; i++) {
        const struct drill_stand *s = vec_at(&view->stands, i);
        struct view_drill *d = vec_push(&view->drills, err);
        if (d == NULL)
            return E_NOMEM;
        *d = (struct view_drill){ .stand = s, .next = next_of(view, crew, s) };
        if (s->every != 0 && s->last_pass != 0)
            d->due_by = s->last_pass + (int64_t)s->every;
    }
    return 0;
}
