/*
 * station.h - the restore station: a repository opened with whatever is at hand.
 *
 *     struct station st;
 *     rc = station_open(cli, KIT_NEEDED, &st, err);   // prints what the logs show that people must see
 *     ...
 *     station_settle(&st, rc == 0);                   // keeps marks after a good run, sets the exit code
 *     station_close(&st);                             // always, also after a failed open
 *
 * From the options, then from the configuration: the storage, the pinned root
 * key (--root-key, the kit, root.pub in the repository's key directory), the kit
 * and the marks. Without --storage or a key a configuration is needed.
 *
 * Alarms are findings of the logs that are neither notes nor a late writer: a
 * rollback, a fork, a gap, a bad signature. While there are any the marks stay
 * as they are.
 *
 * Exit codes set here: CLI_EXIT_NO_REPOSITORY, CLI_EXIT_DIFFERS.
 */
#ifndef RESTORE_STATION_H
#define RESTORE_STATION_H

#include "common/access/access.h"
#include "common/cli/cli.h"
#include "common/repo/fetch.h"
#include "common/repo/marks.h"
#include "common/repo/repo.h"

enum station_kit {
    KIT_IF_GIVEN, /* only with --kit, or for its root key where there is no root.pub */
    KIT_OPTIONAL, /* also the configured one, when it is there */
    KIT_NEEDED,   /* these three also take a drill kit */
    KIT_PERSON,   /* a restore kit, or a quorum member's key (then kit.w and kit.v are NULL) */
};

struct station {
    struct cli_context *cli;                  /* borrowed */
    const char *wanted;                       /* name of the repository: --repo, or an argument of the verb */
    struct conf *conf;                        /* or NULL */
    const struct conf_repository *repository; /* or NULL */
    struct backend *backend;
    struct access_root root;
    struct restore_kit kit;
    bool has_kit;
    struct drill_keys drill; /* --kit was a drill kit: then kit.w and kit.v are NULL, and kit.r is its R */
    bool has_drill;
    const struct secret *recipients[1]; /* what opener.sks points to */
    struct opener opener;
    struct opened_shares opened; /* --approval: what other people opened for this station */
    char *marks_path;            /* NULL: nothing is kept */
    struct marks marks;
    bool first_time; /* no marks yet */
    bool
        answered; /* a failure is what the storage answered, and no trouble with what this station has at hand */
    struct repo *repo;
    size_t alarms;
};

/* On failure the station is still to be closed. */
int station_open(struct cli_context *cli, enum station_kit kit, struct station *st, struct error *err);
/* The same, but the findings of the logs are left to the caller. */
int station_open_quietly(struct cli_context *cli, enum station_kit kit, struct station *st,
                         struct error *err);
/* The same for a verb whose argument names the repository; NULL: --repo does. */
int station_open_named(struct cli_context *cli, const char *repository, enum station_kit kit,
                       struct station *st, struct error *err);
/* After a run: raises and saves the marks when it was good and there are no alarms (a failure to save is a
 * warning: the run itself was good). */
void station_settle(struct station *st, bool good);
/* With alarms the exit code becomes CLI_EXIT_DIFFERS: for verbs that tell about the repository. */
void station_report_alarms(const struct station *st);
void station_close(struct station *st);

/* A signal ends the program at once from here on: for verbs that make nothing. */
void station_killable(void);

/* True for findings that people must act on. */
bool finding_alarms(const struct repo_finding *f);
/* E_CONFLICT when alarms concern this writer's log, the retention log or the charter, unless --despite-alarms. */
int station_trusts(const struct station *st, const struct repo_writer *writer, struct error *err);
/* "sftp://...", for messages. */
const char *station_where(const struct station *st);

/* ---- inside (station_keys.c, station_marks.c) ---------------------------------------------------------- */
int station_read_kit(struct station *st, enum station_kit need, struct error *err);
int station_read_root(struct station *st, struct error *err);
int station_load_marks(struct station *st, struct error *err);
/* --approval: after the repository is open. */
int station_read_approvals(struct station *st, struct error *err);
/* Where what this station keeps of the repository lies, for free(). NULL without err: nowhere. */
char *station_state_dir(const struct station *st, struct error *err);
/* STATE/requests/ID of a request, for free(); E_USAGE without a state directory. */
char *station_request_path(const struct station *st, const uint8_t id[HASH_LEN], struct error *err);
/* A drill kit: read, and, when the repository is open, judged by its newest charter. E_AUTH: expired, taken out, retired. */
int station_read_drill_kit(struct station *st, const char *path, const struct conf_secret *reference,
                           struct error *err);
int station_judge_drill_kit(const struct station *st, struct error *err);
/* The rid of this station's kit. */
int station_rid(const struct station *st, uint8_t rid[RID_LEN], struct error *err);
/* --expect */
int station_check_receipts(const struct station *st, struct error *err);

#endif
