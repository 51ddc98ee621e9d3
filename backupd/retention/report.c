/* Tables and lines of JSON: what stays and goes, and what a run did. */
#include <stdio.h>
#include <string.h>

#include "backupd/retention/judge_internal.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

const char *judge_date(char out[JUDGE_DATE_MAX], uint64_t t)
{
    char text[32];
    (void)snprintf(out, JUDGE_DATE_MAX, "%.10s", zone_format(text, (int64_t)t));
    return out;
}

/* ---- snapshots ----------------------------------------------------------------------------------------- */

/* The reason, and for a hold who and why. */
static const char *reason_of(const struct judge *j, size_t i, char out[JUDGE_HOLD_MAX + POLICY_REASON_MAX])
{
    const struct judged *one = vec_at(&j->list, i);
    const struct policy_verdict *v = vec_at(&j->verdicts, i);
    char hold[JUDGE_HOLD_MAX] = "";
    bool overdue = false;
    if (judge_snapshot(j, one->at)->held)
        (void)judge_hold_text(j, one->at, hold, &overdue);
    (void)snprintf(out, JUDGE_HOLD_MAX + POLICY_REASON_MAX, "%s%s%s%s%s", v->reason,
                   hold[0] != '\0' ? " (" : "", hold, hold[0] != '\0' ? ")" : "",
                   overdue ? "; its date has passed: release it?" : "");
    return out;
}

/* As its writer found it; expire asks the policy with it. */
static bool is_suspicious(const struct judge *j, size_t i)
{
    return i < j->asked.len && ((const struct policy_snapshot *)vec_at(&j->asked, i))->anomalous;
}

static int snapshot_json(const struct judge *j, size_t i, struct error *err)
{
    const struct judged *one = vec_at(&j->list, i);
    const struct policy_verdict *v = vec_at(&j->verdicts, i);
    const struct prune_snapshot *s = judge_snapshot(j, one->at);
    char name[JUDGE_NAME_MAX];
    char hex[2 * WRITER_ID_LEN + 1];
    char reason[JUDGE_HOLD_MAX + POLICY_REASON_MAX];
    struct jsonout *o = jsonout_new("verdict");
    hex_encode(hex, s->writer->id, WRITER_ID_LEN);
    jsonout_str(o, "id", judge_name(j, one->at, name));
    jsonout_str(o, "repository", j->repository->name);
    jsonout_str(o, "writer", hex);
    jsonout_u64(o, "record", s->seq);
    jsonout_time(o, "time", s->readable ? s->view.finished : s->record->rec.time);
    jsonout_time(o, "first_seen", s->record->first_seen != 0 ? s->first_seen : 0);
    jsonout_time(o, "counts_as", v->counts_as);
    jsonout_str(o, "action", v->expire ? "expire" : "keep");
    jsonout_str(o, "rule", policy_rule_name(v->rule));
    struct jsonout *rules = jsonout_array(o, "rules");
    for (unsigned r = 0; r < POLICY_RULES; r++)
        if ((v->rules & 1u << r) != 0)
            jsonout_str(rules, NULL, policy_rule_name((enum policy_rule)r));
    jsonout_str(o, "reason", reason_of(j, i, reason));
    jsonout_bool(o, "suspicious", is_suspicious(j, i));
    jsonout_u64(o, "unique", s->unique);
    return jsonout_emit(o, err);
}

/* When it was made, as the writer says: what people know it by. Nothing is decided by it. */
static const char *made(const struct prune_snapshot *s, char out[NUMBER_TEXT_MAX])
{
    (void)time_format(out, s->readable ? s->view.finished : s->record->rec.time);
    return out;
}

static void snapshot_row(const struct judge *j, struct table *t, size_t i)
{
    const struct judged *one = vec_at(&j->list, i);
    const struct policy_verdict *v = vec_at(&j->verdicts, i);
    const struct prune_snapshot *s = judge_snapshot(j, one->at);
    enum out_style style = v->expire ? OUT_DIM : OUT_PLAIN;
    char name[JUDGE_NAME_MAX];
    char date[JUDGE_DATE_MAX];
    char size[NUMBER_TEXT_MAX];
    char time[NUMBER_TEXT_MAX];
    char reason[JUDGE_HOLD_MAX + POLICY_REASON_MAX];
    table_cell(t, v->expire ? OUT_DIM : OUT_BOLD, "%s", judge_name(j, one->at, name));
    table_cell(t, style, "%s", made(s, time));
    table_cell(t, style, "%s", s->record->first_seen != 0 ? judge_date(date, s->first_seen) : "now");
    table_cell(t, style, "%s", s->readable ? size_format(size, s->unique) : "-");
    table_cell(t, v->expire || is_suspicious(j, i) ? OUT_WARN : OUT_GOOD, "%s%s",
               v->expire ? "expires" : "stays", is_suspicious(j, i) ? ", suspicious" : "");
    table_cell(t, style, "%s", reason_of(j, i, reason));
}

/* Expired before, and not deleted yet. */
static size_t count_expired(const struct judge *j)
{
    size_t n = 0;
    for (size_t i = 0; i < prune_snapshots(j->prune)->len; i++)
        n += judge_snapshot(j, i)->state == PRUNE_EXPIRED;
    return n;
}

static void sum_line(const struct judge *j)
{
    const struct policy_summary *s = &j->summary;
    const struct out *out = &j->cli->out;
    size_t expired = count_expired(j);
    char a[NUMBER_TEXT_MAX];
    char b[NUMBER_TEXT_MAX];
    char c[NUMBER_TEXT_MAX];
    out_line(out, OUT_PLAIN, "%s of %s live snapshots stay, %s%s.", count_format(a, s->kept),
             count_format(b, s->live), s->expire == 0 ? "none expires" : count_format(c, s->expire),
             s->expire == 0   ? ""
             : s->expire == 1 ? " expires"
                              : " expire");
    if (s->waiting != 0)
        out_line(out, OUT_PLAIN, "%s more would go, but not in this run.", count_format(a, s->waiting));
    if (expired != 0)
        out_line(out, OUT_PLAIN,
                 "%s expired earlier and %s not deleted yet (`backupd revive` brings back what expired).",
                 count_format(a, expired), plural(expired, "is", "are"));
}

/* A "daily 2026-11-04" of what was made on the first is hard to believe: where that happens it is explained, by the first one. */
static void explain_days(const struct judge *j, bool all)
{
    const uint32_t of_calendar = 1u << POLICY_HOURLY | 1u << POLICY_DAILY | 1u << POLICY_WEEKLY |
                                 1u << POLICY_MONTHLY | 1u << POLICY_YEARLY;
    for (size_t i = 0; all && i < j->list.len; i++) {
        const struct judged *one = vec_at(&j->list, i);
        const struct policy_verdict *v = vec_at(&j->verdicts, i);
        const struct prune_snapshot *s = judge_snapshot(j, one->at);
        char name[JUDGE_NAME_MAX];
        char day[2][JUDGE_DATE_MAX];
        (void)judge_date(day[0], s->readable ? s->view.finished : s->record->rec.time);
        (void)judge_date(day[1], v->counts_as);
        if ((v->rules & of_calendar) == 0 || strcmp(day[0], day[1]) == 0)
            continue;
        out_line(
            &j->cli->out, OUT_DIM,
            "The days in the last column are those by which the rules count: when a run of expire saw a snapshot first, "
            "and for those that one run met together, spread over the time before it; never what the backup host's clock "
            "says. So %s, made on %s, counts as of %s.",
            judge_name(j, one->at, name), day[0], day[1]);
        return;
    }
}

int judge_report(struct judge *j, bool all, struct error *err)
{
    struct table *t = table_new(err);
    int rc = 0;
    table_column(t, "snapshot", false);
    table_column(t, "made", false);
    table_column(t, "first seen", false);
    table_column(t, "alone needs", true);
    table_column(t, "", false);
    table_column(t, "why", false);
    for (size_t i = 0; rc == 0 && i < j->list.len; i++) {
        const struct policy_verdict *v = vec_at(&j->verdicts, i);
        if (!all && !v->expire)
            continue;
        if (j->cli->json)
            rc = snapshot_json(j, i, err);
        else
            snapshot_row(j, t, i);
    }
    if (rc == 0 && !j->cli->json && table_rows(t) > 0)
        rc = table_print(t, &j->cli->out, err);
    if (rc == 0 && !j->cli->json) {
        explain_days(j, all);
        sum_line(j);
    }
    table_free(t);
    return rc;
}

/* ---- the run ------------------------------------------------------------------------------------------- */

static int plan_json(const struct judge *j, const struct prune_plan *p, struct error *err)
{
    struct jsonout *o = jsonout_new("summary");
    jsonout_str(o, "repository", j->repository->name);
    jsonout_bool(o, "dry_run", j->dry);
    jsonout_bool(o, "stopped", p->stopped);
    jsonout_bool(o, "clock_untrusted", p->clock_untrusted);
    jsonout_time(o, "policy_clock", p->time);
    jsonout_u64(o, "record", p->seq);
    if (j->judged_by_policy) {
        jsonout_u64(o, "live", j->summary.live);
        jsonout_u64(o, "kept", j->summary.kept);
        jsonout_u64(o, "waiting", j->summary.waiting);
        jsonout_u64(o, "suspicious_jobs", j->suspicious);
    }
    jsonout_u64(o, "expired", p->expires);
    jsonout_u64(o, "frees", j->frees);
    jsonout_u64(o, "revived", p->revives);
    jsonout_u64(o, "condemned", p->condemned);
    jsonout_u64(o, "condemned_bytes", p->condemned_bytes);
    jsonout_u64(o, "deleted", p->deleted);
    jsonout_u64(o, "deleted_bytes", p->deleted_bytes);
    jsonout_u64(o, "removed", j->dry ? p->removes : p->removed);
    jsonout_u64(o, "removed_bytes", j->dry ? p->removes_bytes : p->removed_bytes);
    jsonout_u64(o, "waiting_objects", p->waiting);
    jsonout_u64(o, "waiting_bytes", p->waiting_bytes);
    jsonout_u64(o, "live_bytes", p->live_bytes);
    jsonout_u64(o, "stored_bytes", p->stored_bytes);
    jsonout_u64(o, "alarms", j->alarms);
    return jsonout_emit(o, err);
}

static void add_files(struct table *t, const char *what, uint64_t files, uint64_t bytes, const char *more)
{
    char n[NUMBER_TEXT_MAX];
    char size[NUMBER_TEXT_MAX];
    if (files != 0)
        pairs_add(t, what, OUT_PLAIN, "%s %s, %s%s", count_format(n, files), plural(files, "file", "files"),
                  size_format(size, bytes), more);
}

static int plan_text(const struct judge *j, const struct prune_plan *p, struct error *err)
{
    struct table *t = pairs_new(err);
    char n[NUMBER_TEXT_MAX];
    char size[NUMBER_TEXT_MAX];
    if (p->expires != 0)
        pairs_add(t, j->dry ? "would free" : "frees", OUT_PLAIN, "%s, once it is deleted",
                  size_format(size, j->frees));
    if (p->stopped)
        pairs_add(t, "stopped", OUT_BAD, "nothing expires and nothing is deleted: see the alarms");
    add_files(t, "condemned", p->condemned, p->condemned_bytes, ": no live snapshot needs them");
    add_files(t, "waiting", p->waiting, p->waiting_bytes, ": to be deleted by a later run");
    add_files(t, j->dry ? "to remove" : "removed", j->dry ? p->removes : p->removed,
              j->dry ? p->removes_bytes : p->removed_bytes, "");
    if (p->live_bytes <= p->stored_bytes)
        pairs_add(t, "stored", OUT_PLAIN, "%s, of which live snapshots need %s",
                  size_format(size, p->stored_bytes), size_format(n, p->live_bytes));
    else
        pairs_add(t, "stored", OUT_BAD,
                  "%s, but live snapshots need %s: files are missing (`restore verify` names them)",
                  size_format(size, p->stored_bytes), size_format(n, p->live_bytes));
    if (!j->dry && p->seq != 0)
        pairs_add(t, "record", OUT_PLAIN, "%u of the retention log", (unsigned)p->seq);
    int rc = table_print(t, &j->cli->out, err);
    table_free(t);
    if (rc == 0 && p->clock_untrusted)
        out_line(&j->cli->out, OUT_BAD,
                 "Look at a clock you trust. If this host's is right, run it again with --confirm-clock.");
    if (rc == 0 && j->dry)
        out_line(&j->cli->out, OUT_DIM, "Nothing was changed.");
    return rc;
}

/* Alarms that came up while it ran. */
static void new_alarms(struct judge *j, size_t known)
{
    for (size_t i = known; i < prune_alarms(j->prune)->len; i++)
        judge_alarm(j, "", ((const struct prune_alarm *)vec_at(prune_alarms(j->prune), i))->text);
}

int judge_publish(struct judge *j, const char *note, struct error *err)
{
    struct prune_plan plan;
    size_t known = prune_alarms(j->prune)->len;
    int rc = prune_forecast(j->prune, NULL, 0, &j->frees, err);
    if (rc == 0)
        rc = j->dry ? prune_plan(j->prune, &plan, err) : prune_run(j->prune, note, &plan, err);
    new_alarms(j, known);
    if (rc < 0)
        return rc;
    return j->cli->json ? plan_json(j, &plan, err) : plan_text(j, &plan, err);
}
