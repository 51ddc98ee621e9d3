/* schedule_notes.c - from where the jobs stand in the history. */
#include "backupd/schedule_notes.h"

#include <stdio.h>
#include <stdlib.h>

#include "backupd/daemon/supervisor.h"
#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

static int take_skip(const struct history_run *r, void *arg)
{
    struct schedule_skip *skip = arg;
    if (r->verdict != HISTORY_SKIPPED)
        return 0;
    skip->due = r->due;
    skip->count = r->count;
    (void)snprintf(skip->reason, sizeof skip->reason, "%s", r->reason);
    return 0;
}

static int read_job(struct history *h, const struct crew *crew, size_t job, struct schedule_notes *n,
                    struct error *err)
{
    const char *name = crew->conf->jobs[job].name;
    const struct history_filter newest = { .job = name, .limit = 1 };
    int rc = history_job_read(h, name, &n->jobs[job], err);
    n->jobs[job].name = rc == 1 ? name : NULL;
    return rc < 0 ? rc : history_runs(h, &newest, take_skip, &n->skips[job], err);
}

int schedule_notes_read(const struct crew *crew, struct schedule_notes *out, struct error *err)
{
    struct history *h = NULL;
    struct schedule_notes n = { .crew = crew };
    char *path = path_join(crew->conf->state, SUPERVISOR_HISTORY, err);
    int rc = E_NOMEM;
    if (path != NULL && (n.jobs = mem_alloc(crew->n + 1, sizeof *n.jobs, err)) != NULL &&
        (n.skips = mem_alloc(crew->n + 1, sizeof *n.skips, err)) != NULL)
        rc = history_open_read(path, &h, err);
    if (rc == E_NOT_FOUND) { /* no daemon has run here yet */
        error_clear(err);
        rc = 0;
    }
    for (size_t i = 0; rc == 0 && h != NULL && i < crew->n; i++)
        rc = read_job(h, crew, i, &n, err);
    if (rc == 0)
        rc = waits_read(crew, h, &n.planner, err);
    history_close(h);
    free(path);
    if (rc < 0)
        schedule_notes_free(&n);
    else
        *out = n;
    return rc;
}

void schedule_notes_free(struct schedule_notes *notes)
{
    free(notes->jobs);
    free(notes->skips);
    planner_free(notes->planner);
    *notes = (struct schedule_notes){ .crew = NULL };
}

/* Whether the job has a time of its own until then, at which it may succeed. */
static bool runs_before(const struct planner_rules *r, int64_t last_due, int64_t at)
{
    int64_t t = r->calendar != NULL ? calendar_next(r->calendar, last_due) : 0;
    return t != 0 && t + r->jitter <= at;
}

/* What a job depends on, directly or through others, and speaks against its run. Circles were refused before. */
static bool look_at_depends(const struct schedule_notes *n, size_t job, int64_t at, char *out, size_t cap)
{
    const struct planner_rules *r = &n->crew->rules[job];
    for (size_t i = 0; i < r->ndepends; i++) {
        size_t on = r->depends[i];
        const struct history_job *j = &n->jobs[on];
        const char *name = n->crew->conf->jobs[on].name;
        bool again = j->running || j->due != 0 || runs_before(&n->crew->rules[on], j->last_due, at);
        bool bad = j->last == PLANNER_FAILED || j->last == PLANNER_SKIPPED;
        out[0] = '\0';
        if (j->name != NULL && j->paused && (again || bad))
            (void)snprintf(out, cap, "%s, which it depends on, is paused", name);
        else if (j->name != NULL && bad && !again)
            (void)snprintf(out, cap, "%s, which it depends on, did not succeed", name);
        else if (look_at_depends(n, on, at, out, cap) && again)
            (void)snprintf(out, cap, "%s, which it depends on, is skipped", name);
        else
            out[0] = '\0';
        if (out[0] != '\0')
            return true;
    }
    return false;
}

const char *schedule_notes_why(const struct schedule_notes *notes, size_t job, int64_t at, char *out,
                               size_t cap)
{
    out[0] = '\0';
    if (notes->jobs == NULL)
        return out;
    if (notes->jobs[job].name != NULL && notes->jobs[job].paused)
        (void)snprintf(out, cap, "the job is paused");
    else
        (void)look_at_depends(notes, job, at, out, cap);
    return out;
}
