/*
 * notices_send.h - one process per channel that has something to send (inside daemon/).
 *
 *     notices_send_look_ahead(s, &p);      // after something was put into the queue
 *     notices_send_look(s, &p);            // in the loop: ends and starts processes (`backupd notify deliver`)
 *
 * What waits on the disk is sent, struck off and put off by the process itself, all that waits for its channel; of what waits in memory
 * it is given one notice, and its exit status is the answer.
 */
#ifndef BACKUPD_DAEMON_NOTICES_SEND_H
#define BACKUPD_DAEMON_NOTICES_SEND_H

#include <poll.h>

#include "backupd/daemon/notices_queue.h"
#include "common/sys/child.h"

struct sender {
    struct child *child; /* NULL: free */
    int pidfd;
    char channel[CONF_NAME_MAX + 1];
    int64_t spare; /* the notice in memory that it sends; 0: it sends from the queue */
};

/* A channel whose sender broke off and whose queue takes no note of that. */
struct sender_hold {
    char channel[CONF_NAME_MAX + 1]; /* "": free */
    int64_t until;
    unsigned times;
};

struct notices_send {
    struct notices_queue *queue;
    struct sender_hold holds[CONF_CHANNELS_MAX];
    int64_t wake[CONF_CHANNELS_MAX];                    /* of conf->channels: when something is due */
    int64_t spare_wake[CONF_CHANNELS_MAX];              /* the same, in memory */
    char failing[CONF_CHANNELS_MAX][CONF_NAME_MAX + 1]; /* told in the log already */
    struct sender senders[CONF_CHANNELS_MAX];
};

void notices_send_init(struct notices_send *p, struct notices_queue *queue);
/* When each channel has something to send. */
void notices_send_look_ahead(struct supervisor *s, struct notices_send *p);
/* Those that have ended; true when there was one. */
bool notices_send_reap(struct notices_send *p);
/* What is due; true when something was done. */
bool notices_send_start(struct supervisor *s, struct notices_send *p);
size_t notices_send_fds(const struct notices_send *p, struct pollfd *fds, size_t cap);
int64_t notices_send_wake(struct supervisor *s, struct notices_send *p);
/* Waits a moment for what is on its way. */
void notices_send_close(struct notices_send *p);

#endif
