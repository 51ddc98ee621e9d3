/*
 * problem.h - collecting problems (inside this room).
 */
#ifndef COMMON_CONF_PROBLEM_H
#define COMMON_CONF_PROBLEM_H

#include "common/base/suggest.h"
#include "common/conf/conf.h"

/* Adds one. Running out of memory loses the text, never the count. */
void conf_problem_add(struct conf_problems *problems, struct conf_place place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void conf_problems_sort(struct conf_problems *problems);

#endif
