/* Where the time went; the drills before this one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/text/chart.h"
#include "restore/drill/page.h"

#include "common/base/banned.h"

enum { TREND_MAX = 60, DAYS = 26 * 7, DAY = 86400, WEEK = 7, TITLE_MAX = 96 };

/* ---- phases -------------------------------------------------------------------------------------------- */

struct phase {
    const char *name;
    const char *what;
    uint64_t ms;
};
enum { PHASES = 6 };

static void phases_of(const struct drill_result *r, struct phase out[PHASES])
{
    const struct drill_phases *p = &r->phases;
    const struct phase all[PHASES] = {
        { "Prepare", "an empty server or directory was made", p->prepare_ms },
        { "Fetch", "waiting for the storage", p->fetch_ms },
        { "Decrypt", "opening and decompressing", p->decrypt_ms },
        { "Load", "rows and definitions into the server", p->load_ms },
        { "Index", "indexes, keys and constraints", p->index_ms },
        { "Check", "everything was compared; no part of the time to restore", p->check_ms },
    };
    memcpy(out, all, sizeof all);
}

static uint64_t total_of(const struct phase p[PHASES])
{
    uint64_t sum = 0;
    for (size_t i = 0; i < PHASES; i++)
        sum += p[i].ms;
    return sum;
}

static void bar(struct html *h, const struct phase p[PHASES], uint64_t total)
{
    enum { WIDTH = 1000, HEIGHT = 22 };
    double x = 0;
    html_open(h, "svg");
    html_attr(h, "class", "bar");
    html_attr(h, "viewBox", "0 0 1000 22");
    html_attr(h, "preserveAspectRatio", "none");
    html_attr(h, "role", "img");
    html_attr(h, "aria-label", "Share of each phase of the whole time");
    for (size_t i = 0; i < PHASES; i++) {
        char t[NUMBER_TEXT_MAX];
        char title[TITLE_MAX];
        char cls[] = "p0";
        double width = (double)p[i].ms * WIDTH / (double)total;
        cls[1] = (char)('0' + i);
        (void)snprintf(title, sizeof title, "%s: %s", p[i].name, duration_format(t, p[i].ms));
        if (p[i].ms != 0)
            chart_rect(h, x, 0, width, HEIGHT, cls, title);
        x += width;
    }
    html_close(h);
}

static void phase_row(struct html *h, const struct phase *p, size_t i, uint64_t total)
{
    char t[NUMBER_TEXT_MAX];
    html_open(h, "tr");
    html_open(h, "td");
    html_open(h, "i");
    html_attrf(h, "class", "swatch p%u", (unsigned)i);
    html_close(h);
    html_text(h, p->name);
    html_close(h);
    html_element(h, "td", "dim", p->what);
    html_element(h, "td", "num", duration_format(t, p->ms));
    html_open(h, "td");
    html_attr(h, "class", "num dim");
    html_textf(h, "%.0f %%", (double)p->ms * 100 / (double)total);
    html_close(h);
    html_close(h);
}

void drill_page_phases(struct html *h, const struct drill_page *p)
{
    struct phase phases[PHASES];
    phases_of(p->result, phases);
    uint64_t total = total_of(phases);
    if (total == 0)
        return;
    html_open(h, "section");
    html_attr(h, "class", "card");
    html_element(h, "h2", NULL, "Where the time went");
    bar(h, phases, total);
    html_open(h, "table");
    for (size_t i = 0; i < PHASES; i++)
        phase_row(h, &phases[i], i, total);
    html_close(h);
    html_close(h);
}

/* ---- trends -------------------------------------------------------------------------------------------- */

static const char *class_of(enum drill_verdict v)
{
    return v == DRILL_PASS ? "ok" : v == DRILL_FAIL ? "bad" : "warn";
}

struct trend {
    struct chart_item items[TREND_MAX];
    char titles[TREND_MAX][TITLE_MAX];
    size_t n;
    uint64_t last;
};

static uint64_t value_of(const struct drill_point *d, bool size)
{
    return size ? d->bytes : d->rto_ms;
}

static const char *value_text(char out[NUMBER_TEXT_MAX], uint64_t v, bool size)
{
    return size ? size_format(out, v) : duration_format(out, v);
}

/* Drills that could not run have no figures. */
static void collect(struct trend *t, const struct drill_page *p, bool size)
{
    size_t skip = 0;
    for (size_t i = 0; i < p->nhistory; i++)
        skip += p->history[i].verdict != DRILL_COULD_NOT_RUN;
    skip = skip > TREND_MAX ? skip - TREND_MAX : 0;
    for (size_t i = 0; i < p->nhistory; i++) {
        const struct drill_point *d = &p->history[i];
        char date[DRILL_DATE_MAX];
        char text[NUMBER_TEXT_MAX];
        if (d->verdict == DRILL_COULD_NOT_RUN || (skip > 0 && skip-- > 0))
            continue;
        t->last = value_of(d, size);
        (void)snprintf(t->titles[t->n], TITLE_MAX, "%s: %s, %s", drill_page_date(date, d->finished, false),
                       value_text(text, t->last, size), drill_page_word(d->verdict));
        t->items[t->n] = (struct chart_item){ .value = (double)t->last,
                                              .cls = class_of(d->verdict),
                                              .title = t->titles[t->n] };
        t->n++;
    }
}

static void trend(struct html *h, const struct drill_page *p, bool size)
{
    char text[NUMBER_TEXT_MAX];
    struct trend *t = mem_alloc(1, sizeof *t, &h->why);
    if (t == NULL)
        return;
    collect(t, p, size);
    html_open(h, "figure");
    html_open(h, "figcaption");
    html_element(h, "b", NULL, size ? "Size" : "Time to restore");
    html_textf(h, "last: %s", value_text(text, t->last, size));
    html_close(h);
    struct chart c = { .name = size ? "Restored bytes of each drill" : "Time to restore of each drill",
                       .width = 420,
                       .height = 90 };
    if (size)
        chart_line(h, &c, t->items, t->n);
    else
        chart_bars(h, &c, t->items, t->n);
    html_close(h);
    free(t);
}

/* ---- calendar ------------------------------------------------------------------------------------------ */

struct days {
    struct chart_item items[DAYS + WEEK];
    char titles[DAYS + WEEK][TITLE_MAX];
    unsigned drills[DAYS + WEEK];
    enum drill_verdict worst[DAYS + WEEK];
};

static int weekday(uint64_t day)
{
    enum { THURSDAY = 4 }; /* 1970-01-01 */
    return (int)((day + THURSDAY) % WEEK);
}

static unsigned weight(enum drill_verdict v)
{
    return v == DRILL_FAIL ? 2 : v == DRILL_PASS ? 0 : 1;
}

static void calendar(struct html *h, const struct drill_page *p)
{
    uint64_t last = p->history[p->nhistory - 1].finished / DAY;
    uint64_t first = last - (uint64_t)((weekday(last) + WEEK - 1) % WEEK) - (DAYS - WEEK); /* a Monday */
    size_t n = (size_t)(last - first + 1);
    struct days *d = mem_alloc(1, sizeof *d, &h->why);
    if (d == NULL)
        return;
    for (size_t i = 0; i < p->nhistory; i++) {
        uint64_t day = p->history[i].finished / DAY;
        if (day < first || day > last)
            continue;
        enum drill_verdict *worst = &d->worst[day - first];
        if (d->drills[day - first]++ == 0 || weight(p->history[i].verdict) > weight(*worst))
            *worst = p->history[i].verdict;
    }
    for (size_t i = 0; i < n; i++) {
        char date[DRILL_DATE_MAX];
        (void)drill_page_date(date, (first + i) * DAY, false);
        if (d->drills[i] == 0)
            (void)snprintf(d->titles[i], TITLE_MAX, "%s: no drill", date);
        else
            (void)snprintf(d->titles[i], TITLE_MAX, "%s: %u %s, %s", date, d->drills[i],
                           plural(d->drills[i], "drill", "drills"), drill_page_word(d->worst[i]));
        d->items[i] = (struct chart_item){ .cls = d->drills[i] == 0 ? "none" : class_of(d->worst[i]),
                                           .title = d->titles[i] };
    }
    chart_calendar(h, "Days of the last half year with drills", d->items, n, weekday(first));
    free(d);
}

static void legend(struct html *h)
{
    static const struct {
        const char *cls;
        const char *text;
    } items[] = {
        { "ok", "passed" }, { "bad", "failed" }, { "warn", "could not run" }, { "none", "no drill" }
    };
    html_open(h, "div");
    html_attr(h, "class", "legend");
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        html_open(h, "span");
        html_open(h, "i");
        html_attrf(h, "class", "swatch %s", items[i].cls);
        html_close(h);
        html_text(h, items[i].text);
        html_close(h);
    }
    html_close(h);
}

void drill_page_history(struct html *h, const struct drill_page *p)
{
    size_t passed = 0;
    if (p->nhistory == 0)
        return;
    for (size_t i = 0; i < p->nhistory; i++)
        passed += p->history[i].verdict == DRILL_PASS;
    html_open(h, "section");
    html_attr(h, "class", "card");
    html_element(h, "h2", NULL, "The drills of this job");
    html_open(h, "p");
    html_attr(h, "class", "dim");
    if (p->nhistory == 1)
        html_text(h, "This is the first one that is remembered. Trends begin with the next.");
    else
        html_textf(h, "%zu that are remembered, %zu of them passed.", p->nhistory, passed);
    html_close(h);
    if (p->nhistory > 1) {
        html_open(h, "div");
        html_attr(h, "class", "charts");
        trend(h, p, false);
        trend(h, p, true);
        html_close(h);
        html_open(h, "figure");
        html_open(h, "figcaption");
        html_element(h, "b", NULL, "Half a year, a column for each week");
        html_close(h);
        calendar(h, p);
        html_close(h);
        legend(h);
    }
    html_close(h);
}
