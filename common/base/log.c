#include "common/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/banned.h"

static log_fn *sink;
static void *sink_arg;
static log_fn *tap;
static void *tap_arg;

void log_to(log_fn *fn, void *arg)
{
    sink = fn;
    sink_arg = arg;
}

void log_tap(log_fn *fn, void *arg)
{
    tap = fn;
    tap_arg = arg;
}

void log_event(enum log_level level, const char *fmt, ...)
{
    static _Thread_local bool tapping;
    if (sink == NULL && tap == NULL)
        return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int rc = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (rc >= 0 && sink != NULL)
        sink(level, text, sink_arg);
    if (rc >= 0 && tap != NULL && !tapping) {
        tapping = true;
        tap(level, text, tap_arg);
        tapping = false;
    }
}
