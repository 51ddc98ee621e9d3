#include "common/text/chart.h"

#include "common/base/banned.h"

enum { CELL = 12, GAP = 3, WEEK = 7 };

void chart_begin(struct html *h, const char *name, double width, double height, const char *cls)
{
    html_open(h, "svg");
    html_attr(h, "class", cls);
    html_attrf(h, "viewBox", "0 0 %ld %ld", (long)width, (long)height);
    html_attr(h, "role", "img");
    html_attr(h, "aria-label", name);
    html_element(h, "title", NULL, name);
}

void chart_end(struct html *h)
{
    html_close(h);
}

void chart_rect(struct html *h, double x, double y, double width, double height, const char *cls,
                const char *title)
{
    html_open(h, "rect");
    html_attr_coord(h, "x", x);
    html_attr_coord(h, "y", y);
    html_attr_coord(h, "width", width);
    html_attr_coord(h, "height", height);
    if (cls != NULL)
        html_attr(h, "class", cls);
    if (title != NULL)
        html_element(h, "title", NULL, title);
    html_close(h);
}

static double top_of(const struct chart *c, const struct chart_item *items, size_t n)
{
    double max = c->max;
    for (size_t i = 0; i < n && c->max <= 0; i++)
        max = items[i].value > max ? items[i].value : max;
    return max > 0 ? max : 1;
}

static double height_of(const struct chart *c, double value, double max)
{
    double share = value > 0 ? value / max : 0;
    return (share > 1 ? 1 : share) * c->height;
}

void chart_bars(struct html *h, const struct chart *c, const struct chart_item *items, size_t n)
{
    double max = top_of(c, items, n);
    double step = n > 0 ? c->width / (double)n : c->width;
    double gap = step > 4 ? step * 0.2 : 0;
    chart_begin(h, c->name, c->width, c->height, "chart bars");
    for (size_t i = 0; i < n; i++) {
        double high = height_of(c, items[i].value, max);
        high = items[i].value > 0 && high < 2 ? 2 : high;
        chart_rect(h, (double)i * step, c->height - high, step - gap, high, items[i].cls, items[i].title);
    }
    chart_end(h);
}

static long tenths(double v)
{
    return (long)(v * 10 + 0.5);
}

/* "x,y x,y ...", in one attribute of any length. */
static void points(struct html *h, const struct chart *c, const struct chart_item *items, size_t n,
                   double max, bool closed)
{
    struct buf text = BUF_INIT;
    int rc = closed ? buf_printf(&text, &h->why, "0,%ld ", (long)c->height) : 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        long x = tenths((double)i * c->width / (double)(n - 1));
        long y = tenths(c->height - height_of(c, items[i].value, max));
        rc = buf_printf(&text, &h->why, "%ld.%ld,%ld.%ld ", x / 10, x % 10, y / 10, y % 10);
    }
    if (rc == 0 && closed)
        rc = buf_printf(&text, &h->why, "%ld,%ld", (long)c->width, (long)c->height);
    if (rc == 0)
        rc = buf_append(&text, "", 1, &h->why);
    if (rc == 0)
        html_attr(h, "points", (const char *)text.data);
    buf_free(&text);
}

void chart_line(struct html *h, const struct chart *c, const struct chart_item *items, size_t n)
{
    double max = top_of(c, items, n);
    chart_begin(h, c->name, c->width, c->height, "chart line");
    if (n >= 2) {
        html_open(h, "polygon");
        html_attr(h, "class", "area");
        points(h, c, items, n, max, true);
        html_close(h);
        html_open(h, "polyline");
        points(h, c, items, n, max, false);
        html_close(h);
    }
    /* What the pointer meets: the whole height beside each value. */
    double step = n > 0 ? c->width / (double)n : c->width;
    for (size_t i = 0; i < n; i++)
        if (items[i].title != NULL)
            chart_rect(h, (double)i * step, 0, step, c->height, "hover", items[i].title);
    chart_end(h);
}

void chart_calendar(struct html *h, const char *name, const struct chart_item *items, size_t n, int first)
{
    size_t skip = (size_t)((first + WEEK - 1) % WEEK); /* days of the first column before items[0] */
    size_t weeks = (skip + n + WEEK - 1) / WEEK;
    double pitch = CELL + GAP;
    chart_begin(h, name, (double)weeks * pitch - GAP, WEEK * pitch - GAP, "chart calendar");
    for (size_t i = 0; i < n; i++) {
        size_t at = skip + i;
        chart_rect(h, (double)(at / WEEK) * pitch, (double)(at % WEEK) * pitch, CELL, CELL, items[i].cls,
                   items[i].title);
    }
    chart_end(h);
}

void chart_share(struct html *h, const struct chart *c, double share, const char *cls)
{
    double s = share > 0 ? share : 0;
    chart_begin(h, c->name, c->width, c->height, "chart share");
    chart_rect(h, 0, 0, c->width, c->height, "none", NULL);
    chart_rect(h, 0, 0, (s > 1 ? 1 : s) * c->width, c->height, cls, NULL);
    chart_end(h);
}
