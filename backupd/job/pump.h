/*
 * pump.h - moves an engine's streams into a session (inside job/).
 */
#ifndef BACKUPD_JOB_PUMP_H
#define BACKUPD_JOB_PUMP_H

#include "backupd/anomaly/anomaly.h"
#include "common/cli/progress.h"
#include "common/conf/conf.h"
#include "common/engine/engine.h"
#include "common/repo/session.h"

struct pump {
    const struct engine *engine;
    struct session *session;
    struct progress *progress;
    struct watch *watch; /* or NULL */
    bool no_dedup;
    uint64_t fingerprint_seed; /* a fact of the snapshot */
};

/* Every stream to its end, with its facts. E_CANCELLED between two reads. */
int pump_streams(const struct pump *p, struct engine_run *source, struct error *err);
/* The facts of the whole run as text that ends with NUL; after the engine's verdict. */
int pump_facts(const struct pump *p, struct engine_run *source, const struct conf_job *job, struct buf *out,
               struct error *err);

#endif
