/*
 * drill_stand.h - how the restore drills of a host stand: which there should be, when each last passed, what is wrong with it.
 *
 *     struct drill_stand_options options = { .conf = conf, .drills = drills, .now = now, .others = true };
 *     rc = drill_stands(&options, &list, err);        // struct drill_stand
 *     ...
 *     drill_stands_free(&list);
 *
 * There should be each drill of the configuration (`drills`), as often as its `every` says. What was drilled here beside them is told
 * too, when it is asked for. What is known is the list of drills of this host (common/state/drills.h), so drills of another host or of
 * another state directory are not. One judgement for `restore drill status`, the status page, metrics and `backupd status`.
 */
#ifndef COMMON_ACCESS_DRILL_STAND_H
#define COMMON_ACCESS_DRILL_STAND_H

#include "common/base/number.h"
#include "common/base/vec.h"
#include "common/conf/conf.h"
#include "common/state/drills.h"

enum { DRILL_STAND_TEXT_MAX = 400, DRILL_STAND_EVERY = 30 * 86400 };

/* The worst that is wrong with it. */
enum drill_trouble {
    DRILL_WELL = 0,
    DRILL_NOT_RUN, /* the last one could not run; an earlier one passed, and not too long ago */
    DRILL_STALE,   /* the last that passed is older than it may be */
    DRILL_NEVER,   /* none was made, or none that ran passed */
    DRILL_FAILING, /* the last one failed */
};
/* "well", "could_not_run", "stale", "never", "failing" */
const char *drill_trouble_name(enum drill_trouble t);

struct drill_stand {
    char *repository; /* of the last drill, else of the job; "" where it is not known */
    char *job;
    const char *drill; /* of the configuration; NULL: it is in none */
    uint64_t every;    /* seconds; 0: nobody says how often */
    bool any;          /* the six below */
    enum drills_verdict verdict;
    int64_t finished;
    int64_t rto_ms, rto_target_seconds;
    char id[64];
    char reason[200];
    int64_t last_pass; /* 0: never */
    enum drill_trouble trouble;
    char text[DRILL_STAND_TEXT_MAX]; /* how it stands, for people */
};

struct drill_stand_options {
    const struct conf *conf; /* may be NULL */
    struct drills *drills;   /* NULL: none was ever made here */
    int64_t now;
    uint64_t every;   /* seconds, for drills that do not say; 0: DRILL_STAND_EVERY */
    bool every_given; /* for all of them */
    bool jobs; /* without drills in the configuration: its jobs and what was drilled here should be drilled */
    bool others; /* also what was drilled here and is in no drill of the configuration; nobody waits for it */
    const char *const *names; /* only these jobs or drills */
    size_t nnames;            /* 0: all */
};

/* "5 days ago", "3 h ago", "12 min ago" */
const char *drill_ago(char out[NUMBER_TEXT_MAX], int64_t now, int64_t then);

int drill_stands(const struct drill_stand_options *options, struct vec *out, struct error *err);
void drill_stands_free(struct vec *list);

#endif
