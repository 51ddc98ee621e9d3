/*
 * wire.h - a channel's settings on their way to the process that sends.
 *
 *     rc = channel_write(channel, state, &text, err);          // the daemon, into the process's stdin
 *     rc = channel_read(text, len, &wire, err);                // there; wire.channel, wire.state
 *     channel_free(&wire);
 *
 * The daemon gives what it knows, so that a configuration that has been broken meanwhile keeps nobody from hearing of it. Secrets
 * are not in it, only where they are.
 */
#ifndef BACKUPD_NOTICES_WIRE_H
#define BACKUPD_NOTICES_WIRE_H

#include "common/cli/jsonin.h"
#include "common/conf/conf.h"
#include "common/state/notices.h"

/* What a pipe takes without anybody reading it. */
enum { CHANNEL_WIRE_MAX = 32 * 1024, CHANNEL_WIRE_LISTS = 5 };

struct channel_wire {
    struct conf_channel channel;
    const char *state;
    struct jsonin *root;                    /* owns the strings */
    const char **lists[CHANNEL_WIRE_LISTS]; /* private */
};

/* E_USAGE when it is longer than CHANNEL_WIRE_MAX. */
int channel_write(const struct conf_channel *channel, const char *state, struct buf *out, struct error *err);
int channel_read(const char *text, size_t len, struct channel_wire *out, struct error *err);
void channel_free(struct channel_wire *wire);

/* One notice, for the process that sends it when the queue takes nothing: texts that end with a zero. What is read lives as long as
 * the text. */
enum { NOTICE_WIRE_MAX = NOTICES_BODY_MAX + NOTICES_TEXT_MAX + 16 * 1024 };
int notice_write(const struct notice *notice, struct buf *out, struct error *err);
int notice_read(const char *text, size_t len, struct notice *out, struct error *err);

#endif
