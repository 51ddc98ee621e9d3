/* Jobs whose newest snapshots were found suspicious by the host that made them: they push out nothing, and people hear it. */
#include <string.h>

#include "backupd/retention/judge_internal.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

static const struct prune_snapshot *snapshot_of(const struct judge *j, size_t i)
{
    return judge_snapshot(j, ((const struct judged *)vec_at(&j->list, i))->at);
}

static bool same_job(const struct policy_snapshot *a, const struct policy_snapshot *b)
{
    return a->label != NULL && b->label != NULL && strcmp(a->label, b->label) == 0;
}

/* Snapshots of a job: how many at the end are suspicious, and the last one that is not. */
struct end {
    size_t suspicious;
    size_t good; /* in the list */
    bool has_good;
};

static bool is_newest(const struct judge *j, size_t i)
{
    const struct policy_snapshot *one = vec_at(&j->asked, i);
    for (size_t k = 0; k < j->asked.len; k++) {
        uint64_t time = same_job(one, vec_at(&j->asked, k)) ? snapshot_of(j, k)->view.finished : 0;
        uint64_t mine = snapshot_of(j, i)->view.finished;
        if (time > mine || (time == mine && k > i))
            return false;
    }
    return true;
}

static struct end end_of(const struct judge *j, size_t newest)
{
    struct end e = { .suspicious = 0 };
    const struct policy_snapshot *one = vec_at(&j->asked, newest);
    for (size_t k = 0; k < j->asked.len; k++) {
        const struct policy_snapshot *s = vec_at(&j->asked, k);
        if (!same_job(one, s) || s->anomalous)
            continue;
        if (!e.has_good || snapshot_of(j, k)->view.finished > snapshot_of(j, e.good)->view.finished)
            e.good = k;
        e.has_good = true;
    }
    for (size_t k = 0; k < j->asked.len; k++) {
        const struct policy_snapshot *s = vec_at(&j->asked, k);
        e.suspicious +=
            same_job(one, s) && s->anomalous &&
            (!e.has_good || snapshot_of(j, k)->view.finished > snapshot_of(j, e.good)->view.finished);
    }
    return e;
}

size_t judge_suspicious(const struct judge *j)
{
    size_t jobs = 0;
    for (size_t i = 0; i < j->asked.len; i++) {
        const struct policy_snapshot *s = vec_at(&j->asked, i);
        char label[4 * LABEL_MAX + 1];
        char good[JUDGE_NAME_MAX];
        char time[NUMBER_TEXT_MAX];
        if (s->label == NULL || !s->anomalous || !is_newest(j, i))
            continue;
        struct end e = end_of(j, i);
        jobs++;
        (void)str_printable(label, sizeof label, s->label);
        if (!e.has_good)
            log_event(LOG_WARN,
                      "%s: all of its snapshots are marked as suspicious by the host that made them", label);
        else
            log_event(
                LOG_WARN,
                "%s: its newest %zu %s marked as suspicious by the host that made %s, and push%s out no other; "
                "the last one that is not is %s of %s",
                label, e.suspicious, plural(e.suspicious, "snapshot is", "snapshots are"),
                plural(e.suspicious, "it", "them"), e.suspicious == 1 ? "es" : "",
                judge_name(j, ((const struct judged *)vec_at(&j->list, e.good))->at, good),
                time_format(time, snapshot_of(j, e.good)->view.finished));
    }
    return jobs;
}
