#include "common/sys/gentle.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/banned.h"

/* From linux/ioprio.h, which is not among the headers of every C library. */
enum { IO_WHO_PROCESS = 1, IO_CLASS_IDLE = 3, IO_CLASS_SHIFT = 13, LOWEST = 19 };

void process_gentle(void)
{
    (void)setpriority(PRIO_PROCESS, 0, LOWEST);
    (void)syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_CLASS_IDLE << IO_CLASS_SHIFT);
}
