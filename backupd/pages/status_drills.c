/* Restore drills on the status page. */
#include "backupd/pages/status_page_internal.h"
#include "common/base/number.h"
#include "common/base/zone.h"

#include "common/base/banned.h"

enum { DRILL, VERDICT, WHEN, RTO, TARGET, DUE_BY, NEXT, COLUMNS };

static const struct page_column columns[COLUMNS] = {
    [DRILL] = { "Drill", "head" }, [VERDICT] = { "Last drill", NULL }, [WHEN] = { "Ended", "num" },
    [RTO] = { "Took", "num" },     [TARGET] = { "May take", "num" },   [DUE_BY] = { "Due by", "num" },
    [NEXT] = { "Next", "num" },
};

static const char *class_of(const struct drill_stand *s)
{
    return !s->any                              ? "dim"
           : s->verdict == DRILLS_PASS          ? "ok"
           : s->verdict == DRILLS_COULD_NOT_RUN ? "warn"
                                                : "bad";
}

static const char *word_of(const struct drill_stand *s)
{
    return !s->any                              ? "never"
           : s->verdict == DRILLS_PASS          ? "passed"
           : s->verdict == DRILLS_COULD_NOT_RUN ? "could not run"
                                                : "failed";
}

static void verdict_cell(struct html *h, const struct drill_stand *s)
{
    html_open(h, "td");
    html_attr(h, "data-label", columns[VERDICT].title);
    html_attr(h, "data-name", "verdict");
    html_attr(h, "data-value", s->any ? drills_verdict_name(s->verdict) : "never");
    html_open(h, "span");
    html_element(h, "span", class_of(s), word_of(s));
    if (s->trouble == DRILL_STALE)
        html_element(h, "span", "warn", " · too long ago");
    html_close(h);
    html_close(h);
}

static void name_cell(struct html *h, const struct drill_stand *s)
{
    html_open(h, "td");
    html_attr(h, "class", "head");
    html_text(h, s->job);
    if (s->drill != NULL) {
        html_text(h, " ");
        html_element(h, "span", "dim", s->drill);
    }
    html_close(h);
}

static void time_cell(struct html *h, int column, const char *name, int64_t t)
{
    char wall[32];
    page_cell(h, &columns[column], name, t != 0 ? t : -1, t != 0 ? zone_format(wall, t) : "");
}

/* When the last drill is not the last that passed. */
static void note(struct html *h, const struct drill_stand *s)
{
    char wall[32];
    html_open(h, "tr");
    html_attr(h, "class", "note");
    html_open(h, "td");
    html_attrf(h, "colspan", "%d", COLUMNS);
    html_attr(h, "class", "why dim");
    html_attr(h, "data-name", "last_pass");
    html_attrf(h, "data-value", "%lld", (long long)s->last_pass);
    html_textf(h, "%s%s", s->last_pass != 0 ? "Last passed " : "Has never passed.",
               s->last_pass != 0 ? zone_format(wall, s->last_pass) : "");
    html_close(h);
    html_close(h);
}

static void row(struct html *h, const struct view *view, const struct view_drill *d)
{
    const struct drill_stand *s = d->stand;
    char text[NUMBER_TEXT_MAX];
    uint64_t target = (uint64_t)s->rto_target_seconds;
    bool noted = s->any && s->verdict != DRILLS_PASS;
    html_open(h, "tr");
    if (noted)
        html_attr(h, "class", "noted");
    html_attr(h, "data-job", s->job);
    html_attr(h, "data-drill", s->drill != NULL ? s->drill : "");
    name_cell(h, s);
    verdict_cell(h, s);
    page_cell(h, &columns[WHEN], "finished", s->any ? s->finished : -1,
              s->any ? drill_ago(text, view->options.now, s->finished) : "");
    page_cell(h, &columns[RTO], "rto_ms", s->rto_ms > 0 ? s->rto_ms : -1,
              s->rto_ms > 0 ? duration_format(text, (uint64_t)s->rto_ms) : "");
    page_cell(h, &columns[TARGET], "rto_target_seconds", s->any && target > 0 ? (int64_t)target : -1,
              s->any && target > 0 ? duration_format(text, target * 1000) : "");
    time_cell(h, DUE_BY, "due_by", d->due_by);
    time_cell(h, NEXT, "next", d->next);
    html_close(h);
    if (noted)
        note(h, s);
}

void page_drills(struct html *h, const struct view *view)
{
    page_section(h, "drills", "Restore drills");
    if (!view->drills_known || view->drills.len == 0) {
        html_element(h, "p", "dim",
                     view->drills_known ? "No drill has been recorded on this host yet."
                                        : "The list of drills cannot be read at the moment.");
        html_close(h);
        return;
    }
    html_open(h, "div");
    html_attr(h, "class", "wide");
    page_table(h, "stack", columns, COLUMNS);
    for (size_t i = 0; i < view->drills.len; i++)
        row(h, view, vec_at(&view->drills, i));
    page_table_end(h);
    html_close(h);
}
