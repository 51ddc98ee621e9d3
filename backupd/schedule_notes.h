/*
 * schedule_notes.h - why a time that is to come will be skipped, as far as it is known now, what waits, and what was skipped last.
 *
 *     struct schedule_notes notes;
 *     rc = schedule_notes_read(&crew, &notes, err);       // no history yet: nothing is known
 *     why = schedule_notes_why(&notes, job, at, text, sizeof text);       // "" when nothing speaks against it
 *     schedule_notes_free(&notes);
 *
 * Known are pauses, of the job and of what it depends on, and a job it depends on that did not succeed and has no run of its
 * own before that time. What else may come between (a window that is over, a run that takes too long) is only known then.
 */
#ifndef BACKUPD_SCHEDULE_NOTES_H
#define BACKUPD_SCHEDULE_NOTES_H

#include "backupd/daemon/waits.h"

enum { SCHEDULE_NOTE_MAX = 256 };

struct schedule_skip {
    int64_t due; /* the newest; 0: the job's last due time was not skipped */
    uint64_t count;
    char reason[SCHEDULE_NOTE_MAX];
};

struct schedule_notes {
    const struct crew *crew;
    struct history_job *jobs; /* of each job of the crew; name NULL: not known */
    struct schedule_skip *skips;
    struct planner *planner; /* what waits (waits.h) */
};

int schedule_notes_read(const struct crew *crew, struct schedule_notes *out, struct error *err);
void schedule_notes_free(struct schedule_notes *notes);

const char *schedule_notes_why(const struct schedule_notes *notes, size_t job, int64_t at, char *out,
                               size_t cap);

#endif
