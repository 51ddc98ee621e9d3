/*
 * notices.h - the queue of notices: what is to be told to whom, and what has been told already.
 *
 *     struct notices *q = NULL;
 *     rc = notices_open(path, &q, err);
 *     rc = notices_begin(q, err);
 *     rc = notices_seen(q, &seen, &told, err);              // 1: tell it; 0: it was told lately, and is counted
 *     rc = notices_put(q, &notice, &dropped, err);
 *     rc = notices_end(q, rc, err);                         // both or neither
 *
 *     rc = notices_list(q, channel, now, add_id, &ids, err);    // the sender: what is due, oldest first
 *     rc = notices_get(q, id, send, &state, err);
 *     rc = notices_sent(q, id, err);  or  notices_failed(q, id, ...)
 *
 * An SQLite file beside the history (history.h says how such files are kept). The daemon puts in, one process for each channel
 * takes out; both may write. A notice is removed after it was sent, so one whose sender is killed in between is sent again, under
 * the same uid. It can be lost without losing a backup; what was about to be told is then not told.
 *
 * Of a channel at most NOTICES_MAX wait: the oldest are dropped for newer ones, and counted for the caller, who tells it.
 * Times are seconds since 1970. Not thread-safe.
 */
#ifndef COMMON_STATE_NOTICES_H
#define COMMON_STATE_NOTICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum {
    NOTICES_MAX = 1000,        /* that wait, of one channel */
    NOTICES_TOLD_MAX = 10000,  /* reasons that are remembered; the oldest are forgotten */
    NOTICES_REASON_MAX = 400,  /* bytes of a reason that are compared */
    NOTICES_TEXT_MAX = 65536,  /* bytes of a notice's text */
    NOTICES_BODY_MAX = 262144, /* bytes of a notice's JSON; more is refused (E_USAGE) */
    NOTICES_UID_LEN = 16,
    NOTICES_MEMORY_PAGES = 2048,
};

struct notice {
    int64_t id;
    const char *uid; /* 32 hex digits; the same for all channels that hear of it */
    const char *channel;
    const char *event; /* "failure", ... */
    const char *job;   /* "": the daemon itself */
    const char *subject;
    const char *text; /* for people */
    const char *body; /* JSON */
    int64_t created;
    int64_t next;      /* when it is tried (again) */
    unsigned tries;    /* that failed */
    bool refused;      /* the last one by an answer about this very notice */
    const char *error; /* of the last one */
};

/* That something happened, once more or for the first time. */
struct notice_seen {
    const char *channel;
    const char *job;
    const char *kind;   /* "trouble", "warning", ... */
    const char *reason; /* equal reasons are the same thing; compared without its numbers */
    int64_t now;
    int64_t repeat_after; /* seconds */
};
struct notice_told {
    int64_t since;  /* the first time */
    int64_t told;   /* when it was told last; 0: never */
    uint64_t count; /* how often by now */
};

struct notices;

int notices_open(const char *path, struct notices **out, struct error *err);
/* For who sends: E_NOT_FOUND when there is none. A damaged one (E_CORRUPT) is the daemon's to put aside. */
int notices_open_shared(const char *path, struct notices **out, struct error *err);
/* E_NOT_FOUND when there is none. */
int notices_open_read(const char *path, struct notices **out, struct error *err);
/* One in memory, for as long as the file takes nothing: with what `from` (may be NULL) says was told already, as far as that can be
 * read. It takes NOTICES_MEMORY_PAGES of 4 KiB. notices_move() brings all of it into `to`, which then knows as told what `from` does;
 * all or nothing. *dropped as of notices_put(). */
int notices_open_memory(struct notices *from, struct notices **out, struct error *err);
int notices_move(struct notices *from, struct notices *to, uint64_t *dropped, struct error *err);
void notices_close(struct notices *q);

/* What is done in between is done together, or (rc < 0) not at all; returns rc or what the end failed with. */
int notices_begin(struct notices *q, struct error *err);
int notices_end(struct notices *q, int rc, struct error *err);

/* ---- what has been told ---- */
int notices_seen(struct notices *q, const struct notice_seen *seen, struct notice_told *out,
                 struct error *err);
/* It is over: 1 and the first time and the sum of all reasons of this kind, or 0 when there was nothing. */
int notices_over(struct notices *q, const char *channel, const char *job, const char *kind,
                 struct notice_told *out, struct error *err);

/* ---- what waits ---- */
/* *dropped grows by the number of older ones that had to go. */
int notices_put(struct notices *q, const struct notice *notice, uint64_t *dropped, struct error *err);
/* Those of a job that wait are worth nothing any more: for pings, which say how it is now. */
int notices_supersede(struct notices *q, const char *channel, const char *job, struct error *err);
/* Those that are due by now, oldest first; channel NULL: of all. Of one channel also those that are not, unless they were refused:
 * what failed with the channel goes first when it is tried again. fn's negative return ends it and is returned. The strings
 * live during the call, in which the queue is not to be used. */
int notices_list(struct notices *q, const char *channel, int64_t now,
                 int (*fn)(const struct notice *n, void *arg), void *arg, struct error *err);
/* The same for one; 0 also when it is gone. */
int notices_get(struct notices *q, int64_t id, int (*fn)(const struct notice *n, void *arg), void *arg,
                struct error *err);
/* Removes it; the channel works, so what waits for it is due. */
int notices_sent(struct notices *q, int64_t id, int64_t now, struct error *err);
/* Tried again at `next`; unless refused nothing of its channel is tried before. */
int notices_failed(struct notices *q, int64_t id, int64_t next, bool refused, const char *why,
                   struct error *err);
/* Nothing of the channel is tried before `until`. */
int notices_defer(struct notices *q, const char *channel, int64_t until, struct error *err);
/* Nothing is tried later than that: a wrong clock may have put it off for years. */
int notices_no_later(struct notices *q, int64_t latest, struct error *err);
/* Drops what was put in before; the number of them. event NULL: all. */
int64_t notices_expire(struct notices *q, const char *channel, const char *event, int64_t before,
                       struct error *err);
/* When the channel's first one is due, INT64_MAX: none waits. */
int notices_wake(struct notices *q, const char *channel, int64_t *out, struct error *err);
/* Drops what waits for channels that are none of these, and what was told to them; the number of notices. */
int64_t notices_only(struct notices *q, const char *const *channels, size_t n, struct error *err);

#endif
