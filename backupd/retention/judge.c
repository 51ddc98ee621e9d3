#include "backupd/retention/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/host.h"
#include "backupd/retention/judge_internal.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/zone.h"

#include "common/base/banned.h"

struct prune *judge_prune(const struct judge *j)
{
    return j->prune;
}

struct prune_snapshot *judge_snapshot(const struct judge *j, size_t i)
{
    return vec_at(prune_snapshots(j->prune), i);
}

const char *judge_name(const struct judge *j, size_t i, char out[JUDGE_NAME_MAX])
{
    const struct prune_snapshot *s = judge_snapshot(j, i);
    char label[4 * LABEL_MAX + 1];
    (void)snprintf(out, JUDGE_NAME_MAX, "%s/%u",
                   s->readable ? str_printable(label, sizeof label, s->view.label) : "?",
                   (unsigned)s->record->rec.session);
    return out;
}

void judge_alarm(struct judge *j, const char *label, const char *text)
{
    char shown[4 * LABEL_MAX + 1];
    j->alarms++;
    log_event(LOG_ALARM, "%s%s%s", str_printable(shown, sizeof shown, label), label[0] != '\0' ? ": " : "",
              text);
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static int open_prune(struct judge *j, struct error *err)
{
    struct prune_options o = {
        .backend = j->backend,
        .keys = &j->keys,
        .state_dir = j->state,
        .now = clock_wall(),
        .delete_after = j->repository->delete_after_ms / 1000,
        .silent_after = j->repository->silent_after_ms / 1000,
        .confirm_clock = cli_flag(j->cli, "confirm-clock"),
        .dry_run = j->dry,
    };
    int rc = prune_open(&o, &j->prune, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < prune_alarms(j->prune)->len; i++) {
        const struct prune_alarm *a = vec_at(prune_alarms(j->prune), i);
        char hex[2 * WRITER_ID_LEN + 1] = "";
        if (a->has_writer)
            hex_encode(hex, a->writer, WRITER_ID_LEN);
        judge_alarm(j, hex, a->text);
    }
    return 0;
}

static int prepare(struct judge *j, struct error *err)
{
    struct error why = ERROR_INIT;
    j->conf = host_configuration(j->cli, false, err);
    if (j->conf == NULL)
        return err->code;
    j->repository = conf_find_repository(j->conf, cli_text(j->cli, "repository"), err);
    if (j->repository == NULL)
        return E_USAGE;
    int rc = zone_use(j->repository->time_zone, err);
    if (rc < 0)
        return error_wrap(err, "repositories.%s.time_zone", j->repository->name);
    rc = access_retention_keys(j->repository, cli_text(j->cli, "retention-key"), true, &j->keys, &why);
    if (rc == E_NOT_FOUND)
        j->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc < 0)
        return error_copy(err, &why);
    j->backend = access_storage(&j->repository->storage, err);
    char *base = j->backend != NULL ? host_state(j->conf, j->repository, err) : NULL;
    j->state = base != NULL ? str_printf(err, "%s/retention", base) : NULL;
    free(base);
    return j->state != NULL ? 0 : err->code < 0 ? err->code : E_IO;
}

int judge_open(struct cli_context *cli, bool dry, struct judge **out, struct error *err)
{
    struct judge *j = mem_alloc(1, sizeof *j, err);
    if (j == NULL)
        return E_NOMEM;
    *j = (struct judge){ .cli = cli,
                         .dry = dry,
                         .list = VEC_OF(struct judged),
                         .asked = VEC_OF(struct policy_snapshot),
                         .verdicts = VEC_OF(struct policy_verdict),
                         .summary = { .alarms = VEC_OF(struct policy_alarm) } };
    int rc = prepare(j, err);
    if (rc == 0)
        rc = open_prune(j, err);
    if (rc == E_NOT_FOUND && cli->exit_code == 0)
        cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc < 0) {
        judge_close(j);
        return rc;
    }
    *out = j;
    return 0;
}

void judge_close(struct judge *j)
{
    if (j == NULL)
        return;
    prune_close(j->prune);
    retention_keys_free(&j->keys);
    backend_close(j->backend);
    conf_free(j->conf);
    policy_summary_free(&j->summary);
    vec_free(&j->list);
    vec_free(&j->asked);
    vec_free(&j->verdicts);
    free(j->state);
    free(j);
}

/* ---- by name ------------------------------------------------------------------------------------------- */

static bool is_called(const struct judge *j, size_t i, const char *name)
{
    const struct prune_snapshot *s = judge_snapshot(j, i);
    char hex[2 * WRITER_ID_LEN + 1];
    char text[JUDGE_NAME_MAX];
    if (strcmp(judge_name(j, i, text), name) == 0)
        return true;
    hex_encode(hex, s->writer->id, WRITER_ID_LEN);
    (void)snprintf(text, sizeof text, "%s/%u", hex, (unsigned)s->record->rec.session);
    return strcmp(text, name) == 0;
}

int judge_find(const struct judge *j, const char *name, size_t *out, struct error *err)
{
    size_t found = 0;
    char shown[JUDGE_NAME_MAX];
    for (size_t i = 0; i < prune_snapshots(j->prune)->len; i++) {
        if (!is_called(j, i, name))
            continue;
        *out = i;
        found++;
    }
    (void)str_printable(shown, sizeof shown, name);
    if (found == 0)
        return error_set(err, E_NOT_FOUND,
                         "there is no snapshot '%s' in repository %s; `backupd expire --dry-run` lists them",
                         shown, j->repository->name);
    if (found > 1)
        return error_set(err, E_USAGE,
                         "%zu snapshots are called '%s': name the writer, as in 0123456789abcdef/7", found,
                         shown);
    return 0;
}

/* ---- the policy ---------------------------------------------------------------------------------------- */

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
                            .max_new = k->max_new };
    return true;
}

struct policy_run judge_run(const struct judge *j, uint64_t now, uint64_t last_run)
{
    return (struct policy_run){ .now = now,
                                .last_run = last_run,
                                .min_keep_days = repo_charter(prune_repo(j->prune))->min_keep_days,
                                .zone = zone_offset };
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
    int rc = collect(j, err);
    if (rc == 0)
        rc = policy_decide(&run, j->asked.data, j->asked.len, j->verdicts.data, &j->summary, err);
    for (size_t i = 0; rc == 0 && i < j->verdicts.len; i++)
        if (((const struct policy_verdict *)vec_at(&j->verdicts, i))->expire)
            rc = decide(j, i, err);
    for (size_t i = 0; rc == 0 && i < j->summary.alarms.len; i++)
        tell(j, vec_at(&j->summary.alarms, i));
    j->judged_by_policy = rc == 0;
    return rc;
}

int judge_verdict(const struct judge *j, struct error *err)
{
    if (j->alarms == 0)
        return 0;
    return error_set(err, E_CONFLICT, "%zu %s (see above)", j->alarms, plural(j->alarms, "alarm", "alarms"));
}
