/*
 * metrics.h - a view as text for Prometheus (the text format, version 0.0.4).
 *
 *     rc = metrics_write(&view, &out, err);
 *
 * Every family has HELP and TYPE. Label values are escaped (\ " newline); bytes that are not UTF-8 become \xHH. Numbers that
 * are not known are left out, not written as 0. docs/monitoring.md lists all families.
 */
#ifndef BACKUPD_PAGES_METRICS_H
#define BACKUPD_PAGES_METRICS_H

#include "backupd/pages/view.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

int metrics_write(const struct view *view, struct buf *out, struct error *err);

#endif
