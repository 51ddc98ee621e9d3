/*
 * told.h - what was unusual about a run of the history, from the summary that it gave.
 */
#ifndef BACKUPD_ANOMALY_TOLD_H
#define BACKUPD_ANOMALY_TOLD_H

#include "backupd/anomaly/detect.h"
#include "common/cli/json.h"
#include "common/cli/out.h"
#include "common/state/history.h"

/* "anomalies" and "noticed": lists of objects, empty when there were none. */
int told_json(struct history *h, const struct history_run *r, struct jsonout *o, struct error *err);
/* The run's text and what was unusual, for a line of a table; "" when there is neither. */
int told_line(struct history *h, const struct history_run *r, char out[ANOMALY_TEXT_MAX], struct error *err);
/* All of it. */
int told_pairs(struct history *h, const struct history_run *r, struct table *t, struct error *err);

#endif
