/*
 * drills.h - what this host remembers of its restore drills: one row each, for lists, alarms and plans.
 *
 *     rc = drills_open(path, &d, err);                    // `drills.db` of the state directory; made when missing
 *     rc = drills_add(d, &row, err);                      // once per drill, at its end; the same id again replaces it
 *     rc = drills_open_read(path, &d, err);               // for others; E_NOT_FOUND: no drill has ended here yet
 *     rc = drills_each(d, &filter, print_row, &state, err);       // the newest first
 *     rc = drills_last_per_job(d, metric, &state, err);           // the newest of each (repository, job)
 *     drills_close(d);
 *
 * A file like the daemon's history (history.h), written by `restore drill run`, several of them at once if need be. It is a
 * convenience of this host: what auditors and retention go by are the signed certificates in the evidence location. It can be
 * lost; then lists begin anew.
 *
 * Times are seconds since 1970. Texts are UTF-8, cut at DRILLS_TEXT_MAX bytes; none is NULL. Not thread-safe.
 */
#ifndef COMMON_STATE_DRILLS_H
#define COMMON_STATE_DRILLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

#define DRILLS_FILE "drills.db"
enum { DRILLS_TEXT_MAX = 1024 };

/* As in restore/drill/result.h. */
enum drills_verdict { DRILLS_PASS = 0, DRILLS_FAIL = 1, DRILLS_COULD_NOT_RUN = 2 };
/* "pass", "fail", "could_not_run" */
const char *drills_verdict_name(enum drills_verdict v);

struct drills_row {
    const char *id;
    const char *repository; /* its name in the configuration; "": it was named by --storage */
    const char *job;
    const char *drill; /* the name of the drill in the configuration; "" */
    const char *snapshot;
    const char *record; /* F of the snapshot's record, in hex */
    const char *engine;
    const char *server;
    const char *reason; /* why it failed or could not run; "" */
    enum drills_verdict verdict;
    int64_t started, finished;
    int64_t snapshot_time;
    int64_t rto_ms, rto_target_seconds;
    int64_t prepare_ms, fetch_ms, decrypt_ms, load_ms, index_ms, check_ms;
    int64_t age_seconds;
    int64_t rpo_seconds; /* -1: not known */
    int64_t bytes, bytes_fetched;
    int64_t checks, failed;
    bool whole;   /* all tables, nothing masked */
    bool signed_; /* there is a certificate */
    bool stored;  /* json, page and certificate are in the evidence location */
};

struct drills;

int drills_open(const char *path, struct drills **out, struct error *err);
int drills_open_read(const char *path, struct drills **out, struct error *err);
void drills_close(struct drills *d); /* NULL is fine */

int drills_add(struct drills *d, const struct drills_row *row, struct error *err);
/* The evidence location has it. */
int drills_stored(struct drills *d, const char *id, struct error *err);

struct drills_filter {
    const char *repository; /* NULL: all */
    const char *job;
    const char *drill;
    const char *engine;
    const char *id;
    unsigned limit; /* the newest ones; 0: 1000 */
};
typedef int drills_fn(const struct drills_row *row, void *arg);
/* fn's negative return ends it and is returned. The strings live during the call. */
int drills_each(struct drills *d, const struct drills_filter *filter, drills_fn *fn, void *arg,
                struct error *err);
/* The last drill of every job, by repository and job. Metrics: seconds since row->finished, row->verdict, row->rto_ms. */
int drills_last_per_job(struct drills *d, drills_fn *fn, void *arg, struct error *err);
/* Those that ended before `before`, and those that are not among the newest `most`, the oldest first. proof: it is the newest
 * that passed, whole, of its snapshot. */
typedef int drills_old_fn(const struct drills_row *row, bool proof, void *arg);
int drills_old(struct drills *d, int64_t before, unsigned most, drills_old_fn *fn, void *arg,
               struct error *err);
int drills_remove(struct drills *d, const char *id, struct error *err);
/* When a drill of this job (repository and drill may be NULL: any) last passed; 0: never. */
int drills_last_pass(struct drills *d, const char *repository, const char *job, const char *drill,
                     int64_t *out, struct error *err);

#endif
