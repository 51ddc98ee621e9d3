/*
 * notices.h - the part of the daemon that tells people (inside daemon/).
 *
 * notices.c hears what happens and keeps one process per channel that has something to send (`backupd notify deliver`); notices_tell.c decides what is told and puts it into the queue (common/state/notices.h). Nothing here waits: a
 * server that does not answer keeps one process waiting, and no run. Whatever fails here is an alarm in the log and no more.
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

#endif
