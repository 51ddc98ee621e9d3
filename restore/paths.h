/*
 * paths.h - the PATH arguments of a verb: which members are meant.
 *
 * A path means the member of that name and everything below it. Without paths
 * every member is meant. A '/' at the end, and "./" or "/" at the beginning, are
 * dropped: members have neither.
 *
 *     paths_of(&p, args, n, err);
 *     if (paths_take(&p, member)) ...              // and remembers which argument was of use
 *     const char *useless = paths_missed(&p);      // NULL: each argument named something
 *     paths_free(&p);
 */
#ifndef RESTORE_PATHS_H
#define RESTORE_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/error.h"

struct path_arg {
    const char *text; /* into argv */
    size_t len;
    bool hit;
};

struct paths {
    struct path_arg *list;
    size_t n;
};

int paths_of(struct paths *p, const char *const *args, size_t n, struct error *err);
bool paths_take(struct paths *p, const char *member);
/* The same without remembering. */
bool paths_match(const struct paths *p, const char *member);
const char *paths_missed(const struct paths *p);
void paths_free(struct paths *p);

#endif
