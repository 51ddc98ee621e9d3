/*
 * error.h - what went wrong, carried upward once.
 *
 * Every call that can fail takes `struct error *err` as its last argument and
 * returns 0 (or a pointer), or a negative enum error_code (or NULL).
 *
 *     struct error err = ERROR_INIT;
 *     if (pack_open(store, name, &pack, &err) < 0)
 *         return error_wrap(&err, "pack %s", name);
 *
 * Rules
 *   - `err` is untouched on success. It may be NULL: the code alone is then
 *     returned.
 *   - The place that fails says what failed (error_set, error_sys,
 *     error_corrupt). A caller adds only the location it knows (error_wrap).
 *   - The library never prints an error; a program prints it once.
 *   - The text names the thing and, where there is one, the way out. It never
 *     holds a secret.
 *
 * Ownership: struct error holds its text by value; nothing is to be freed.
 */
#ifndef COMMON_BASE_ERROR_H
#define COMMON_BASE_ERROR_H

#include <stdbool.h>

/* What the caller can do about it. Never reorder: only names are public. */
enum error_code {
    E_OK = 0,
    E_RETRY = -1,       /* passing: a lost connection, a lock; the same call may succeed */
    E_NOT_FOUND = -2,   /* the named thing is not there */
    E_EXISTS = -3,      /* create-exclusive met an existing thing */
    E_CORRUPT = -4,     /* bytes that are not what their author wrote; never retried */
    E_AUTH = -5,        /* a key or passphrase does not open or sign */
    E_DENIED = -6,      /* permission refused */
    E_NO_SPACE = -7,    /* disk full or quota */
    E_IO = -8,          /* the system failed a read, write or other call */
    E_UNSUPPORTED = -9, /* a version, kind or feature this program does not have */
    E_USAGE = -10,      /* the caller or the user asked for something impossible */
    E_CANCELLED = -11,  /* stopped on request */
    E_NOMEM = -12,      /* out of memory */
    E_INTERNAL = -13,   /* a broken promise inside this program */
    E_BUSY = -14,       /* somebody else holds it: another run, a locked database */
    E_CONFLICT = -15,   /* two truths: a fork, a rollback, a changed host key */
};

enum { ERROR_TEXT_MAX = 1024 };

struct error {
    int code;         /* enum error_code */
    int sys;          /* errno at the time, or 0 */
    const char *name; /* stable name of a format violation ("pack-trailer"), or NULL; static string */
    char text[ERROR_TEXT_MAX];
};

#define ERROR_INIT                                    \
    {                                                 \
        .code = 0, .sys = 0, .name = NULL, .text = "" \
    }

/* Records code and text; returns code. */
int error_set(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Records text + ": " + strerror(errno); the code follows from errno (ENOENT is E_NOT_FOUND, EACCES
 * E_DENIED, ENOSPC and EDQUOT E_NO_SPACE, ENOMEM E_NOMEM, EEXIST E_EXISTS, else E_IO). Returns it. */
int error_sys(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Records a violation of the repository format under its public name (docs/format.md lists them all);
 * returns E_CORRUPT. `name` must be a string literal from common/repo/format.h or the like. */
int error_corrupt(struct error *err, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with another code: a violation that is no damage. */
int error_named(struct error *err, int code, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "text: " before what is recorded; returns the recorded code. */
int error_wrap(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Copies `from` into `to` (which may be NULL); returns from->code. */
int error_copy(struct error *to, const struct error *from);

/* Forgets what is recorded. */
void error_clear(struct error *err);

/* "RETRY", "CORRUPT", ...: stable names for programs. */
const char *error_code_name(int code);

/* The code that belongs to an errno value. */
int error_code_of_errno(int sys);

/* True for failures that the same call, made again later, may survive. */
bool error_is_passing(int code);

#endif
