/*
 * watchdog.h - the part that speaks with the service manager (inside daemon/).
 *
 * With NOTIFY_SOCKET (systemd's Type=notify, or another manager that reads the same lines): READY=1 when the loop begins,
 * RELOADING=1 and READY=1 around a reload, STOPPING=1 with EXTEND_TIMEOUT_USEC for stop_timeout, STATUS= with what is on and
 * due next, and with WATCHDOG_USEC a WATCHDOG=1 at half of that time. All of it is sent by the loop itself: when the loop
 * hangs the signs end, and the manager kills it. Without NOTIFY_SOCKET the part is silent and wakes nobody.
 */
#ifndef BACKUPD_DAEMON_WATCHDOG_H
#define BACKUPD_DAEMON_WATCHDOG_H

#include "backupd/daemon/part.h"

extern const struct part_kind part_watchdog;

#endif
