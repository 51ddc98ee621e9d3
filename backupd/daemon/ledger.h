/*
 * ledger.h - the history as the daemon writes it: what it does not take now is kept and written later (inside daemon/).
 *
 *     rc = ledger_open(state, &ledger, err);           // the history, made when missing
 *     ledger_begin(ledger, &run, &job);                // run.id is set, also when nothing can be written
 *     ledger_end(ledger, &run, &job);
 *     ledger_look(ledger);                             // in the loop: tries again what waits, when it is time (ledger_wake)
 *     ledger_close(ledger);                            // tries once more, and tells what is lost
 *
 * No run waits for the history, and none is lost while the daemon lives: what a full disk or a damaged file does not take stays
 * in memory, in order, and is written in one transaction with the next thing that is to be written, or after
 * LEDGER_PAUSE seconds. So does where a job stands (paused, started by hand): of each job the newest. At most LEDGER_RUNS_MAX runs and LEDGER_BYTES_MAX bytes are kept; the oldest go first, each with a line in the
 * log, and are counted.
 *
 * While something is wrong ledger_trouble() says what, and so does a file for other processes (backupd/daemon/trouble.h). What a
 * daemon before this one could not write is told with an alarm. A history that is found to be damaged while it is written is put aside,
 * and where each job stands is written into the new one. One whose file was removed is made anew from the open one: ledger_look()
 * looks for it each time.
 */
#ifndef BACKUPD_DAEMON_LEDGER_H
#define BACKUPD_DAEMON_LEDGER_H

#include "common/state/history.h"
#include "backupd/daemon/trouble.h"

enum {
    LEDGER_RUNS_MAX = 1000,
    LEDGER_BYTES_MAX = 4 * 1024 * 1024,
    LEDGER_PAUSE = 30, /* seconds between tries when nothing else is written */
};

struct ledger;

int ledger_open(const char *state, struct ledger **out, struct error *err);
void ledger_close(struct ledger *l);

/* For reading; NULL while there is none. It changes only in the functions here. NULL for a NULL ledger, as all below. */
struct history *ledger_history(const struct ledger *l);
/* Where a job stands, as history_job_read(). */
int ledger_job_read(struct ledger *l, const char *name, struct history_job *out, struct error *err);
/* False: where the job stands waits to be written, and a daemon that ends before that forgets it. */
bool ledger_is_stored(const struct ledger *l, const char *name);

void ledger_begin(struct ledger *l, struct history_run *run, const struct history_job *job);
/* All of the run, with its id: its beginning may have been lost. */
void ledger_end(struct ledger *l, const struct history_run *run, const struct history_job *job);
void ledger_skip(struct ledger *l, const struct history_run *run, const struct history_job *job);
void ledger_job(struct ledger *l, const struct history_job *job);
void ledger_prune(struct ledger *l, int64_t wall, int64_t seconds); /* history_prune() */

void ledger_look(struct ledger *l);
int64_t ledger_wake(const struct ledger *l);

/* since 0: all is well. */
struct trouble ledger_trouble(const struct ledger *l);
/* Ends of runs that were not taken at once, since the daemon started. */
uint64_t ledger_errors(const struct ledger *l);
/* Grows with each change of the trouble; of the file (a damaged one was put aside). */
uint64_t ledger_changes(const struct ledger *l);
uint64_t ledger_files(const struct ledger *l);

#endif
