/*
 * crew.h - the jobs of a configuration as the planner wants them (inside daemon/).
 *
 *     rc = crew_make(conf, &crew, err);        // also sets the process's time zone
 *     planner_tick(crew.planner, ...);
 *     crew_free(&crew);
 *
 * Job i of the planner is conf->jobs[i], the tasks behind the jobs (conf->njobs + conf->ntasks); one without a schedule is
 * never due by itself. Borrows conf.
 */
#ifndef BACKUPD_DAEMON_CREW_H
#define BACKUPD_DAEMON_CREW_H

#include "backupd/daemon/planner.h"
#include "common/conf/conf.h"
#include "common/state/history.h"

enum {
    CREW_RETRIES =
        3, /* starts after one that failed for a passing reason, beside the run's own repetitions */
    CREW_RETRY_PAUSE = 300, /* seconds before the first of them; doubles */
};

struct crew {
    const struct conf *conf;
    struct planner *planner;
    struct planner_rules *rules;
    struct calendar **calendars;
    char **lanes; /* texts of lanes */
    size_t n;
};

int crew_make(const struct conf *conf, struct crew *out, struct error *err);
void crew_free(struct crew *crew);

/* Seconds that this host starts this job late: the same every night. */
int64_t crew_jitter(const char *job, uint64_t limit_ms);

/* Between the planner's and the history's form. */
struct history_job crew_to_history(const struct crew *crew, size_t job);
struct planner_state crew_from_history(const struct history_job *job);

#endif
