/*
 * deliver.h - one notice over one channel, now.
 *
 *     rc = deliver(channel, &notice, err);
 *
 * 0: told. E_DENIED: what is at the other end does not want this very notice (an HTTP status like 404, a program that fails);
 * others may still go. Every other code is about the channel, and nothing else will get through now either. Secrets are resolved
 * here, each time, and live only during the call.
 */
#ifndef BACKUPD_NOTICES_DELIVER_H
#define BACKUPD_NOTICES_DELIVER_H

#include "common/conf/conf.h"
#include "common/state/notices.h"

#define DELIVER_SIGNATURE "X-Backupd-Signature"
#define DELIVER_TIMESTAMP "X-Backupd-Timestamp"

int deliver(const struct conf_channel *channel, const struct notice *notice, struct error *err);

/* The address of a ping: {job} replaced, "/start", "/fail" or "/log" put behind the path. E_USAGE when it does not fit. */
int deliver_ping_url(const char *url, const char *job, const char *event, char *out, size_t cap,
                     struct error *err);

#endif
