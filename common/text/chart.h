/*
 * chart.h - small pictures inside a page: bars, a line, a calendar (inline SVG, html.h).
 *
 *     static const struct chart_item runs[] = { { .value = 12, .cls = "ok", .title = "2026-11-28: 12 s" }, ... };
 *     chart_bars(&h, &(struct chart){ .name = "Duration of the last runs", .width = 300, .height = 40 }, runs, n);
 *
 * A picture scales with its column (viewBox, no fixed size) and is an image with a name for those who do not see it; each
 * item has its own title. Colours are classes, given by the style sheet: page.h's knows "ok", "warn", "bad", "run",
 * "none", "mark" and "area".
 */
#ifndef COMMON_TEXT_CHART_H
#define COMMON_TEXT_CHART_H

#include <stddef.h>

#include "common/text/html.h"

struct chart {
    const char *name; /* what the picture shows, one sentence */
    double width;     /* in its own units; text in it is 10 high */
    double height;
    double max; /* of the values; 0: the largest one */
};

struct chart_item {
    double value; /* negative counts as 0 */
    const char *cls;
    const char *title; /* NULL: none */
};

/* One bar for each item from left to right; a value above 0 is always seen. */
void chart_bars(struct html *h, const struct chart *c, const struct chart_item *items, size_t n);
/* A line through the values with the area below it, and a mark with a title at each item. Needs two. */
void chart_line(struct html *h, const struct chart *c, const struct chart_item *items, size_t n);
/* Days as cells: a column for each week, Monday on top. first is the weekday of items[0] (0 = Sunday). Values are not used. */
void chart_calendar(struct html *h, const char *name, const struct chart_item *items, size_t n, int first);
/* A share as a bar: what is used of the whole. */
void chart_share(struct html *h, const struct chart *c, double share, const char *cls);

/* For pictures of one's own. */
void chart_begin(struct html *h, const char *name, double width, double height, const char *cls);
void chart_rect(struct html *h, double x, double y, double width, double height, const char *cls,
                const char *title);
void chart_end(struct html *h);

#endif
