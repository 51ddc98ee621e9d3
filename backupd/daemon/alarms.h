/*
 * alarms.h - what was logged as an alarm in this process, for who tells it (inside daemon/).
 *
 *     alarms_listen();                    // before anything can go wrong
 *     while (alarms_take(text)) ...       // in the loop
 *
 * log_event(LOG_ALARM, ...) on any thread; the newest ALARMS_MAX are kept until they are taken, and of more their number.
 */
#ifndef BACKUPD_DAEMON_ALARMS_H
#define BACKUPD_DAEMON_ALARMS_H

#include <stdbool.h>

enum { ALARMS_MAX = 16, ALARMS_TEXT_MAX = 1024 };

void alarms_listen(void);
bool alarms_wait(void); /* whether any is there */
/* The oldest; false when there is none. */
bool alarms_take(char out[ALARMS_TEXT_MAX]);
/* What this thread logs from now on is not kept (true), for who tells alarms himself. */
void alarms_quiet(bool quiet);

#endif
