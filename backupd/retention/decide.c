/* The rules asked, and what they say taken over into the run. */
#include <stdio.h>
#include <string.h>

#include "backupd/retention/judge_internal.h"
#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

bool judge_rules(const struct judge *j, const char *label, struct policy *out)
{
    const struct conf_keep *k = conf_keep_of(j->conf, j->repository, label);
    if (k == NULL)
        return false;
    *out = (struct policy){ .last = k->last,
                            .hourly = k->hourly,
                            .daily = k->daily,
                            .weekly = k->weekly,
                            .monthly = k->monthly,
                            .yearly = k->yearly,
                            .within = k->within_ms / 1000,
                            .tags = k->tags.names,
                            .floor = k->min,
                            .erase_after = k->erase_after_ms / 1000,
                            .max_share = k->max_share,
                            .max_new = k->max_new,
                            .proven = k->proven };
    return true;
}

struct policy_run judge_run(const struct judge *j, uint64_t now, uint64_t last_run)
{
    return (struct policy_run){ .now = now,
                                .last_run = last_run,
                                .min_keep_days = repo_charter(prune_repo(j->prune))->min_keep_days,
                                .zone = policy_local_zone };
}

/* The policy clock of retention record k; 0 when there is no such record. */
static uint64_t clock_of(const struct repo *repo, uint32_t k)
{
    return k != 0 && k <= repo->retention.len
               ? ((const struct repo_retention *)vec_at(&repo->retention, k - 1))->clock
               : 0;
}

static struct policy_snapshot ask(const struct judge *j, const struct prune_snapshot *s)
{
    const struct repo *repo = prune_repo(j->prune);
    const struct charter_writer *line = charter_writer_last(repo_charter(repo), s->writer->id);
    uint32_t k = s->record->first_seen;
    struct policy_snapshot p = {
        .seq = s->seq,
        .first_seen = clock_of(repo, k),
        .seen_after = k > 1 ? clock_of(repo, k - 1) : 0,
        .cadence_hours = line != NULL ? line->cadence_hours : 0,
        .held = s->held,
        .newest = s->newest,
        .retired = charter_writer_retired(repo_charter(repo), s->writer->id),
        .proven = judge_proven(j, s),
        .unreadable = !s->readable,
        .unique = s->unique,
    };
    memcpy(p.writer, s->writer->id, WRITER_ID_LEN);
    if (s->readable) {
        char anomaly[2];
        p.label = s->view.label;
        p.notes = s->view.notes;
        p.incomplete = fact_has(s->view.notes, "incomplete", "1");
        p.anomalous = fact_get(s->view.notes, "anomaly", anomaly, sizeof anomaly);
    }
    return p;
}

static int collect(struct judge *j, struct error *err)
{
    for (size_t i = 0; i < prune_snapshots(j->prune)->len; i++) {
        const struct prune_snapshot *s = judge_snapshot(j, i);
        if (s->state != PRUNE_LIVE)
            continue;
        struct judged *one = vec_push(&j->list, err);
        struct policy_snapshot *question = one != NULL ? vec_push(&j->asked, err) : NULL;
        if (question == NULL || vec_push(&j->verdicts, err) == NULL)
            return E_NOMEM;
        one->at = i;
        one->has_rules = s->readable && judge_rules(j, s->view.label, &one->rules);
        *question = ask(j, s);
    }
    for (size_t i = 0; i < j->list.len; i++) {
        const struct judged *one = vec_at(&j->list, i);
        ((struct policy_snapshot *)vec_at(&j->asked, i))->rules = one->has_rules ? &one->rules : NULL;
    }
    return 0;
}

/* What the protocol does not allow now stays, and says why. */
static int decide(struct judge *j, size_t i, struct error *err)
{
    struct policy_verdict *v = vec_at(&j->verdicts, i);
    struct error why = ERROR_INIT;
    int rc = prune_decide(j->prune, ((const struct judged *)vec_at(&j->list, i))->at, RETENTION_EXPIRE,
                          v->early, &why);
    if (rc == 0)
        return 0;
    if (rc != E_USAGE && rc != E_CONFLICT)
        return error_copy(err, &why);
    v->expire = false;
    v->rule = POLICY_STOPPED;
    v->rules = 1u << POLICY_STOPPED;
    (void)snprintf(v->reason, sizeof v->reason, "would go, but not in this run: %.*s", POLICY_REASON_MAX - 40,
                   why.text);
    j->summary.expire--;
    j->summary.kept++;
    j->summary.waiting++;
    return 0;
}

/* What a person decided, or has been told before, is no alarm again. */
static void tell(struct judge *j, const struct policy_alarm *a)
{
    char shown[4 * LABEL_MAX + 1];
    if (a->kind == POLICY_ALARM_UNSORTED || a->kind == POLICY_ALARM_HELD)
        log_event(LOG_WARN, "%s: %s", str_printable(shown, sizeof shown, a->label), a->text);
    else
        judge_alarm(j, a->label, a->text);
}

int judge_policy(struct judge *j, struct error *err)
{
    const struct repo_retention *last = repo_retention_head(prune_repo(j->prune));
    struct policy_run run = judge_run(j, prune_time(j->prune), last != NULL ? last->clock : 0);
    if (!prune_clock_trusted(j->prune))
        run.stopped = "this host's clock is not trusted";
    int rc = judge_read_proven(j, err);
    if (rc == 0)
        rc = collect(j, err);
    if (rc == 0)
        rc = judge_needs_evidence(j, err);
    if (j->proven_unknown)
        run.stopped = "the evidence of drills cannot be read";
    if (rc == 0)
        rc = policy_decide(&run, j->asked.data, j->asked.len, j->verdicts.data, &j->summary, err);
    for (size_t i = 0; rc == 0 && i < j->verdicts.len; i++)
        if (((const struct policy_verdict *)vec_at(&j->verdicts, i))->expire)
            rc = decide(j, i, err);
    for (size_t i = 0; rc == 0 && i < j->summary.alarms.len; i++)
        tell(j, vec_at(&j->summary.alarms, i));
    j->judged_by_policy = rc == 0;
    if (rc == 0)
        j->suspicious = judge_suspicious(j);
    return rc;
}

int judge_verdict(const struct judge *j, struct error *err)
{
    if (j->alarms == 0)
        return 0;
    return error_set(err, E_CONFLICT, "%zu %s (see above)", j->alarms, plural(j->alarms, "alarm", "alarms"));
}
