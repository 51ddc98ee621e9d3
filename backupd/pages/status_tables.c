/* The tables of the status page. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "backupd/pages/status_page_internal.h"
#include "backupd/schedule_warn.h"
#include "common/base/number.h"
#include "common/base/zone.h"
#include "common/text/chart.h"

#include "common/base/banned.h"

void page_section(struct html *h, const char *id, const char *title)
{
    html_open(h, "section");
    html_attr(h, "id", id);
    html_attr(h, "class", "card");
    html_element(h, "h2", NULL, title);
}

void page_table(struct html *h, const char *cls, const struct page_column *columns, size_t n)
{
    html_open(h, "table");
    html_attr(h, "class", cls);
    html_open(h, "thead");
    html_open(h, "tr");
    for (size_t i = 0; i < n; i++)
        html_element(h, "th", columns[i].cls, columns[i].title);
    html_close(h);
    html_close(h);
    html_open(h, "tbody");
}

void page_table_end(struct html *h)
{
    html_close(h);
    html_close(h);
    html_close(h);
}

void page_cell(struct html *h, const struct page_column *c, const char *name, int64_t value, const char *text)
{
    html_open(h, "td");
    if (c->cls != NULL)
        html_attr(h, "class", c->cls);
    html_attr(h, "data-label", c->title);
    if (value >= 0) {
        html_attr(h, "data-name", name);
        html_attrf(h, "data-value", "%" PRId64, value);
    }
    if (text[0] != '\0')
        html_text(h, text);
    html_close(h);
}

/* ---- jobs ------------------------------------------------------------------------------------------------------------- */

enum { JOB, VERDICT, WHEN, TOOK, READ, NEW, STORED, NEXT, JOB_COLUMNS };

static const struct page_column job_columns[JOB_COLUMNS] = {
    [JOB] = { "Job", "head" },      [VERDICT] = { "Last run", NULL }, [WHEN] = { "Started", "num" },
    [TOOK] = { "Took", "num" },     [READ] = { "Read", "num" },       [NEW] = { "New", "num" },
    [STORED] = { "Stored", "num" }, [NEXT] = { "Next", "num" },
};

static void verdict_cell(struct html *h, const struct view_job *j)
{
    html_open(h, "td");
    html_attr(h, "data-label", job_columns[VERDICT].title);
    html_attr(h, "data-name", "verdict");
    html_attr(h, "data-value", j->has_last ? history_verdict_name(j->last.p.verdict) : "never");
    html_open(h, "span");
    bool cancelled = j->has_last && history_is_cancelled(j->last.p.verdict, j->last.p.text);
    html_element(h, "span",
                 cancelled     ? "warn"
                 : j->has_last ? page_class_of(j->last.p.verdict)
                               : "dim",
                 j->has_last ? view_verdict_word(&j->last.p) : "not yet");
    if (j->paused)
        html_element(h, "span", "warn", " · paused");
    if (j->waits != NULL)
        html_element(h, "span", "warn", " · another waits");
    if (j->unusual != NULL)
        html_element(h, "span", "bad", " · unusual");
    html_close(h);
    html_close(h);
}

static void size_cells(struct html *h, const struct view_job *j)
{
    char size[NUMBER_TEXT_MAX];
    const struct history_point *p = &j->last.p;
    bool has = j->has_last && p->has_bytes;
    const struct {
        int column;
        const char *name;
        int64_t value;
    } sizes[] = { { READ, "total_bytes_processed", p->read },
                  { NEW, "data_added", p->fresh },
                  { STORED, "data_added_packed", p->stored } };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        page_cell(h, &job_columns[sizes[i].column], sizes[i].name, has ? sizes[i].value : -1,
                  has ? size_format(size, (uint64_t)sizes[i].value) : "");
}

/* What there is to say of the last run that no alarm says. */
static const char *why_of(const struct view_job *j)
{
    const struct history_point *p = &j->last.p;
    bool has_alarm = view_verdict_is_bad(p->verdict) && !j->paused;
    if (!j->has_last || p->verdict == HISTORY_OK || p->verdict == HISTORY_RUNNING || has_alarm)
        return "";
    return p->text[0] != '\0' ? p->text : p->verdict == HISTORY_WARNING ? "" : p->reason;
}

/* A row below the job's: what waits, and why the last run ended as it did. */
static void note_row(struct html *h, const char *waits, const char *why)
{
    html_open(h, "tr");
    html_attr(h, "class", "note");
    html_open(h, "td");
    html_attrf(h, "colspan", "%d", JOB_COLUMNS);
    html_attr(h, "class", "why dim");
    html_textf(h, "%s%s%s", waits, waits[0] != '\0' && why[0] != '\0' ? "; " : "", why);
    html_close(h);
    html_close(h);
}

static void job_row(struct html *h, const struct view *view, const struct view_job *j)
{
    const struct history_point *p = &j->last.p;
    char wall[32];
    char took[NUMBER_TEXT_MAX];
    bool ran = j->has_last && p->started != 0;
    const char *why = why_of(j);
    const char *waits = j->waits != NULL ? j->waits : "";
    bool noted = why[0] != '\0' || waits[0] != '\0';
    html_open(h, "tr");
    html_attr(h, "data-job", j->name);
    if (noted)
        html_attr(h, "class", "noted");
    page_cell(h, &job_columns[JOB], "", -1, j->name);
    verdict_cell(h, j);
    page_cell(h, &job_columns[WHEN], "started", j->has_last ? view_when(p) : -1,
              j->has_last ? zone_format(wall, view_when(p)) : "");
    page_cell(h, &job_columns[TOOK], "duration_seconds", ran ? (int64_t)(view_took(view, p) / 1000) : -1,
              ran ? duration_format(took, view_took(view, p)) : "");
    size_cells(h, j);
    page_cell(h, &job_columns[NEXT], "next", j->next != 0 ? j->next : -1,
              j->next != 0 ? zone_format(wall, j->next)
              : j->over    ? SCHEDULE_OVER
                           : "by hand");
    html_close(h);
    if (noted)
        note_row(h, waits, why);
}

void page_jobs(struct html *h, const struct view *view)
{
    page_section(h, "jobs", "Jobs");
    html_open(h, "div");
    html_attr(h, "class", "wide");
    page_table(h, "stack", job_columns, JOB_COLUMNS);
    for (size_t i = 0; i < view->jobs.len; i++)
        job_row(h, view, vec_at(&view->jobs, i));
    page_table_end(h);
    html_close(h);
}

/* ---- what is next ------------------------------------------------------------------------------------------------------- */

static int sooner(const void *a, const void *b)
{
    const struct view_job *const *x = a;
    const struct view_job *const *y = b;
    return (*x)->next < (*y)->next ? -1 : (*x)->next > (*y)->next;
}

void page_next(struct html *h, const struct view *view)
{
    static const struct page_column columns[] = {
        { "Job", "head" }, { "Due", "num" }, { "In", "num" }, { "Schedule", "why" }
    };
    struct vec due = VEC_OF(const struct view_job *);
    char wall[32];
    char in[NUMBER_TEXT_MAX];
    for (size_t i = 0; i < view->jobs.len; i++) {
        const struct view_job *j = vec_at(&view->jobs, i);
        const struct view_job **slot = j->next != 0 ? vec_push(&due, &h->why) : NULL;
        if (slot != NULL)
            *slot = j;
    }
    vec_sort(&due, sooner);
    page_section(h, "next", "Next runs");
    if (due.len == 0)
        html_element(h, "p", "dim", "No job has a time that is still to come.");
    else
        page_table(h, "stack auto", columns, 4);
    for (size_t i = 0; i < due.len; i++) {
        const struct view_job *j = *(const struct view_job **)vec_at(&due, i);
        int64_t seconds = j->next > view->options.now ? j->next - view->options.now : 0;
        html_open(h, "tr");
        page_cell(h, &columns[0], "", -1, j->name);
        page_cell(h, &columns[1], "next", j->next, zone_format(wall, j->next));
        page_cell(h, &columns[2], "", -1,
                  j->paused ? "paused" : duration_format(in, (uint64_t)seconds * 1000));
        page_cell(h, &columns[3], "", -1, j->schedule != NULL ? j->schedule : "");
        html_close(h);
    }
    if (due.len != 0) {
        html_close(h);
        html_close(h);
    }
    html_close(h);
    vec_free(&due);
}

/* ---- storage -------------------------------------------------------------------------------------------------------------- */

static void share_cell(struct html *h, const struct page_column *c, const struct view_storage *s)
{
    double used = s->known && s->size > 0 ? (double)(s->size - s->free) / (double)s->size : 0;
    char name[64];
    html_open(h, "td");
    html_attr(h, "data-label", c->title);
    if (s->known) {
        (void)snprintf(name, sizeof name, "%ld %% used", (long)(used * 100 + 0.5));
        html_open(h, "div");
        html_attr(h, "class", "share");
        chart_share(h, &(struct chart){ .name = name, .width = 160, .height = 10 }, used,
                    used > 0.9   ? "bad"
                    : used > 0.8 ? "warn"
                                 : "run");
        html_element(h, "span", "dim", name);
        html_close(h);
    } else {
        html_element(h, "span", "dim", "not known here");
    }
    html_close(h);
}

void page_storage(struct html *h, const struct view *view)
{
    static const struct page_column columns[] = { { "Repository", "head" }, { "Kind", NULL },
                                                  { "Size", "num" },        { "Free", "num" },
                                                  { "Used", NULL },         { "Where", "why" } };
    char size[NUMBER_TEXT_MAX];
    page_section(h, "storage", "Storage");
    page_table(h, "stack auto", columns, 6);
    for (size_t i = 0; i < view->storage.len; i++) {
        const struct view_storage *s = vec_at(&view->storage, i);
        html_open(h, "tr");
        html_attr(h, "data-repository", s->repository);
        page_cell(h, &columns[0], "", -1, s->repository);
        page_cell(h, &columns[1], "", -1, s->type);
        page_cell(h, &columns[2], "size_bytes", s->known ? (int64_t)s->size : -1,
                  s->known ? size_format(size, s->size) : "");
        page_cell(h, &columns[3], "free_bytes", s->known ? (int64_t)s->free : -1,
                  s->known ? size_format(size, s->free) : "");
        share_cell(h, &columns[4], s);
        page_cell(h, &columns[5], "", -1, s->place != NULL ? s->place : "");
        html_close(h);
    }
    page_table_end(h);
}
