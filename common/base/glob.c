#include "common/base/glob.h"

#include <stddef.h>

#include "common/base/banned.h"

/* One byte of the name against the pattern at p; sets *next behind what was used. */
static bool one(const char *p, char c, const char **next)
{
    bool escaped = *p == '\\' && p[1] != '\0';
    *next = p + 1 + escaped;
    return *p != '\0' && ((*p == '?' && !escaped) || p[escaped] == c);
}

bool glob_match(const char *pattern, const char *name)
{
    const char *after_star = NULL; /* where to go on in the pattern when the last star takes one byte more */
    const char *from = NULL;
    while (*name != '\0') {
        const char *next = NULL;
        if (*pattern == '*') {
            after_star = ++pattern;
            from = name;
        } else if (one(pattern, *name, &next)) {
            pattern = next;
            name++;
        } else if (after_star != NULL) {
            pattern = after_star;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
