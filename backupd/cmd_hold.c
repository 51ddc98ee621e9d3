/* backupd hold, release, revive: what a person decides about single snapshots. */
#include <stdlib.h>
#include <string.h>

#include "backupd/retention/judge.h"
#include "backupd/verbs.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

const struct cli_option hold_options[] = {
    { .name = "until",
      .kind = CLI_STRING,
      .metavar = "YYYY-MM-DD",
      .help =
          "How long, as far as is known. It is only noted: a hold ends when somebody releases it; from this day on "
          "`backupd expire` says that it could be." },
    RETENTION_WHO_OPTIONS,
    RETENTION_OPTIONS,
    CLI_OPTIONS_END
};
const struct cli_option release_options[] = { RETENTION_WHO_OPTIONS, RETENTION_OPTIONS, CLI_OPTIONS_END };
const struct cli_option revive_options[] = { RETENTION_WHO_OPTIONS, RETENTION_OPTIONS, CLI_OPTIONS_END };

/* What was asked for is there already: nothing to publish. */
static bool is_so(const struct judge *j, size_t i, enum retention_op_kind op)
{
    const struct prune_snapshot *s = vec_at(prune_snapshots(judge_prune(j)), i);
    return op == RETENTION_RELEASE && !s->held;
}

static int decide_one(struct judge *j, const char *name, enum retention_op_kind op, struct error *err)
{
    size_t at = 0;
    int rc = judge_find(j, name, &at, err);
    if (rc == 0 && is_so(j, at, op))
        return error_set(err, E_USAGE, "%s is not held", name);
    if (rc == 0)
        rc = prune_decide(judge_prune(j), at, op, true, err);
    return rc;
}

static int decide(struct cli_context *cli, enum retention_op_kind op, const char *what, const char *until,
                  struct error *err)
{
    struct judge *j = NULL;
    char *note = judge_note(cli, what, until, err);
    if (note == NULL)
        return err->code;
    int rc = judge_open(cli, false, &j, err);
    for (size_t i = 0; i < cli->nargs && rc == 0; i++)
        rc = decide_one(j, cli->args[i], op, err);
    if (rc == 0)
        rc = judge_publish(j, note, err);
    for (size_t i = 0; i < cli->nargs && rc == 0 && !cli->json; i++)
        out_line(&cli->out, OUT_GOOD, "%s %s.", cli->args[i],
                 op == RETENTION_HOLD      ? "is held"
                 : op == RETENTION_RELEASE ? "is released"
                                           : "is live again");
    if (rc == 0)
        rc = judge_verdict(j, err);
    judge_close(j);
    free(note);
    return rc;
}

static bool is_date(const char *s)
{
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
            return false;
    return s[sizeof form - 1] == '\0';
}

int cmd_hold(struct cli_context *cli, struct error *err)
{
    const char *until = cli_text(cli, "until");
    if (until != NULL && !is_date(until))
        return error_set(err, E_USAGE, "--until: expected a day like 2027-12-31");
    return decide(cli, RETENTION_HOLD, "hold", until, err);
}

int cmd_release(struct cli_context *cli, struct error *err)
{
    return decide(cli, RETENTION_RELEASE, "release", NULL, err);
}

int cmd_revive(struct cli_context *cli, struct error *err)
{
    return decide(cli, RETENTION_REVIVE, "revive", NULL, err);
}
