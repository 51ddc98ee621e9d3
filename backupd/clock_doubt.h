/* clock_doubt.h - whether this host's clock can be right, from what the history has. */
#ifndef BACKUPD_CLOCK_DOUBT_H
#define BACKUPD_CLOCK_DOUBT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_DOUBT_FLOOR INT64_C(1767225600) /* 2026-01-01: this program is younger */
enum { CLOCK_DOUBT_MAX = 320 };

/* True, and why, when it shows a time before there was this program, or more than a day before the newest record (0: there is none). */
bool clock_doubt(int64_t now, int64_t newest, char out[CLOCK_DOUBT_MAX]);

#endif
