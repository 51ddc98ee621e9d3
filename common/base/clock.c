#include "common/base/clock.h"

#include <stddef.h>
#include <time.h>

#include "common/base/banned.h"

static const struct clock_source *fake;

void clock_fake(const struct clock_source *source)
{
    fake = source;
}

uint64_t clock_wall(void)
{
    if (fake != NULL)
        return fake->wall(fake->arg);
    struct timespec ts = { 0 };
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec > 0 ? (uint64_t)ts.tv_sec : 0;
}

uint64_t clock_mono_us(void)
{
    struct timespec ts = { 0 };
    if (fake != NULL)
        return fake->mono_ms(fake->arg) * 1000;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_ms(void)
{
    if (fake != NULL)
        return fake->mono_ms(fake->arg);
    struct timespec ts = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
