/*
 * anomaly.h - watches one run of a job: is it like those before?
 *
 *     struct watch *w = watch_new(conf, job);
 *     watch_attempt(w);                                     // each attempt of the run begins here
 *     watch_stream(w, name, &numbers, facts);               // after each stream of a database
 *     options.judge = watch_judge; options.judge_arg = w;   // session.h: adds the note `anomaly`
 *     watch_published(w, session);                          // tells the log, remembers the run
 *     ... watch_anomalies(w) ...
 *     watch_free(w);
 *
 * What is known of earlier runs is in the state directory (baseline.h). Nothing in here makes a backup fail: what
 * cannot be read or remembered is told to the log, and the run goes on unjudged. NULL is accepted everywhere and
 * watches nothing; so does a job whose `anomalies` are off.
 *
 * The note says kinds and how many, never names: who may delete reads it, and is not meant to know the tables.
 */
#ifndef BACKUPD_ANOMALY_ANOMALY_H
#define BACKUPD_ANOMALY_ANOMALY_H

#include "backupd/anomaly/detect.h"
#include "common/cli/json.h"
#include "common/conf/conf.h"
#include "common/repo/session.h"

struct watch;

struct watch *watch_new(const struct conf *conf, const struct conf_job *job); /* NULL: not watched */
void watch_attempt(struct watch *w, struct backend *storage, const uint8_t writer[WRITER_ID_LEN]);
void watch_stream(struct watch *w, const char *name, const struct session_stream_numbers *numbers,
                  const char *facts);
int watch_judge(void *w, struct session *s, const struct session_numbers *numbers, struct error *err);
void watch_published(struct watch *w, uint32_t session);
void watch_free(struct watch *w);

const struct anomalies *watch_anomalies(const struct watch *w); /* or NULL */
/* How many runs in a row were suspicious, with this one; 0 when it is not. */
size_t watch_in_a_row(const struct watch *w);

/* A run that failed with `why`: what was unusual about that (the storage's host key), told to the log as well. *found is
 * untouched when nothing was; for anomalies_free(). */
void watch_refused(const struct conf *conf, const struct conf_job *job, const struct error *why,
                   struct anomalies *found);

/* The findings of a severity range as an array of objects. */
void anomalies_json(struct jsonout *o, const char *key, const struct anomalies *f, enum anomaly_severity from,
                    enum anomaly_severity to);
/* "row counts (2), vanished tables (1)" of the alarms. Returns out. */
enum { ANOMALIES_NOTE_MAX = 256 };
const char *anomalies_note(char out[ANOMALIES_NOTE_MAX], const struct anomalies *f);
/* Lines for people, alarms first: "WHAT: SEEN; usual: USUAL" */
int anomalies_text(const struct anomalies *f, struct buf *out, struct error *err);

/* <state>/baseline.db; for free(). */
char *watch_path(const struct conf *conf, struct error *err);

#endif
