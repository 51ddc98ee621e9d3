/*
 * notify.h - telling a service manager how it goes: the protocol of sd_notify(3), without its library.
 *
 *     struct notify n;
 *     notify_open(&n, err);                         // n.fd is -1 where nobody listens (no NOTIFY_SOCKET): all is fine
 *     notify_send(&n, "READY=1\nSTATUS=...");       // never waits
 *     notify_watchdog_ms()                          // the time within which WATCHDOG=1 is expected; 0: not asked for
 *     notify_close(&n);
 *
 * Lines are KEY=VALUE. The socket is the environment's NOTIFY_SOCKET: a path, or '@' and an abstract name. Children of child.h
 * do not get these variables, so that nobody speaks in this process's name.
 */
#ifndef COMMON_SYS_NOTIFY_H
#define COMMON_SYS_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/base/error.h"

struct notify {
    int fd; /* -1: nobody listens */
    socklen_t len;
    struct sockaddr_un to;
};

/* E_USAGE: NOTIFY_SOCKET is no address. n is usable (and silent) in any case. */
int notify_open(struct notify *n, struct error *err);
void notify_close(struct notify *n);

/* 0 also when nobody listens; E_RETRY: the other side has not read yet, send it again later; E_IO. */
int notify_send(const struct notify *n, const char *lines, struct error *err);

/* WATCHDOG_USEC when it is meant for this process (WATCHDOG_PID). */
uint64_t notify_watchdog_ms(void);

#endif
