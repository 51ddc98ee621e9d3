/* The lower half: every check, and what an auditor needs to check the page itself. */
#include <inttypes.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/text/html.h"
#include "restore/drill/page.h"

#include "common/base/banned.h"

/* ---- checks -------------------------------------------------------------------------------------------- */

static void finding(struct html *h, const struct drill_check *c)
{
    html_open(h, "td");
    html_attr(h, "class", "why");
    if (c->text != NULL)
        html_text(h, c->text);
    if (c->text != NULL && (c->expected != NULL || c->found != NULL))
        html_text(h, ": ");
    if (c->expected != NULL && c->found != NULL && strcmp(c->expected, c->found) == 0)
        html_text(h, c->found);
    else if (c->expected != NULL || c->found != NULL)
        html_textf(h, "expected %s, found %s", c->expected != NULL ? c->expected : "-",
                   c->found != NULL ? c->found : "-");
    html_close(h);
}

static void row(struct html *h, const struct drill_check *c)
{
    html_open(h, "tr");
    html_element(h, "td", drill_page_class(c->verdict), drill_page_word(c->verdict));
    html_element(h, "td", NULL, c->name);
    html_element(h, "td", NULL, c->subject != NULL ? c->subject : "");
    finding(h, c);
    html_close(h);
}

/* What needs a person comes first. */
static void rows(struct html *h, const struct drill_result *r)
{
    static const enum drill_verdict order[] = { DRILL_FAIL, DRILL_COULD_NOT_RUN, DRILL_PASS, DRILL_SKIPPED };
    size_t shown = 0;
    size_t left = 0;
    char n[NUMBER_TEXT_MAX];
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++)
        for (size_t i = 0; i < r->checks.len; i++) {
            const struct drill_check *c = vec_at(&r->checks, i);
            if (c->verdict != order[k])
                continue;
            if (c->verdict != DRILL_FAIL && shown >= DRILL_PAGE_PASSED_MAX) {
                left++;
                continue;
            }
            shown++;
            row(h, c);
        }
    if (left > 0) {
        html_open(h, "tr");
        html_open(h, "td");
        html_attr(h, "colspan", "4");
        html_attr(h, "class", "dim");
        html_textf(h, "and %s more, none of them failed: %s.json lists them all", count_format(n, left),
                   r->id);
        html_close(h);
        html_close(h);
    }
}

static void heads(struct html *h, const char *const *titles, size_t n)
{
    html_open(h, "thead");
    html_open(h, "tr");
    for (size_t i = 0; i < n; i++)
        html_element(h, "th", NULL, titles[i]);
    html_close(h);
    html_close(h);
}

static void masked(struct html *h, const struct drill_result *r)
{
    static const char *const titles[] = { "table", "column", "rule", "rows changed", "original values left" };
    html_open(h, "section");
    html_attr(h, "class", "card long");
    html_element(h, "h2", NULL, "Masked columns");
    html_open(h, "div");
    html_attr(h, "class", "wide");
    html_open(h, "table");
    heads(h, titles, sizeof titles / sizeof titles[0]);
    html_open(h, "tbody");
    for (size_t i = 0; i < r->masked.len; i++) {
        const struct drill_masked *m = vec_at(&r->masked, i);
        char n[NUMBER_TEXT_MAX];
        html_open(h, "tr");
        html_element(h, "td", NULL, m->table);
        html_element(h, "td", NULL, m->column);
        html_element(h, "td", NULL, m->rule);
        html_element(h, "td", NULL, count_format(n, m->rows));
        html_element(h, "td", m->remaining != 0 ? "bad" : "ok", count_format(n, m->remaining));
        html_close(h);
    }
    html_close(h);
    html_close(h);
    html_close(h);
    html_close(h);
}

void drill_page_checks(struct html *h, const struct drill_page *p)
{
    static const char *const titles[] = { "verdict", "check", "of", "finding" };
    const struct drill_result *r = p->result;
    static const enum drill_verdict order[] = { DRILL_PASS, DRILL_FAIL, DRILL_COULD_NOT_RUN, DRILL_SKIPPED };
    if (r->masked.len > 0)
        masked(h, r);
    if (r->checks.len == 0)
        return;
    html_open(h, "section");
    html_attr(h, "class", "card long");
    html_element(h, "h2", NULL, "Every check");
    html_open(h, "p");
    html_attr(h, "class", "dim");
    const char *comma = "";
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
        size_t n = drill_check_count(r, order[k]);
        char text[NUMBER_TEXT_MAX];
        if (n == 0)
            continue;
        html_textf(h, "%s%s %s", comma, count_format(text, n), drill_page_word(order[k]));
        comma = ", ";
    }
    html_close(h);
    html_open(h, "div");
    html_attr(h, "class", "wide");
    html_open(h, "table");
    html_attr(h, "class", "checks");
    heads(h, titles, sizeof titles / sizeof titles[0]);
    html_open(h, "tbody");
    rows(h, r);
    html_close(h);
    html_close(h);
    html_close(h);
    html_close(h);
}

/* ---- for the auditor ----------------------------------------------------------------------------------- */

static void pair(struct html *h, const char *key, const char *value, bool code)
{
    if (value == NULL || value[0] == '\0')
        return;
    html_element(h, "dt", NULL, key);
    html_open(h, "dd");
    if (code)
        html_element(h, "code", NULL, value);
    else
        html_text(h, value);
    html_close(h);
}

static void identity(struct html *h, const struct drill_page *p)
{
    const struct drill_result *r = p->result;
    char hash[2 * HASH_LEN + 1];
    char time[NUMBER_TEXT_MAX];
    hex_encode(hash, r->record_hash, HASH_LEN);
    pair(h, "Drill", r->id, true);
    pair(h, "Plan", r->drill, false);
    pair(h, "Began", time_format(time, r->started), false);
    pair(h, "Ended", time_format(time, r->finished), false);
    pair(h, "Host", r->host, false);
    pair(h, "Program", r->tool_version, false);
    pair(h, "Scratch server", r->server_version, false);
    pair(h, "Kept from acting by", r->isolation, false);
    pair(h, "Snapshot", r->snapshot, false);
    pair(h, "Snapshot's record", strspn(hash, "0") < strlen(hash) ? hash : NULL, true);
    pair(h, "Its writer", r->writer, true);
    pair(h, "Its time", r->snapshot_time != 0 ? time_format(time, r->snapshot_time) : NULL, false);
    pair(h, "Fetched", r->bytes_fetched != 0 ? size_format(time, r->bytes_fetched) : NULL, false);
    pair(h, "Repository", p->repository_id, true);
    pair(h, "Charter", p->charter, false);
    pair(h, "Hash of the result", p->result_hash, true);
    pair(h, "Signing key", p->key, true);
}

void drill_page_audit(struct html *h, const struct drill_page *p)
{
    const struct drill_result *r = p->result;
    html_open(h, "section");
    html_attr(h, "class", "card");
    html_element(h, "h2", NULL, "For the auditor");
    html_open(h, "dl");
    html_attr(h, "class", "pair");
    identity(h, p);
    html_close(h);
    html_open(h, "p");
    if (p->key == NULL) {
        html_attr(h, "class", "warn");
        html_text(
            h,
            p->exercise
                ? "Nobody signs an exercise."
                : "Nobody signed this drill: it was made without a drill kit. It is a note, not evidence.");
        html_close(h);
    } else {
        html_textf(
            h,
            "This page proves nothing by itself. %s.cert beside it is signed by the drill host's key and names the hash of "
            "this page, of the result and of the snapshot's record:",
            r->id);
        html_close(h);
        html_open(h, "pre");
        html_open(h, "code");
        html_textf(h, "restore drill certificate --check %s.cert --key PUBLIC-KEY", r->id);
        html_close(h);
        html_close(h);
    }
    html_close(h);
}
