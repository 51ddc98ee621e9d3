#include "common/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/banned.h"

__attribute__((format(printf, 5, 0))) static void put(struct error *err, int code, int sys, const char *name,
                                                      const char *fmt, va_list ap)
{
    err->code = code;
    err->sys = sys;
    err->name = name;
    if (vsnprintf(err->text, sizeof err->text, fmt, ap) < 0)
        err->text[0] = '\0';
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        va_start(ap, fmt);
        put(err, code, 0, NULL, fmt, ap);
        va_end(ap);
    }
    return code;
}

int error_sys(struct error *err, const char *fmt, ...)
{
    int sys = errno;
    int code = error_code_of_errno(sys);
    if (err != NULL) {
        va_list ap;
        va_start(ap, fmt);
        put(err, code, sys, NULL, fmt, ap);
        va_end(ap);
        char reason[128];
        const char *why = strerror_r(sys, reason, sizeof reason);
        size_t used = strlen(err->text);
        (void)snprintf(err->text + used, sizeof err->text - used, ": %s", why);
    }
    return code;
}

int error_named(struct error *err, int code, const char *name, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        va_start(ap, fmt);
        put(err, code, 0, name, fmt, ap);
        va_end(ap);
    }
    return code;
}

int error_corrupt(struct error *err, const char *name, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        va_start(ap, fmt);
        put(err, E_CORRUPT, 0, name, fmt, ap);
        va_end(ap);
    }
    return E_CORRUPT;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
    if (err == NULL)
        return E_INTERNAL;
    char head[ERROR_TEXT_MAX];
    char whole[ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(head, sizeof head, fmt, ap) < 0)
        head[0] = '\0';
    va_end(ap);
    /* What is deepest is cut last: the cause matters more than the path to it. */
    size_t keep = strlen(err->text);
    size_t room = keep + 3 < sizeof whole ? sizeof whole - keep - 3 : 0;
    if (snprintf(whole, sizeof whole, "%.*s: %s", (int)room, head, err->text) < 0)
        return err->code;
    memcpy(err->text, whole, sizeof err->text);
    return err->code;
}

int error_copy(struct error *to, const struct error *from)
{
    if (to != NULL && to != from)
        *to = *from;
    return from->code;
}

void error_clear(struct error *err)
{
    if (err == NULL)
        return;
    err->code = 0;
    err->sys = 0;
    err->name = NULL;
    err->text[0] = '\0';
}

const char *error_code_name(int code)
{
    static const char *const names[] = {
        "OK", "RETRY",       "NOT_FOUND", "EXISTS",    "CORRUPT", "AUTH",     "DENIED", "NO_SPACE",
        "IO", "UNSUPPORTED", "USAGE",     "CANCELLED", "NOMEM",   "INTERNAL", "BUSY",   "CONFLICT",
    };
    const int count = (int)(sizeof names / sizeof names[0]);
    return code <= 0 && code > -count ? names[-code] : "UNKNOWN";
}

int error_code_of_errno(int sys)
{
    switch (sys) {
    case ENOENT:
    case ENOTDIR:
        return E_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return E_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return E_DENIED;
    case ENOSPC:
    case EDQUOT:
        return E_NO_SPACE;
    case ENOMEM:
        return E_NOMEM;
    case EAGAIN:
    case ETIMEDOUT:
    case ECONNRESET:
    case ECONNREFUSED:
    case EPIPE:
        return E_RETRY;
    case EBUSY:
        return E_BUSY;
    default:
        return E_IO;
    }
}

bool error_is_passing(int code)
{
    return code == E_RETRY || code == E_BUSY;
}
