/*
 * outbox.h - sends what waits for a channel.
 *
 *     rc = outbox_send(state, channel, all, &result, err);
 *
 * Takes what is due (all: everything that waits) from the queue in the state directory, oldest first. One that the other end does
 * not want is put off by itself; after a failure of the channel the rest is not tried. A lock keeps two senders of one
 * channel apart (E_BUSY). Failures to send are in the result and in the queue, not errors.
 */
#ifndef BACKUPD_NOTICES_OUTBOX_H
#define BACKUPD_NOTICES_OUTBOX_H

#include "common/conf/conf.h"
#include "common/state/notices.h"

#define OUTBOX_FILE "notices.db" /* in the state directory */

enum {
    OUTBOX_PAUSE = 30,       /* seconds after the first failure; doubles */
    OUTBOX_PAUSE_MAX = 1800, /* up to this */
};

struct outbox_result {
    size_t sent;
    size_t failed;
    size_t left;      /* not tried */
    struct error why; /* of the last failure */
};

int outbox_send(const char *state, const struct conf_channel *channel, bool all, struct outbox_result *result,
                struct error *err);
/* When a notice that has failed `tries` times is tried again. */
int64_t outbox_pause(unsigned tries);

#endif
