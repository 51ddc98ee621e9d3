/* The top of the page: for somebody who has one minute and no database. */
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/text/html.h"
#include "restore/drill/page.h"

#include "common/base/banned.h"

static const char * or (const char *text, const char *otherwise)
{
    return text != NULL && text[0] != '\0' ? text : otherwise;
}

static const char *place_of(const struct drill_result *r)
{
    if (r->server_version != NULL)
        return r->server_version;
    return r->engine != NULL && strcmp(r->engine, "sqlite") == 0 ? "private file" : "private directory";
}

/* "1 day 3 h", "6 h", "12 min" */
static const char *span(char out[NUMBER_TEXT_MAX], uint64_t seconds)
{
    enum { MINUTE = 60, HOUR = 3600, DAY = 86400 };
    if (seconds >= 2 * DAY)
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu days", (unsigned long long)(seconds / DAY));
    else if (seconds >= 2 * HOUR)
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu hours", (unsigned long long)(seconds / HOUR));
    else if (seconds >= 2 * MINUTE)
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu minutes", (unsigned long long)(seconds / MINUTE));
    else
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu %s", (unsigned long long)seconds,
                       plural(seconds, "second", "seconds"));
    return out;
}

/* ---- what happened ------------------------------------------------------------------------------------- */

static void outcome(struct html *h, const struct drill_result *r)
{
    size_t pass = drill_check_count(r, DRILL_PASS);
    size_t fail = drill_check_count(r, DRILL_FAIL);
    size_t unable = drill_check_count(r, DRILL_COULD_NOT_RUN);
    char n[2][NUMBER_TEXT_MAX];
    html_open(h, "p");
    if (r->verdict == DRILL_COULD_NOT_RUN) {
        html_textf(h, "The drill could not be carried out: %s", or (r->reason, "the reason is not known"));
        html_text(h, ". This says nothing about the backup, neither good nor bad.");
        if (r->cure != NULL)
            html_textf(h, " What to do: %s.", r->cure);
    } else if (fail == 0 && r->verdict == DRILL_PASS) {
        html_textf(h, "All %s %s that could be made passed.", count_format(n[0], pass),
                   plural(pass, "check", "checks"));
    } else {
        html_textf(h, "%s of %s checks failed. The first: %s.", count_format(n[0], fail),
                   count_format(n[1], pass + fail), or (r->reason, "see the table below"));
    }
    if (unable > 0 && r->verdict != DRILL_COULD_NOT_RUN)
        html_textf(h, " %s %s could not be made and %s listed below.", count_format(n[0], unable),
                   plural(unable, "check", "checks"), plural(unable, "is", "are"));
    html_close(h);
}

static void what(struct html *h, const struct drill_result *r)
{
    char date[2][DRILL_DATE_MAX];
    html_open(h, "p");
    if (r->snapshot == NULL || r->verdict == DRILL_COULD_NOT_RUN) {
        html_textf(h, "On %s a backup%s%s was to be restored on the host %s, to see whether it works.",
                   drill_page_date(date[0], r->started, true), r->snapshot != NULL ? ", " : "",
                   or (r->snapshot, ""), or (r->host, "(unknown)"));
    } else {
        html_textf(h, "On %s the backup ", drill_page_date(date[0], r->started, true));
        html_element(h, "strong", NULL, r->snapshot);
        html_textf(
            h,
            " of %s was restored into an empty, throwaway %s on the host %s, and what came back was compared with what "
            "was recorded when the backup was made.",
            drill_page_date(date[1], r->snapshot_time, true), place_of(r), or (r->host, "(unknown)"));
    }
    html_close(h);
}

static const char *headline(const struct drill_result *r)
{
    switch (r->verdict) {
    case DRILL_PASS:
        return r->tables.len > 0   ? "The part of the backup that was restored is as it should be."
               : r->masked.len > 0 ? "The backup works: it was restored, with columns masked."
                                   : "The backup works: it was restored, and it is complete.";
    case DRILL_FAIL:
        return "The backup does not give back what it should.";
    default:
        return "It is not known whether this backup works.";
    }
}

static bool late(const struct drill_result *r)
{
    return r->rto_target_seconds != 0 && r->rto_ms > r->rto_target_seconds * 1000;
}

/* ---- figures ------------------------------------------------------------------------------------------- */

static void tile(struct html *h, const char *cls, const char *value, const char *label)
{
    html_open(h, "div");
    html_attr(h, "class", "tile");
    html_element(h, "b", cls, value);
    html_element(h, "span", NULL, label);
    html_close(h);
}

static void tiles(struct html *h, const struct drill_result *r)
{
    char value[NUMBER_TEXT_MAX];
    char target[NUMBER_TEXT_MAX];
    char label[128];
    html_open(h, "div");
    html_attr(h, "class", "tiles");
    (void)snprintf(label, sizeof label, "until the data could be used%s%s",
                   r->rto_target_seconds != 0 ? (late(r) ? "; more than the target of " : "; target ") : "",
                   r->rto_target_seconds != 0 ? duration_format(target, r->rto_target_seconds * 1000) : "");
    tile(h, late(r) ? "warn" : NULL, duration_format(value, r->rto_ms), label);
    tile(h, NULL, span(value, r->age_seconds), "age of the backup when it was drilled");
    if (r->rpo_known)
        tile(h, NULL, span(value, r->rpo_seconds), "between the newest entry in it and the backup");
    else
        tile(h, "dim", "not asked", "how new the newest entry in it is");
    tile(h, NULL, size_format(value, r->bytes), "of data were restored");
    html_close(h);
}

/* ---- what it proves ------------------------------------------------------------------------------------ */

static size_t of_kind(const struct drill_result *r, const char *kind)
{
    size_t n = 0;
    for (size_t i = 0; i < r->checks.len; i++) {
        const struct drill_check *c = vec_at(&r->checks, i);
        n += c->verdict == DRILL_PASS && strcmp(c->kind, kind) == 0;
    }
    return n;
}

static void item(struct html *h, const char *text)
{
    html_element(h, "li", NULL, text);
}

static void proves(struct html *h, const struct drill_page *p)
{
    const struct drill_result *r = p->result;
    char text[256];
    char n[NUMBER_TEXT_MAX];
    size_t tables = of_kind(r, "table");
    size_t assertions = of_kind(r, "assertion") + of_kind(r, "fresh") + of_kind(r, "ratio");
    html_element(h, "h2", NULL, "What this proves");
    html_open(h, "ul");
    if (p->exercise) {
        item(h, r->verdict == DRILL_FAIL
                    ? "That a drill finds such damage. The checks that failed say how."
                    : "That no check looks at what was damaged: add an assertion that does.");
    } else if (r->verdict == DRILL_COULD_NOT_RUN) {
        item(
            h,
            "Nothing about the backup. That the drill could not run is recorded, so that it is not forgotten.");
    } else if (r->verdict == DRILL_FAIL) {
        item(h, "This backup must not be relied on as it is. The checks that failed say in what.");
        item(h, "An older backup may be whole: drill it, and look for the cause before the next night.");
    } else {
        item(
            h,
            "This backup could be fetched from its storage, decrypted and loaded, away from the system that made it.");
        if (tables > 0) {
            (void)snprintf(text, sizeof text,
                           "%s %s had the same rows with the same contents as when it was made.",
                           count_format(n, tables), plural(tables, "table", "tables"));
            item(h, text);
        }
        if (assertions > 0) {
            (void)snprintf(text, sizeof text, "%s %s of your own about the data held.",
                           count_format(n, assertions), plural(assertions, "statement", "statements"));
            item(h, text);
        }
        item(h, "The time a restore took, measured on this host.");
    }
    html_close(h);
}

static void not_proves(struct html *h, const struct drill_result *r)
{
    char text[256];
    html_element(h, "h2", NULL, "What it does not prove");
    html_open(h, "ul");
    if (r->tables.len > 0) {
        (void)snprintf(text, sizeof text, "Only %zu%s%s of the tables were looked at this time.",
                       r->tables.len, r->tables_total > 0 ? " of " : "",
                       r->tables_total > 0 ? count_format((char[NUMBER_TEXT_MAX]){ 0 }, r->tables_total)
                                           : "");
        item(h, text);
    }
    if (r->masked.len > 0) {
        (void)snprintf(
            text, sizeof text,
            "That a database takes the original values of %zu masked %s: they were the same as backed up, "
            "and were replaced while loading.",
            r->masked.len, plural(r->masked.len, "column", "columns"));
        item(h, text);
    }
    item(h, "Other backups, older or newer. Each drill is about one.");
    item(h,
         "That the data was right when it was backed up: it is the same as it was then, mistakes included.");
    item(h,
         "That a restore takes as long on other hardware, over another network, or at three in the morning.");
    html_close(h);
}

/* In an exercise the damage that was found is the good news. */
static const char *class_of(const struct drill_page *p)
{
    return !p->exercise                       ? drill_page_class(p->result->verdict)
           : p->result->verdict == DRILL_FAIL ? "ok"
                                              : "warn";
}

void drill_page_summary(struct html *h, const struct drill_page *p)
{
    const struct drill_result *r = p->result;
    html_open(h, "header");
    html_element(h, "h1", NULL, "Restore drill");
    html_open(h, "span");
    html_attr(h, "class", "dim");
    html_textf(h, "%s%s%s", p->repository, p->repository[0] != '\0' && r->job != NULL ? " / " : "",
               or (r->job, ""));
    html_close(h);
    html_close(h);
    html_open(h, "section");
    html_attrf(h, "class", "card verdict %s", class_of(p));
    html_open(h, "p");
    html_attrf(h, "class", "word %s", class_of(p));
    html_text(h, !p->exercise               ? headline(r)
                 : r->verdict == DRILL_FAIL ? "Exercise: the damage was found."
                                            : "Exercise: the damage was not found.");
    html_close(h);
    if (p->exercise)
        html_element(
            h, "p", "warn",
            "This was an exercise: damage was planted after loading, to see whether the drill finds it. "
            "It says nothing about the backup.");
    what(h, r);
    outcome(h, r);
    if (late(r) && r->verdict == DRILL_PASS)
        html_element(h, "p", "warn", "It took longer than the target that was set for it.");
    html_close(h);
    if (r->verdict != DRILL_COULD_NOT_RUN)
        tiles(h, r);
    html_open(h, "section");
    html_attr(h, "class", "card two");
    html_open(h, "div");
    proves(h, p);
    html_close(h);
    html_open(h, "div");
    not_proves(h, r);
    html_close(h);
    html_close(h);
}
