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

static _Thread_local const char *kind_here = "";

__attribute__((format(printf, 2, 0))) static void say(enum log_level level, const char *fmt, va_list ap)
{
    static _Thread_local bool tapping;
    if (sink == NULL && tap == NULL)
        return;
    char text[1024];
    int rc = vsnprintf(text, sizeof text, fmt, ap);
    if (rc >= 0 && sink != NULL)
        sink(level, text, sink_arg);
    if (rc >= 0 && tap != NULL && !tapping) {
        tapping = true;
        tap(level, text, tap_arg);
        tapping = false;
    }
}

void log_event(enum log_level level, const char *fmt, ...)
{
    const char *outer = kind_here; /* of the event that a sink is called for, which says something itself */
    va_list ap;
    va_start(ap, fmt);
    kind_here = "";
    say(level, fmt, ap);
    kind_here = outer;
    va_end(ap);
}

void log_event_of(enum log_level level, const char *kind, const char *fmt, ...)
{
    const char *outer = kind_here;
    va_list ap;
    va_start(ap, fmt);
    kind_here = kind;
    say(level, fmt, ap);
    kind_here = outer;
    va_end(ap);
}

const char *log_kind(void)
{
    return kind_here;
}
