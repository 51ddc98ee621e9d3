/*
 * clock.h - the time, replaceable by tests.
 *
 * clock_wall() is seconds since 1970 and may jump; clock_mono_ms() only grows
 * and measures waits. clock_fake() replaces both (process-wide, set before
 * threads start); NULL goes back to the system's.
 */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H

#include <stdint.h>

struct clock_source {
    uint64_t (*wall)(void *arg);
    uint64_t (*mono_ms)(void *arg);
    void *arg;
};

uint64_t clock_wall(void);
uint64_t clock_mono_ms(void);
/* The same in microseconds, for sums of many short times; of a fake clock its milliseconds. */
uint64_t clock_mono_us(void);
void clock_fake(const struct clock_source *source);

#endif
