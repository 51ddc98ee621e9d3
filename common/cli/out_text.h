/*
 * out_text.h - pieces of out.c for its neighbours (inside this room).
 */
#ifndef COMMON_CLI_OUT_TEXT_H
#define COMMON_CLI_OUT_TEXT_H

#include <stdarg.h>

#include "common/cli/out.h"

/* For free(), or NULL without memory. */
char *out_format(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
/* The text made safe for a terminal; keep_lines: line ends stay. */
char *out_safe(const char *text, bool keep_lines);
/* Prints with the style's colours, as it is. */
void out_styled(const struct out *out, enum out_style style, const char *text);

#endif
