#include "common/sys/gentle.h"

#include "common/sys/limits.h"

#include "common/base/banned.h"

void process_gentle(void)
{
    static const struct process_limits gentle = { .nice = PROCESS_NICE_MAX, .ionice = IONICE_IDLE };
    (void)process_limits_set(&gentle);
}
