/*
 * activity.h - a count of bytes that this process has moved, for whoever wants to know whether it still does.
 *
 *     activity_add(n);             // what sends to or reads from a storage; any thread
 *     activity_total();            // shown in the lines of progress
 *
 * Bytes of a source alone would not do: while a slow upload is on, nothing is read.
 */
#ifndef COMMON_BASE_ACTIVITY_H
#define COMMON_BASE_ACTIVITY_H

#include <stdint.h>

void activity_add(uint64_t bytes);
uint64_t activity_total(void);

#endif
