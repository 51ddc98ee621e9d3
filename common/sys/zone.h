/*
 * zone.h - the local time of a zone, for calendars.
 *
 *     rc = zone_use("Europe/Berlin", err);          // process-wide, before threads start
 *     seconds = zone_offset(NULL, t);               // east of UTC at t
 *
 * "UTC" always works; other names are files of the system's zone database (package tzdata). What is printed for
 * people elsewhere stays UTC: nothing else asks for the zone.
 */
#ifndef COMMON_SYS_ZONE_H
#define COMMON_SYS_ZONE_H

#include <stdint.h>

#include "common/base/error.h"

enum { ZONE_NAME_MAX = 64 };

/* E_USAGE: there is no such zone on this system. */
int zone_use(const char *name, struct error *err);
/* arg is not looked at, so that it can stand where a callback is asked for. */
int64_t zone_offset(void *arg, uint64_t t);

#endif
