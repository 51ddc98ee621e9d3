#include "backupd/pages/status_page.h"

#include "backupd/pages/status_page_internal.h"
#include "common/base/number.h"
#include "common/base/zone.h"
#include "common/text/page.h"
#include "version.h"

#include "common/base/banned.h"

const char *page_class_of(enum history_verdict v)
{
    return v == HISTORY_OK                                ? "ok"
           : v == HISTORY_RUNNING                         ? "run"
           : v == HISTORY_WARNING || v == HISTORY_SKIPPED ? "warn"
                                                          : "bad";
}

static void head(struct html *h, const struct view *view)
{
    const struct view_daemon *d = &view->options.daemon;
    char now[32];
    char since[32];
    html_open(h, "header");
    html_open(h, "h1");
    html_textf(h, "Backups of %s", view->host);
    html_close(h);
    html_open(h, "p");
    html_attr(h, "class", "dim");
    html_textf(h, "%s%s%s%s", zone_format(now, view->options.now), view->zone != NULL ? " (" : "",
               view->zone != NULL ? view->zone : "", view->zone != NULL ? ")" : "");
    if (d->asked && d->alive && d->started != 0)
        html_textf(h, " · daemon since %s", zone_format(since, d->started));
    html_close(h);
    html_close(h);
}

static void alarm(struct html *h, const struct view_alarm *a)
{
    char since[32];
    html_open(h, "li");
    html_attr(h, "data-alarm", view_alarm_name(a->kind));
    if (a->job != NULL) {
        html_element(h, "strong", NULL, a->job);
        html_text(h, " · ");
    }
    html_text(h, a->text);
    if (a->since != 0) {
        html_open(h, "span");
        html_attr(h, "class", "dim");
        html_textf(h, " (%s)", zone_format(since, a->since));
        html_close(h);
    }
    html_close(h);
}

static size_t well(const struct view *view)
{
    size_t n = 0;
    for (size_t i = 0; i < view->jobs.len; i++) {
        const struct view_job *j = vec_at(&view->jobs, i);
        n += j->has_ok && !j->stale && !(j->has_last && view_verdict_is_bad(j->last.p.verdict)) ? 1 : 0;
    }
    return n;
}

static void alarms(struct html *h, const struct view *view)
{
    size_t n = view->alarms.len;
    html_open(h, "section");
    html_attr(h, "id", "alarms");
    html_attr(h, "class", n > 0 ? "card alarm" : "card");
    if (n == 0) {
        html_element(h, "h2", "ok", "No open alarm");
        html_open(h, "p");
        html_attr(h, "class", "dim");
        html_textf(h, "%zu of %zu %s backed up as the schedule says.", well(view), view->jobs.len,
                   plural(view->jobs.len, "job is", "jobs are"));
        html_close(h);
    } else {
        html_open(h, "h2");
        html_attr(h, "class", "bad");
        html_textf(h, "%zu open %s", n, plural(n, "alarm", "alarms"));
        html_close(h);
        html_open(h, "ul");
        for (size_t i = 0; i < n; i++)
            alarm(h, vec_at(&view->alarms, i));
        html_close(h);
    }
    html_close(h);
}

static void foot(struct html *h)
{
    html_open(h, "footer");
    html_text(h, "The same in numbers: ");
    html_open(h, "a");
    html_attr(h, "href", "./api/status.json");
    html_text(h, "JSON");
    html_close(h);
    html_text(h, ", ");
    html_open(h, "a");
    html_attr(h, "href", "./metrics");
    html_text(h, "metrics");
    html_close(h);
    html_textf(h, " · backupd %s", BACKUP_VERSION);
    html_close(h);
}

int status_page_write(const struct view *view, struct buf *out, struct error *err)
{
    struct html h = HTML_INIT;
    page_begin(&h, "Backups", STATUS_PAGE_REFRESH);
    head(&h, view);
    alarms(&h, view);
    page_jobs(&h, view);
    page_nights(&h, view);
    page_drills(&h, view);
    page_sizes(&h, view);
    page_next(&h, view);
    page_storage(&h, view);
    foot(&h);
    page_end(&h);
    int rc = html_finish(&h, out, err);
    html_free(&h);
    return rc;
}
