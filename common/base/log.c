#include "common/base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/banned.h"

static log_fn *sink;
static void *sink_arg;

void log_to(log_fn *fn, void *arg)
{
    sink = fn;
    sink_arg = arg;
}

void log_event(enum log_level level, const char *fmt, ...)
{
    if (sink == NULL)
        return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int rc = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (rc >= 0)
        sink(level, text, sink_arg);
}
