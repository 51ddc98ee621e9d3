/*
 * notices.h - the part of the daemon that tells people (inside daemon/).
 *
 *     notices.c         hears what happens
 *     notices_tell.c    decides what is told, and puts it into a queue (common/state/notices.h)
 *     notices_queue.c   where it waits: on the disk, or in memory while that takes nothing (a full disk silences nobody)
 *     notices_spare.c   one notice of those in memory
 *     notices_send.c    one process per channel that has something to send
 *
 * Nothing here waits: a server that does not answer keeps one process waiting, and no run. Whatever fails here is an alarm in the log
 * and no more.
 */
#ifndef BACKUPD_DAEMON_NOTICES_H
#define BACKUPD_DAEMON_NOTICES_H

#include "backupd/daemon/part.h"
#include "backupd/daemon/supervisor_internal.h"
#include "common/state/notices.h"

extern const struct part_kind notices_part;

/* ---- notices_tell.c ---- */
/* All that an event means, for all channels, in one transaction. */
int notices_tell(struct supervisor *s, struct notices *q, const struct daemon_event *e, struct error *err);
/* An alarm of the daemon; not to `except` (NULL: to all). */
int notices_tell_alarm(struct supervisor *s, struct notices *q, const char *text, const char *except,
                       struct error *err);
/* How the history is: it takes nothing (to be said at once, and again each day), or it is well again. */
int notices_tell_history(struct supervisor *s, struct notices *q, const struct trouble *trouble,
                         struct error *err);

/* ---- notices_spare.c ---- */
/* A descriptor to read the oldest notice from that is due on this channel (wire.h), and its number; E_NOT_FOUND: none. */
int notices_spare_take(struct notices *spare, const char *channel, int64_t now, int64_t *id,
                       struct error *err);
/* It was sent (why NULL), or it is to be tried again. */
void notices_spare_done(struct notices *spare, int64_t id, const char *why);
/* Each of those that are left, in the log; their number. */
size_t notices_spare_lost(struct notices *spare);

#endif
