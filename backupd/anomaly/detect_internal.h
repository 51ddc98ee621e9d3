/*
 * detect_internal.h - what the detectors share (inside anomaly/).
 */
#ifndef BACKUPD_ANOMALY_DETECT_INTERNAL_H
#define BACKUPD_ANOMALY_DETECT_INTERNAL_H

#include "backupd/anomaly/detect.h"

/* Numbers of one kind, oldest first, and what is asked about the newest. */
struct series {
    struct sight sights[BASELINE_RUNS_MAX + BASELINE_RUNS + BASELINE_ACCEPTED_MAX];
    size_t n;
};

void series_add(struct series *s, const struct baseline_run *run, double value);
/* The swing of `value` when there are enough; the median to *usual. */
enum swing series_judge(const struct detector *d, const struct series *s, double value,
                        const struct measure *m, double *usual);

/* True when it was told (or would be, were the kind not ignored), as for the next ones. New data of a stream, or of all of a run, against what is usual. whole: its bytes; name as night_name() gives it. */
struct content {
    const char *name;
    double whole, fresh;
    double grown; /* larger than at the last run by so much */
    bool churned; /* much more of it is new than usual */
    double least; /* less that took the place of what was there is no entropy alarm, whatever it looks like */
    int64_t ratio;
};
bool detect_churn(struct detector *d, const struct series *shares, const struct series *amounts,
                  const struct content *now);
bool detect_entropy(struct detector *d, const struct series *ratios, const struct content *now);
/* Bytes, when the rows say nothing. */
bool detect_size(struct detector *d, const struct series *sizes, const char *name, double bytes);

/* Whether new bytes can be compared at all: the same writer as last time, nothing lost. */
bool detect_comparable(const struct detector *d);
const struct baseline_run *detect_last(const struct detector *d); /* or NULL */

/* "23 % (median of the last 30 runs)" and the like */
void anomaly_printf(char out[ANOMALY_TEXT_MAX], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *runs_text(char out[64], size_t n);

#endif
