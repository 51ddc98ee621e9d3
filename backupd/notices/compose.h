/*
 * compose.h - what a notice says: a subject and a text for people, and JSON for programs.
 *
 *     struct notice_facts facts = { .event = "failure", .job = "shop", .run = run, .time = now, ... };
 *     struct notice_words words = NOTICE_WORDS_INIT;
 *     rc = notice_compose(&facts, &words, err);      // words.subject, .text and .body are NUL-terminated
 *     notice_words_free(&words);
 *
 * No clock, no files: the same facts give the same words. Texts from outside (what a database said) are made printable line by
 * line, so they cannot look like another line of the notice. The JSON is described in docs/daemon.md; its "version" grows when
 * a member changes its meaning or goes.
 */
#ifndef BACKUPD_NOTICES_COMPOSE_H
#define BACKUPD_NOTICES_COMPOSE_H

#include "common/base/buffer.h"
#include "common/cli/jsonin.h"
#include "common/conf/conf.h"
#include "common/state/history.h"
#include "common/state/notices.h"

enum {
    NOTICE_VERSION = 1,
    NOTICE_HOST_MAX = 65,
    NOTICE_ANOMALIES_MAX = 50, /* that are shown */
    NOTICE_UID_TEXT = 2 * NOTICES_UID_LEN + 1,
};

/* Of a run that a person has stopped. */
#define NOTICE_CANCELLED "cancelled"

struct notice_facts {
    const char *
        event; /* failure, cancelled, warning, recovery, missed, anomaly, alarm, always, test; start, success of a ping */
    enum conf_task task;           /* what `job` does; all but CONF_TASK_NONE make no snapshots */
    const char *job;               /* NULL: the daemon itself */
    const struct history_run *run; /* or NULL */
    const char *what;              /* what happened, in one sentence; "" */
    struct notice_told told;       /* since when, how often; since 0: now, for the first time */
    int64_t next;                  /* when the job is due next; 0: no schedule says so */
    int64_t last_good;             /* end of the last good run before; 0: none known */
    int64_t time;
    int64_t repeat_after; /* seconds; 0: told each time */
    const char *uid;
    const char *host;
    const char *zone;                     /* of the times for people; NULL: the system's */
    bool old_configuration;               /* the file has mistakes: the daemon goes on with the one before */
    bool paused;                          /* the job is, now */
    const char *command;                  /* "backupd --config FILE": what commands begin with */
    const struct jsonin_value *anomalies; /* an array of a run's summary, or NULL */
};

struct notice_words {
    struct buf subject;
    struct buf text;
    struct buf body;
};
#define NOTICE_WORDS_INIT                                       \
    {                                                           \
        .subject = BUF_INIT, .text = BUF_INIT, .body = BUF_INIT \
    }

int notice_compose(const struct notice_facts *facts, struct notice_words *out, struct error *err);
void notice_words_free(struct notice_words *words);

/* This machine's name, of letters, digits, '.' and '-'. */
const char *notice_host(char out[NOTICE_HOST_MAX]);
/* A fresh uid. */
const char *notice_uid(char out[NOTICE_UID_TEXT]);

#endif
