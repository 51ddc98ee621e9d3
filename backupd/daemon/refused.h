/*
 * refused.h - refusals of the control socket on their way into the history (inside daemon/).
 *
 *     refused_note(&s->refused, "uid 1001", "it is in no group that may ask", now);    // each of them
 *     refused_write(s, false);                                                         // in the loop: at most once a minute
 *     at = refused_wake(s);
 *
 * Whoever knocks all the time makes the daemon count, not write. Of more than REFUSED_ACCOUNTS accounts in a minute the rest are
 * "others". What the history does not take is kept for the next time, and each is dated when it happened.
 */
#ifndef BACKUPD_DAEMON_REFUSED_H
#define BACKUPD_DAEMON_REFUSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct supervisor;

enum { REFUSED_ACCOUNTS = 16, REFUSED_NAME_MAX = 64, REFUSED_WHAT_MAX = 160, REFUSED_PAUSE = 60 };

/* A part of the supervisor: all zero at the beginning. */
struct refused {
    struct {
        char account[REFUSED_NAME_MAX];
        char what[REFUSED_WHAT_MAX];
        int64_t first, last;
        uint64_t count;
    } waiting[REFUSED_ACCOUNTS];
    size_t n;
    int64_t tried;
    bool told; /* that it cannot be written */
};

void refused_note(struct refused *r, const char *account, const char *what, int64_t now);
/* now: without waiting for the minute. */
void refused_write(struct supervisor *s, bool now);
/* INT64_MAX: nothing waits. */
int64_t refused_wake(const struct supervisor *s);

#endif
