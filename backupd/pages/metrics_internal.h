/* metrics_internal.h - the pieces of the metrics (inside pages/): the format, and families that have a file of their own. */
#ifndef BACKUPD_PAGES_METRICS_INTERNAL_H
#define BACKUPD_PAGES_METRICS_INTERNAL_H

#include "backupd/pages/metrics.h"

struct metrics {
    const struct view *view;
    struct buf *out;
    struct error *err;
    int rc;
};

void metrics_put(struct metrics *m, const char *text);
/* sep is "{" or ",". */
void metrics_label(struct metrics *m, const char *sep, const char *name, const char *value);
/* " VALUE" and the line's end. */
void metrics_number(struct metrics *m, int64_t value);
void metrics_family(struct metrics *m, const char *name, const char *type, const char *help);

/* metrics_drills.c */
void metrics_drills(struct metrics *m);

#endif
