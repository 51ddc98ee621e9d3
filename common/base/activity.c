#include "common/base/activity.h"

#include <stdatomic.h>

#include "common/base/banned.h"

static atomic_uint_fast64_t total;

void activity_add(uint64_t bytes)
{
    (void)atomic_fetch_add_explicit(&total, bytes, memory_order_relaxed);
}

uint64_t activity_total(void)
{
    return atomic_load_explicit(&total, memory_order_relaxed);
}
