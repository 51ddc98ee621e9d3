/* backupd expire: what the rules say goes; or one snapshot, by name. */
#include <stdlib.h>

#include "backupd/retention/judge.h"
#include "backupd/verbs.h"
#include "common/base/vec.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

enum { SIMULATE_MAX = 50 * 365 * 86400 };

const struct cli_option expire_options[] = {
    { .name = "dry-run",
      .letter = 'n',
      .kind = CLI_FLAG,
      .help = "Only show what would stay and go, with a reason for every snapshot." },
    { .name = "simulate",
      .kind = CLI_DURATION,
      .metavar = "TIME",
      .min = 86400,
      .max = SIMULATE_MAX,
      .help =
          "Show which nights would be there after this time (2y, 90d), if every job went on as its writer's cadence "
          "says. Nothing is changed." },
    RETENTION_WHO_OPTIONS,
    RETENTION_OPTIONS,
    CLI_OPTIONS_END
};

static int by_name(struct cli_context *cli, struct judge *j, struct error *err)
{
    int rc = 0;
    char *note = judge_note(cli, "expire", NULL, err);
    if (note == NULL)
        return err->code;
    for (size_t i = 0; i < cli->nargs && rc == 0; i++) {
        size_t at = 0;
        rc = judge_find(j, cli->args[i], &at, err);
        if (rc == 0)
            rc = prune_decide(judge_prune(j), at, RETENTION_EXPIRE, true, err);
    }
    if (rc == 0)
        rc = judge_publish(j, note, err);
    for (size_t i = 0; i < cli->nargs && rc == 0 && !cli->json; i++)
        out_line(&cli->out, OUT_PLAIN, "%s %s.", cli->args[i],
                 cli_flag(cli, "dry-run") ? "would expire" : "has expired");
    free(note);
    return rc;
}

/* erase_after takes back what min-keep promised: readers want to see a note then. */
static bool needs_note(const struct judge *j)
{
    const struct vec *list = prune_snapshots(judge_prune(j));
    for (size_t i = 0; i < list->len; i++) {
        const struct prune_snapshot *s = vec_at(list, i);
        if (s->decided && s->decision == RETENTION_EXPIRE && s->by_name)
            return true;
    }
    return false;
}

static int by_policy(struct judge *j, bool dry, struct error *err)
{
    int rc = judge_policy(j, err);
    if (rc == 0)
        rc = judge_report(j, dry, err);
    if (rc == 0 && dry)
        rc = judge_space(j, err);
    if (rc == 0)
        rc = judge_publish(j, needs_note(j) ? "what=expire\nby=policy\nreason=erase_after\n" : NULL, err);
    return rc;
}

static int simulate(struct cli_context *cli, struct judge *j, struct error *err)
{
    int rc = judge_policy(j, err);
    return rc < 0 ? rc : judge_simulate(j, cli_number(cli, "simulate"), err);
}

int cmd_expire(struct cli_context *cli, struct error *err)
{
    struct judge *j = NULL;
    bool future = cli_given(cli, "simulate");
    bool dry = cli_flag(cli, "dry-run") || future;
    if (future && cli->nargs > 0)
        return error_set(err, E_USAGE, "--simulate looks at all snapshots: name none");
    if (cli->nargs == 0 && cli_given(cli, "reason"))
        return error_set(err, E_USAGE, "--reason is for snapshots that are named; the rules give their own");
    int rc = judge_open(cli, dry, &j, err);
    if (rc < 0)
        return rc;
    if (future)
        rc = simulate(cli, j, err);
    else
        rc = cli->nargs > 0 ? by_name(cli, j, err) : by_policy(j, dry, err);
    if (rc == 0)
        rc = judge_verdict(j, err);
    judge_close(j);
    return rc;
}
