/*
 * problem.h - collecting problems (inside this room).
 */
#ifndef COMMON_CONF_PROBLEM_H
#define COMMON_CONF_PROBLEM_H

#include "common/conf/conf.h"

/* Adds one. Running out of memory loses the text, never the count. */
void conf_problem_add(struct conf_problems *problems, struct conf_place place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void conf_problems_sort(struct conf_problems *problems);

/* "Did you mean": offer every candidate, then take the best, or NULL when none is near. */
struct conf_suggestion {
    const char *word;
    const char *best;
    size_t distance;
};

struct conf_suggestion conf_suggest_for(const char *word);
void conf_suggest_offer(struct conf_suggestion *s, const char *candidate);
/* ", did you mean 'x'?" or "" in `out`. */
enum { SUGGEST_TEXT_MAX = 128 };
const char *conf_suggest_text(const struct conf_suggestion *s, char out[SUGGEST_TEXT_MAX]);

#endif
