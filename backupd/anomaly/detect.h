/*
 * detect.h - what is unusual about a run (pure functions over what is remembered).
 *
 *     struct detector d = { .conf = settings, .night = &night, .runs = &runs, .now = t, .found = ANOMALIES_INIT };
 *     for each subject of the baseline, its points in order: detect_subject(&d, name, points, n);
 *     detect_run(&d);                       // the run as a whole, and the storage
 *     detect_rest(&d);                      // what is new, what changed
 *     anomalies_free(&d.found);
 *
 * night.subjects must be sorted. Numbers that could not be told this time (a ratio of hardly any new data) are taken
 * over from the last run, so that they are known when the next one asks. Texts are printable, for people; the same
 * finding is there once.
 */
#ifndef BACKUPD_ANOMALY_DETECT_H
#define BACKUPD_ANOMALY_DETECT_H

#include "backupd/anomaly/night.h"
#include "backupd/anomaly/robust.h"
#include "common/conf/conf.h"

enum anomaly_severity {
    ANOMALY_NOTE = 0, /* good to know */
    ANOMALY_WARNING,  /* somebody should look; the snapshot is as good as any */
    ANOMALY_ALARM,    /* the snapshot is suspicious: marked, and not learned from */
};

enum {
    ANOMALY_TEXT_MAX = 320,
    ANOMALY_LIST_MAX = 20, /* findings kept; the others are counted */
};

struct anomaly {
    const char *kind; /* as in the setting `ignore` */
    enum anomaly_severity severity;
    char what[ANOMALY_TEXT_MAX];
    char seen[ANOMALY_TEXT_MAX];
    char usual[ANOMALY_TEXT_MAX];
    char look_at[ANOMALY_TEXT_MAX];
};

struct anomalies {
    struct vec list; /* struct anomaly */
    size_t left_out;
    size_t alarms; /* also those left out; so are the others */
    size_t warnings;
    size_t notes;
};

#define ANOMALIES_INIT                 \
    {                                  \
        .list = VEC_OF(struct anomaly) \
    }

struct point {                    /* what an earlier run saw of a subject */
    struct baseline_subject seen; /* name aside */
    const struct baseline_run *run;
};

struct detector {
    const struct conf_anomalies *conf;
    struct night *night;
    const struct vec *runs;           /* struct baseline_run that are not suspicious, oldest first */
    const struct baseline_run *since; /* the first of the lasting ones directly before, or NULL */
    int64_t now;
    bool files; /* a job of files: texts speak of them, not of rows */
    struct anomalies found;
    /* private */
    size_t changed, fresh_names;
    char changed_names[ANOMALY_TEXT_MAX];
    char fresh_list[ANOMALY_TEXT_MAX];
    bool lasts;                    /* found, or still so */
    bool sized, churned, squeezed; /* told of a subject, so that it is not told of the whole again */
    struct error *err;
    int rc;
};

/* Whether enough runs are known to compare with. */
bool detect_learned(const struct detector *d);
void detect_run(struct detector *d);
void detect_subject(struct detector *d, const char *name, const struct point *points, size_t n);
void detect_rest(struct detector *d);

/* Not when the kind is ignored. Empty texts, to be filled in; NULL when it is not kept. */
struct anomaly *anomalies_add(struct detector *d, const char *kind, enum anomaly_severity severity);
void anomalies_free(struct anomalies *f);

#endif
