/*
 * suggest.h - "did you mean" (inside this room).
 */
#ifndef COMMON_CLI_SUGGEST_H
#define COMMON_CLI_SUGGEST_H

#include <stddef.h>

struct cli_suggestion {
    const char *word;
    const char *best; /* NULL: nothing is near */
    size_t distance;
};

enum { CLI_SUGGEST_TEXT_MAX = 128 };

struct cli_suggestion cli_suggest_for(const char *word);
void cli_suggest_offer(struct cli_suggestion *s, const char *candidate);
/* ", did you mean '<prefix>x'?" or "" in `out`. */
const char *cli_suggest_text(const struct cli_suggestion *s, const char *prefix,
                             char out[CLI_SUGGEST_TEXT_MAX]);

#endif
