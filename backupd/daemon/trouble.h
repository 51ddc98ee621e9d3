/*
 * trouble.h - what the daemon says of a history that takes nothing, for other processes, also when the disk is full.
 *
 *     rc = trouble_make(path, &fd, err);            // the daemon, while there is room
 *     rc = trouble_write(fd, &trouble, err);        // since 0: all is well
 *
 *     rc = trouble_open(path, &fd, err);            // who shows it; E_NOT_FOUND: no daemon has run here yet
 *     rc = trouble_read(fd, &trouble, err);         // 1: there is one; 0: all is well; or an error
 *
 * A file of TROUBLE_SIZE bytes that is written as a whole when it is made and then only over itself: that needs no room on the disk. It
 * ends with a sum over what is before it, so that a reader knows a half-written one (it reads again, then E_CORRUPT). A daemon
 * that is killed leaves what it said last; the next one takes it up. Times are seconds since 1970.
 */
#ifndef BACKUPD_DAEMON_TROUBLE_H
#define BACKUPD_DAEMON_TROUBLE_H

#include <stdint.h>

#include "common/base/error.h"

#define TROUBLE_FILE "history.trouble" /* in the state directory */

enum { TROUBLE_SIZE = 4096, TROUBLE_TEXT_MAX = 768, TROUBLE_SAYS_MAX = 3072 };

struct trouble {
    int64_t since; /* 0: none */
    uint64_t ends; /* of runs, that are not in the history */
    uint64_t more; /* beginnings and skipped runs that are not */
    uint64_t lost; /* of all of these, that were too many to be kept */
    char why[TROUBLE_TEXT_MAX];
    char newest[TROUBLE_TEXT_MAX]; /* "shop: failed: no space", of the ends; "" */
    uint64_t states;               /* jobs of which it is not stored where they stand */
    char stands[TROUBLE_TEXT_MAX]; /* of these: "shop is paused, blog was started by hand and waits"; "" */
};

int trouble_make(const char *path, int *fd, struct error *err);
int trouble_write(int fd, const struct trouble *t, struct error *err);
int trouble_open(const char *path, int *fd, struct error *err);
int trouble_read(int fd, struct trouble *out, struct error *err);

/* In a sentence or two for people, the time in the zone of this process. */
const char *trouble_says(const struct trouble *t, char out[TROUBLE_SAYS_MAX]);

#endif
