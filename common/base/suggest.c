#include "common/base/suggest.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

struct suggestion suggest_for(const char *word)
{
    size_t len = strlen(word);
    size_t limit = len < 2 ? 0 : len < 4 ? 1 : len < 8 ? 2 : 3;
    return (struct suggestion){ .word = word, .best = NULL, .distance = limit + 1 };
}

void suggest_offer(struct suggestion *s, const char *candidate)
{
    enum { PREFIX_MIN = 3 };
    size_t limit = s->distance - 1;
    if (limit == 0 || s->word[0] == '\0')
        return;
    size_t d = str_distance(s->word, candidate, limit);
    /* the beginning of a longer word is near although many letters are missing */
    if (d > limit && s->best == NULL && strlen(s->word) >= PREFIX_MIN && str_starts(candidate, s->word))
        d = limit;
    if (d <= limit) {
        s->best = candidate;
        s->distance = d;
    }
}

const char *suggest_text(const struct suggestion *s, const char *prefix, char out[SUGGEST_TEXT_MAX])
{
    out[0] = '\0';
    if (s->best != NULL)
        (void)snprintf(out, SUGGEST_TEXT_MAX, ", did you mean '%s%s'?", prefix, s->best);
    return out;
}
