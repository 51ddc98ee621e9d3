/*
 * suggest.h - "did you mean": the nearest of some words.
 *
 *     struct suggestion near = suggest_for(typed);
 *     for (each known word) suggest_offer(&near, word);
 *     error_set(err, E_USAGE, "unknown '%s'%s", typed, suggest_text(&near, "--", hint));
 *
 * Near means few edits for the length of the word, or its beginning. Words are borrowed.
 */
#ifndef COMMON_BASE_SUGGEST_H
#define COMMON_BASE_SUGGEST_H

#include <stddef.h>

struct suggestion {
    const char *word;
    const char *best; /* NULL: nothing is near */
    size_t distance;
};

enum { SUGGEST_TEXT_MAX = 128 };

struct suggestion suggest_for(const char *word);
void suggest_offer(struct suggestion *s, const char *candidate);
/* ", did you mean '<prefix>x'?" or "" in `out`. */
const char *suggest_text(const struct suggestion *s, const char *prefix, char out[SUGGEST_TEXT_MAX]);

#endif
