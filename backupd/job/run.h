/*
 * run.h - one run of one job: what an engine reads becomes a snapshot.
 *
 *     struct job_run run = { .cli = cli, .conf = conf, .job = job, .scrub = true };
 *     rc = job_run(&run, &err);           // then run.writer, run.session, run.reruns hold what happened
 *     job_run_free(&run);                 // in any case
 *
 * The engine's verdict comes before the commit: a stream that ended early never
 * becomes a snapshot. The source is opened only after the session has settled
 * everything with the storage, because a database may keep its writers waiting
 * while it is open. A passing failure (a lost connection, a lock, a commit that
 * retention overtook) is repeated, after a pause that a stop ends, as often as the
 * job's `retries` say; what was stored already is adopted.
 *
 * The job's hooks (hook.h) run around all of it, once, also around a repetition.
 *
 * Errors: E_UNSUPPORTED when the probe found something fatal, or nobody has tried the restore kit (nothing was
 * touched), E_BUSY when another run holds the writer, E_CANCELLED on request.
 */
#ifndef BACKUPD_JOB_RUN_H
#define BACKUPD_JOB_RUN_H

#include "backupd/anomaly/anomaly.h"
#include "common/cli/cli.h"
#include "common/cli/progress.h"
#include "common/conf/conf.h"
#include "common/engine/engine.h"
#include "common/repo/session.h"

struct job_run {
    struct cli_context *cli; /* for progress and exit_code */
    const struct conf *conf;
    const struct conf_job *job;
    unsigned level; /* zstd; 0: the job's */
    bool scrub;
    const char *const *tags; /* besides the job's own; NULL-terminated, or NULL */
    bool kit_unconfirmed;    /* go on although nobody has tried the restore kit */
    /* results */
    uint8_t writer[WRITER_ID_LEN];
    struct session_result session;
    uint64_t milliseconds;
    struct engine_flaws flaws; /* of what was published */
    unsigned reruns;
    bool after_failed;          /* the hook at the end */
    struct watch *watch;        /* what was unusual; job_run_free() */
    struct anomalies refused;   /* of a run that failed */
    char where[ERROR_TEXT_MAX]; /* the storage, for people */
};

int job_run(struct job_run *run, struct error *err);
void job_run_free(struct job_run *run);

#endif
