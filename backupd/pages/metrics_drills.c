/* Restore drills, for Prometheus. */
#include <inttypes.h>

#include "backupd/pages/metrics_internal.h"

#include "common/base/banned.h"

/* name{job_name="...",drill="...",repository="..."[,verdict="..."]} */
static void of_drill(struct metrics *m, const char *name, const struct drill_stand *s, const char *verdict)
{
    metrics_put(m, name);
    metrics_label(m, "{", "job_name", s->job);
    metrics_label(m, ",", "drill", s->drill != NULL ? s->drill : "");
    metrics_label(m, ",", "repository", s->repository);
    if (verdict != NULL)
        metrics_label(m, ",", "verdict", verdict);
    metrics_put(m, "}");
}

static int64_t drill_expected(const struct view_drill *d)
{
    return d->stand->drill != NULL;
}

static int64_t drill_last(const struct view_drill *d)
{
    return d->stand->any ? d->stand->finished : -1;
}

static int64_t drill_pass(const struct view_drill *d)
{
    return d->stand->last_pass != 0 ? d->stand->last_pass : -1;
}

static int64_t drill_stale_after(const struct view_drill *d)
{
    return d->stand->every != 0 ? (int64_t)d->stand->every : -1;
}

static int64_t drill_target(const struct view_drill *d)
{
    return d->stand->any && d->stand->rto_target_seconds > 0 ? d->stand->rto_target_seconds : -1;
}

static int64_t drill_next(const struct view_drill *d)
{
    return d->next != 0 ? d->next : -1;
}

static const struct {
    const char *name;
    const char *help;
    int64_t (*number)(const struct view_drill *d); /* -1: not known, nothing is written */
} drill_numbers[] = {
    { "backupd_drill_expected", "1 for a drill of the configuration, 0 for one that was made beside them.",
      drill_expected },
    { "backupd_drill_last_timestamp_seconds", "End of the last drill.", drill_last },
    { "backupd_drill_last_pass_timestamp_seconds", "End of the last drill that passed.", drill_pass },
    { "backupd_drill_stale_after_seconds", "How old that may become (every).", drill_stale_after },
    { "backupd_drill_rto_target_seconds",
      "How long the last one might have taken until the data could be queried.", drill_target },
    { "backupd_drill_next_timestamp_seconds", "When a task of the daemon makes it next.", drill_next },
};

static void drill_verdicts(struct metrics *m)
{
    metrics_family(m, "backupd_drill_last_verdict", "gauge",
                   "1 for the verdict of the last drill, 0 for the others.");
    for (size_t i = 0; i < m->view->drills.len; i++) {
        const struct drill_stand *s = ((const struct view_drill *)vec_at(&m->view->drills, i))->stand;
        for (int v = DRILLS_PASS; v <= DRILLS_COULD_NOT_RUN && s->any; v++) {
            of_drill(m, "backupd_drill_last_verdict", s, drills_verdict_name((enum drills_verdict)v));
            metrics_number(m, (int)s->verdict == v);
        }
    }
}

void metrics_drills(struct metrics *m)
{
    for (size_t f = 0; f < sizeof drill_numbers / sizeof drill_numbers[0]; f++) {
        metrics_family(m, drill_numbers[f].name, "gauge", drill_numbers[f].help);
        for (size_t i = 0; i < m->view->drills.len; i++) {
            const struct view_drill *d = vec_at(&m->view->drills, i);
            int64_t value = drill_numbers[f].number(d);
            if (value < 0)
                continue;
            of_drill(m, drill_numbers[f].name, d->stand, NULL);
            metrics_number(m, value);
        }
    }
    drill_verdicts(m);
    metrics_family(m, "backupd_drill_rto_seconds", "gauge",
                   "How long the last drill took until the data could be queried.");
    for (size_t i = 0; i < m->view->drills.len; i++) {
        const struct drill_stand *s = ((const struct view_drill *)vec_at(&m->view->drills, i))->stand;
        if (!s->any || s->rto_ms <= 0)
            continue;
        of_drill(m, "backupd_drill_rto_seconds", s, NULL);
        if (m->rc == 0)
            m->rc =
                buf_printf(m->out, m->err, " %" PRId64 ".%03d\n", s->rto_ms / 1000, (int)(s->rto_ms % 1000));
    }
}
