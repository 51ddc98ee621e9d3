/*
 * glob.h - patterns for names: '*' any bytes, also none; '?' one byte; '\' takes the special meaning from what follows.
 */
#ifndef COMMON_BASE_GLOB_H
#define COMMON_BASE_GLOB_H

#include <stdbool.h>

/* The whole name. A pattern without stars is compared in linear time, one with stars never in more than the product
 * of the lengths. */
bool glob_match(const char *pattern, const char *name);

#endif
