/*
 * judge.h - a repository on its retention host: opened, judged, shown (inside backupd).
 *
 *     rc = judge_open(cli, &options, &j, err);       // configuration, keys, storage, what there is
 *     rc = judge_policy(j, err);                     // a verdict for every snapshot; what goes is decided
 *     rc = judge_report(j, all, err);                // the table, or lines of JSON
 *     rc = judge_publish(j, note, err);              // prune_run, and what it did
 *     judge_close(j);
 *
 * Alarms go to the log as they are found. judge_alarms() says how many there were.
 */
#ifndef BACKUPD_RETENTION_JUDGE_H
#define BACKUPD_RETENTION_JUDGE_H

#include "common/cli/cli.h"
#include "common/conf/conf.h"
#include "common/repo/policy.h"
#include "common/repo/prune.h"

/* Options that every verb of a retention host has. */
#define RETENTION_OPTIONS                                                                                   \
    { .name = "repository",                                                                                 \
      .letter = 'r',                                                                                        \
      .kind = CLI_STRING,                                                                                   \
      .metavar = "NAME",                                                                                    \
      .help = "Which repository. May be left out when there is only one." },                                \
        { .name = "retention-key",                                                                          \
          .kind = CLI_FILE,                                                                                 \
          .metavar = "FILE",                                                                                \
          .help = "The retention key, when it is not retention.key in the repository's key directory." },   \
    {                                                                                                       \
        .name = "confirm-clock", .kind = CLI_FLAG,                                                          \
        .help =                                                                                             \
            "You looked at a clock, and the one of this host is right. Only needed when a run asks for it." \
    }

/* Who decided it, and why, for the note of a retention record. */
#define RETENTION_WHO_OPTIONS                                          \
    { .name = "reason",                                                \
      .kind = CLI_STRING,                                              \
      .metavar = "TEXT",                                               \
      .help = "Why; it is kept, sealed, in the retention log." },      \
    {                                                                  \
        .name = "by", .kind = CLI_STRING, .metavar = "NAME",           \
        .help = "Who decided it. Default: the account that runs this." \
    }

struct judge;

/* dry: nothing is written to the storage. */
int judge_open(struct cli_context *cli, bool dry, struct judge **out, struct error *err);
void judge_close(struct judge *j); /* NULL is fine */

struct prune *judge_prune(const struct judge *j);
/* The snapshot called LABEL/SESSION, or WRITER/SESSION (16 hex digits). E_NOT_FOUND; E_USAGE: several. */
int judge_find(const struct judge *j, const char *name, size_t *out, struct error *err);
/* "shop/7", or "?/7" */
enum { JUDGE_NAME_MAX = 4 * LABEL_MAX + 16 };
const char *judge_name(const struct judge *j, size_t i, char out[JUDGE_NAME_MAX]);

/* Verdicts for all that is live, and prune_decide for what goes. */
int judge_policy(struct judge *j, struct error *err);
/* all: also what stays. */
int judge_report(struct judge *j, bool all, struct error *err);
/* A line for each job: what its live snapshots need, alone and together with other jobs. */
int judge_space(struct judge *j, struct error *err);
/* Only says what the run would do (dry), or does it. note may be NULL. */
int judge_publish(struct judge *j, const char *note, struct error *err);
/* Which snapshots would be there after `seconds`, if every job went on as its cadence says. */
int judge_simulate(struct judge *j, uint64_t seconds, struct error *err);
/* The number of alarms; after all else: E_CONFLICT with a text when there were any. */
int judge_verdict(const struct judge *j, struct error *err);

/* "what=hold\nby=...\nuntil=...\nreason=..." for free(). until may be NULL. E_USAGE: no --reason. */
char *judge_note(const struct cli_context *cli, const char *what, const char *until, struct error *err);

#endif
