/*
 * aliases.h - files whose chosen names are only hard links.
 *
 * A snapshot holds a file once, under its first name; its other names are links to that one. When the PATHs of a
 * restore leave the first name out, the file is made under the first name that was chosen instead: its alias.
 *
 *     aliases_note(&a, target, path, err)...;  aliases_settle(&a);    // each chosen link to a target that is not
 *     aliases_find(&a, target)                                       // the alias, or NULL
 *     aliases_free(&a);
 */
#ifndef RESTORE_ALIASES_H
#define RESTORE_ALIASES_H

#include "common/base/error.h"
#include "common/base/vec.h"

struct aliases {
    struct vec list; /* struct alias; item 0 before the first note */
};

int aliases_note(struct aliases *a, const char *target, const char *path, struct error *err);
void aliases_settle(struct aliases *a);
const char *aliases_find(const struct aliases *a, const char *target);
void aliases_free(struct aliases *a);

#endif
