/* The pictures of the status page: a calendar of nights and the sizes of each job. */
#include <stdio.h>

#include "backupd/pages/status_page_internal.h"
#include "common/base/number.h"
#include "common/base/zone.h"
#include "common/text/chart.h"

#include "common/base/banned.h"

enum { TITLE_MAX = 160, BAR_WIDTH = 300, BAR_HEIGHT = 44 };

static void caption(struct html *h, const char *left, const char *right)
{
    html_open(h, "figcaption");
    html_element(h, "b", NULL, left);
    html_element(h, "span", NULL, right);
    html_close(h);
}

/* ---- nights ------------------------------------------------------------------------------------------------------------- */

static void night_title(char out[TITLE_MAX], const struct view_night *n)
{
    struct civil c;
    civil_of_days(n->day, &c);
    int at = snprintf(out, TITLE_MAX, "%04d-%02d-%02d: %s", c.year, c.month, c.day,
                      n->any ? history_verdict_name(n->verdict) : "nothing");
    size_t used = at > 0 && at < TITLE_MAX ? (size_t)at : 0;
    if (n->any && used > 0 && n->runs > 1)
        (void)snprintf(out + used, TITLE_MAX - used, ", %u runs, %u of them not well", n->runs, n->bad);
    else if (n->any && used > 0 && n->skipped > 0)
        (void)snprintf(out + used, TITLE_MAX - used, ", %llu skipped", (unsigned long long)n->skipped);
}

/* Before the job was there, nights are no gap. */
static void nights_of(struct html *h, const struct view_job *j)
{
    struct chart_item items[VIEW_NIGHTS];
    char titles[VIEW_NIGHTS][TITLE_MAX];
    char name[TITLE_MAX];
    char right[64];
    unsigned good = 0;
    unsigned all = 0;
    for (int i = 0; i < VIEW_NIGHTS; i++) {
        const struct view_night *n = &j->nights[i];
        bool is_good = n->any && (n->verdict == HISTORY_OK || n->verdict == HISTORY_WARNING);
        night_title(titles[i], n);
        items[i] =
            (struct chart_item){ .cls = n->any ? page_class_of(n->verdict) : "none", .title = titles[i] };
        good += is_good ? 1 : 0;
        all += n->any && n->verdict != HISTORY_RUNNING ? 1 : 0;
    }
    (void)snprintf(name, sizeof name, "The last %d days of %.64s: %u of %u with a success", VIEW_NIGHTS,
                   j->name, good, all);
    (void)snprintf(right, sizeof right, "%u of %u", good, all);
    html_open(h, "figure");
    html_attr(h, "data-job", j->name);
    caption(h, j->name, right);
    chart_calendar(h, name, items, VIEW_NIGHTS, civil_weekday(j->nights[0].day));
    html_close(h);
}

static void legend(struct html *h)
{
    static const struct {
        const char *cls;
        const char *text;
    } entries[] = { { "ok", "succeeded" },
                    { "warn", "with a warning, or skipped" },
                    { "bad", "failed" },
                    { "run", "runs now" },
                    { "none", "nothing was due" } };
    html_open(h, "div");
    html_attr(h, "class", "legend");
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        html_open(h, "span");
        html_open(h, "svg");
        html_attr(h, "viewBox", "0 0 12 12");
        html_attr(h, "aria-hidden", "true");
        chart_rect(h, 0, 0, 12, 12, entries[i].cls, NULL);
        html_close(h);
        html_text(h, entries[i].text);
        html_close(h);
    }
    html_close(h);
}

void page_nights(struct html *h, const struct view *view)
{
    html_open(h, "section");
    html_attr(h, "id", "nights");
    html_attr(h, "class", "card");
    html_element(h, "h2", NULL, "Nights");
    html_open(h, "p");
    html_attr(h, "class", "dim");
    html_textf(h, "The last %d days, a column for each week, Monday on top.", VIEW_NIGHTS);
    html_close(h);
    html_open(h, "div");
    html_attr(h, "class", "charts small");
    for (size_t i = 0; i < view->jobs.len; i++) {
        const struct view_job *j = vec_at(&view->jobs, i);
        if (j->nights != NULL)
            nights_of(h, j);
    }
    html_close(h);
    legend(h);
    html_close(h);
}

/* ---- sizes -------------------------------------------------------------------------------------------------------------- */

typedef int64_t value_fn(const struct history_point *p);

static int64_t read_of(const struct history_point *p)
{
    return p->read;
}

static int64_t fresh_of(const struct history_point *p)
{
    return p->fresh;
}

static void picture(struct html *h, const struct view_job *j, const char *what, value_fn *value, bool line)
{
    struct chart_item items[VIEW_POINTS];
    char titles[VIEW_POINTS][TITLE_MAX];
    char name[TITLE_MAX];
    char size[NUMBER_TEXT_MAX];
    size_t n = j->points.len < VIEW_POINTS ? j->points.len : VIEW_POINTS;
    for (size_t i = 0; i < n; i++) {
        const struct history_point *p = vec_at(&j->points, i);
        char wall[32];
        (void)snprintf(titles[i], TITLE_MAX, "%s: %s %s", zone_format(wall, view_when(p)),
                       size_format(size, (uint64_t)value(p)), what);
        items[i] = (struct chart_item){ .value = (double)value(p), .cls = "run", .title = titles[i] };
    }
    (void)snprintf(name, sizeof name, "%.64s: %s in each of the last %zu runs", j->name, what, n);
    const struct chart c = { .name = name, .width = BAR_WIDTH, .height = BAR_HEIGHT };
    caption(h, what, size_format(size, (uint64_t)value(vec_at(&j->points, n - 1))));
    if (line && n >= 2)
        chart_line(h, &c, items, n);
    else
        chart_bars(h, &c, items, n);
}

static void sizes_of(struct html *h, const struct view_job *j)
{
    html_open(h, "div");
    html_attr(h, "data-job", j->name);
    html_element(h, "h3", NULL, j->name);
    html_open(h, "figure");
    picture(h, j, "read", read_of, true);
    html_close(h);
    html_open(h, "figure");
    picture(h, j, "new", fresh_of, false);
    html_close(h);
    html_close(h);
}

void page_sizes(struct html *h, const struct view *view)
{
    size_t shown = 0;
    html_open(h, "section");
    html_attr(h, "id", "sizes");
    html_attr(h, "class", "card");
    html_element(h, "h2", NULL, "Sizes");
    html_open(h, "div");
    html_attr(h, "class", "charts");
    for (size_t i = 0; i < view->jobs.len; i++) {
        const struct view_job *j = vec_at(&view->jobs, i);
        if (j->points.len == 0)
            continue;
        sizes_of(h, j);
        shown++;
    }
    html_close(h);
    if (shown == 0)
        html_element(h, "p", "dim", "No run has finished yet.");
    html_close(h);
}
