/*
 * notices_queue.h - where notices wait: in the queue on the disk, or in one in memory while that takes nothing (inside daemon/).
 *
 *     notices_queue_tell(s, &q, fn, arg);        // fn puts notices into the queue that it is given
 *     notices_queue_look(s, &q);                 // brings back what is in memory, when it is time (notices_queue_wake)
 *
 * Nothing here fails for its caller: what the disk does not take goes into memory, and a memory that takes nothing is an alarm in
 * the log.
 */
#ifndef BACKUPD_DAEMON_NOTICES_QUEUE_H
#define BACKUPD_DAEMON_NOTICES_QUEUE_H

#include "backupd/daemon/supervisor_internal.h"
#include "common/state/notices.h"

struct notices_queue {
    struct notices *disk; /* NULL: no channels, or it cannot be opened */
    bool told_broken;
    bool damaged;          /* is opened anew, and then put aside */
    struct notices *spare; /* in memory, while the disk takes nothing: everything goes there; else NULL */
    int64_t spare_tried;   /* to bring it back */
    size_t being_sent;     /* notices of the spare; it stays as long */
};

typedef int notices_tell_fn(struct supervisor *s, struct notices *q, const void *arg, struct error *err);

/* True when there is somebody to tell and a queue on the disk. */
bool notices_queue_ready(struct supervisor *s, struct notices_queue *q);
void notices_queue_failed(struct notices_queue *q, const struct error *why);
void notices_queue_tell(struct supervisor *s, struct notices_queue *q, notices_tell_fn *fn, const void *arg);
/* An alarm of the daemon that the log has; not to `except` (NULL: to all). */
void notices_queue_tell_alarm(struct supervisor *s, struct notices_queue *q, const char *text,
                              const char *except);
/* One about notices: in the log, and over the other channels. */
void notices_queue_alarm(struct supervisor *s, struct notices_queue *q, const char *channel,
                         const char *text);
/* The channels are others now. */
void notices_queue_reloaded(struct supervisor *s, struct notices_queue *q);
/* Nothing is put off further than the pause between two tries: the clock may have been wrong. */
void notices_queue_clock_set(struct supervisor *s, struct notices_queue *q);
void notices_queue_look(struct supervisor *s, struct notices_queue *q);
int64_t notices_queue_wake(const struct notices_queue *q);
/* Says what is lost. */
void notices_queue_close(struct supervisor *s, struct notices_queue *q);

#endif
