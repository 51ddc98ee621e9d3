/*
 * refusals.h - who was refused at the daemon's control socket, in the daemon's history (history.h).
 *
 *     struct refusal r = { .account = "uid 1001", .what = "it may only read", .first = t, .last = now, .count = 3 };
 *     rc = refusals_add(h, &r, err);                                          // only the daemon: one transaction
 *     rc = refusals_each(h, now - 86400, print, &state, err);                  // the newest first
 *     rc = refusals_total(h, &n, err);                                         // of all times; never falls
 *
 * A row for each account, the REFUSALS_KEPT newest. A streak ends when nothing came for REFUSALS_PAUSE: the next refusal begins
 * another one. The table is made with the first refusal; without it there were none.
 */
#ifndef COMMON_STATE_REFUSALS_H
#define COMMON_STATE_REFUSALS_H

#include "common/state/history.h"

enum {
    REFUSALS_KEPT = 64,
    REFUSALS_PAUSE = 86400,
    REFUSALS_TEXT_MAX = 256,
    REFUSALS_WHO_MAX = REFUSALS_TEXT_MAX + 3
};

/* The account of all that were too many to be counted by name. */
#define REFUSALS_OTHERS "others"

struct refusal {
    const char *account;
    const char *what;    /* why, the last time */
    int64_t first, last; /* of the streak, or of what is added to it */
    uint64_t count;      /* in it */
};

/* The account in a sentence: 'nobody' with quotes, "uid 1001" and "others" without. Returns out. */
const char *refusals_who(const char *account, char out[REFUSALS_WHO_MAX]);
/* `count` more of one account, the first and the last of them when they happened. */
int refusals_add(struct history *h, const struct refusal *r, struct error *err);
/* fn's negative return ends it and is returned. The strings live during the call. */
int refusals_each(struct history *h, int64_t since, int (*fn)(const struct refusal *r, void *arg), void *arg,
                  struct error *err);
int refusals_total(struct history *h, uint64_t *out, struct error *err);

#endif
