#include "backupd/retention/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/host.h"
#include "backupd/retention/judge_internal.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/zone.h"

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
    int rc = zone_set(j->repository->time_zone, err);
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
    vec_free(&j->proven);
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
