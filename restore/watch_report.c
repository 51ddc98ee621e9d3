/* What was found: a line that Nagios reads, a line for each writer, what is wrong; or JSON. */
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "restore/watch.h"

#include "common/base/banned.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, LINE_MAX_TEXT = 1024 };

/* "2 d 03 h", "5 h 10 min", "12 min" */
static const char *age_format(char out[NUMBER_TEXT_MAX], uint64_t seconds)
{
    unsigned long long s = seconds;
    if (s >= 2ULL * DAY)
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu d %02llu h", s / DAY, s % DAY / HOUR);
    else if (s >= HOUR)
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu h %02llu min", s / HOUR, s % HOUR / MINUTE);
    else
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu min", s / MINUTE);
    return out;
}

static enum out_style style_of(enum watch_verdict v)
{
    return v == WATCH_OK ? OUT_GOOD : v == WATCH_WARNING ? OUT_WARN : OUT_BAD;
}

static bool in_use(const struct watch_row *r)
{
    return !r->retired && !r->spare;
}

struct counts {
    size_t used;
    size_t good;  /* of those: the newest backup is there, and in time */
    size_t never; /* of those: nothing was published, in its time or not */
    const struct watch_row *oldest;
};

static struct counts count(const struct watch *w)
{
    struct counts c = { .used = 0 };
    for (size_t i = 0; i < w->rows.len; i++) {
        const struct watch_row *r = vec_at(&w->rows, i);
        if (!in_use(r))
            continue;
        c.used++;
        if (r->last == NULL) {
            c.never++;
            continue;
        }
        c.good += r->verdict == WATCH_OK;
        if (c.oldest == NULL || r->age > c.oldest->age)
            c.oldest = r;
    }
    return c;
}

/* ---- the first line ----------------------------------------------------------------------------------------------------- */

/* '|' begins the numbers, and what files are called is no business of a terminal. */
static void append_safe(char *line, size_t cap, const char *text)
{
    size_t len = strlen(line);
    char safe[LINE_MAX_TEXT];
    (void)str_printable(safe, sizeof safe, text);
    for (char *p = safe; *p != '\0'; p++)
        *p = *p == '|' ? '/' : *p;
    (void)snprintf(line + len, cap - len, "%s", safe);
}

static void row_text(const struct watch_row *r, char *out, size_t cap)
{
    char age[NUMBER_TEXT_MAX];
    char usual[NUMBER_TEXT_MAX];
    (void)snprintf(out, cap, "%s: %s", r->name, r->text);
    size_t len = strlen(out);
    if (r->last != NULL) {
        (void)snprintf(out + len, cap - len, " (the last one %s ago", age_format(age, r->age));
        len = strlen(out);
        if (r->usual.median != 0)
            (void)snprintf(out + len, cap - len, ", usually every %s", age_format(usual, r->usual.median));
        len = strlen(out);
        (void)snprintf(out + len, cap - len, ")");
    }
}

/* "; 4 of 5 writers are in time, 1 has not published yet" */
static const char *in_time_text(const struct counts *c, char *out, size_t cap)
{
    (void)snprintf(out, cap, "; %zu of %zu %s in time", c->good, c->used,
                   plural(c->used, "writer is", "writers are"));
    size_t len = strlen(out);
    if (c->never > 0 && c->never < c->used)
        (void)snprintf(out + len, cap - len, ", %zu %s not published yet", c->never,
                       plural(c->never, "has", "have"));
    return out;
}

static void summary_text(const struct watch *w, char *out, size_t cap)
{
    char text[LINE_MAX_TEXT];
    char age[NUMBER_TEXT_MAX];
    struct counts c = count(w);
    const struct watch_row *worst = w->rows.len > 0 ? vec_at(&w->rows, 0) : NULL;
    bool bad_row = worst != NULL && in_use(worst) && worst->verdict != WATCH_OK;
    out[0] = '\0';
    if (w->nproblems > 0)
        (void)snprintf(text, sizeof text, "%llu %s with logs or files, the first: %s",
                       (unsigned long long)w->nproblems, plural(w->nproblems, "problem", "problems"),
                       w->problems.len > 0 ? *(char **)vec_at(&w->problems, 0) : "");
    else if (c.oldest == NULL)
        (void)snprintf(text, sizeof text, "nobody has published a backup yet");
    else if (bad_row)
        row_text(worst, text, sizeof text);
    else
        (void)snprintf(
            text, sizeof text, "the newest backup of every writer%s is there, the oldest is %s old (%s)",
            c.never > 0 ? " that has published" : "", age_format(age, c.oldest->age), c.oldest->name);
    append_safe(out, cap, text);
    append_safe(out, cap, in_time_text(&c, text, sizeof text));
}

static void limit_text(char out[NUMBER_TEXT_MAX], uint64_t seconds)
{
    out[0] = '\0';
    if (seconds != 0)
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu", (unsigned long long)seconds);
}

/* 'LABEL'=VALUE;WARNING;CRITICAL;MINIMUM */
static void print_numbers(const struct watch *w)
{
    const struct out *out = &w->cli->out;
    struct counts c = count(w);
    out_text(out, OUT_PLAIN, " | 'writers'=%zu 'in_time'=%zu 'problems'=%llu", c.used, c.good,
             (unsigned long long)w->nproblems);
    for (size_t i = 0; i < w->rows.len; i++) {
        const struct watch_row *r = vec_at(&w->rows, i);
        char warning[NUMBER_TEXT_MAX];
        char critical[NUMBER_TEXT_MAX];
        if (!in_use(r) || r->last == NULL)
            continue;
        limit_text(warning, r->limits.warning);
        limit_text(critical, r->limits.critical);
        out_text(out, OUT_PLAIN, " '%s'=%llus;%s;%s;0", r->name, (unsigned long long)r->age, warning,
                 critical);
    }
    out_text(out, OUT_PLAIN, "\n");
}

/* ---- the rows ------------------------------------------------------------------------------------------------------------ */

static void add_row(struct table *t, const struct watch_row *r)
{
    char text[NUMBER_TEXT_MAX];
    enum out_style style = in_use(r) ? OUT_PLAIN : OUT_DIM;
    table_cell(t, in_use(r) ? style_of(r->verdict) : OUT_DIM, "%s",
               in_use(r) ? watch_verdict_name(r->verdict) : "-");
    table_cell(t, in_use(r) ? OUT_BOLD : OUT_DIM, "%s", r->name);
    table_cell(t, style, "%s", r->last != NULL ? time_format(text, r->when) : "never");
    table_cell(t, style, "%s", r->last != NULL ? age_format(text, r->age) : "");
    table_cell(t, style, "%s",
               r->usual.median != 0 ? age_format(text, r->usual.median)
               : r->last != NULL    ? "?"
                                    : "");
    uint64_t limit = r->limits.warning != 0 ? r->limits.warning : r->limits.critical;
    table_cell(t, style, "%s", limit != 0 ? age_format(text, limit) : "");
    table_cell(t, style, "%s", r->text);
}

static int print_rows(const struct watch *w, struct error *err)
{
    struct table *t = table_new(err);
    table_column(t, "verdict", false);
    table_column(t, "writer", false);
    table_column(t, "last good backup (UTC)", false);
    table_column(t, "age", true);
    table_column(t, "usually every", true);
    table_column(t, "late after", true);
    table_column(t, "", false);
    for (size_t i = 0; i < w->rows.len; i++)
        add_row(t, vec_at(&w->rows, i));
    int rc = w->rows.len > 0 ? table_print(t, &w->cli->out, err) : 0;
    table_free(t);
    return rc;
}

static void print_problems(const struct watch *w)
{
    for (size_t i = 0; i < w->problems.len; i++) {
        char line[LINE_MAX_TEXT] = "";
        append_safe(line, sizeof line, *(char **)vec_at(&w->problems, i));
        out_line(&w->cli->out, OUT_BAD, "CRITICAL  %s", line);
    }
    if (w->nproblems > w->problems.len)
        out_line(&w->cli->out, OUT_BAD, "CRITICAL  and %llu more: `restore verify` names all",
                 (unsigned long long)(w->nproblems - w->problems.len));
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------ */

static void limit_json(struct jsonout *o, const char *key, uint64_t seconds)
{
    if (seconds != 0)
        jsonout_u64(o, key, seconds);
    else
        jsonout_str(o, key, NULL);
}

static int row_json(const struct watch_row *r, struct error *err)
{
    char receipt[RECEIPT_LEN + 1];
    struct jsonout *o = jsonout_new("writer");
    jsonout_str(o, "writer", r->id);
    jsonout_str(o, "name", r->named ? r->name : NULL);
    jsonout_str(o, "verdict", watch_verdict_name(r->verdict));
    jsonout_bool(o, "retired", r->retired);
    jsonout_bool(o, "spare", r->spare);
    jsonout_str(o, "text", r->text);
    jsonout_time(o, "time_claimed", r->claimed);
    jsonout_time(o, "time_stored", r->stored);
    if (r->last != NULL)
        jsonout_u64(o, "age_seconds", r->age);
    else
        jsonout_str(o, "age_seconds", NULL);
    limit_json(o, "usual_seconds", r->usual.median);
    limit_json(o, "warning_seconds", r->limits.warning);
    limit_json(o, "critical_seconds", r->limits.critical);
    jsonout_str(o, "receipt", r->last != NULL ? record_receipt(r->last->hash, receipt) : NULL);
    return jsonout_emit(o, err);
}

static int summary_json(struct cli_context *cli, enum watch_verdict v, const char *text,
                        const struct watch *w, struct error *err)
{
    struct counts c = { .used = 0 };
    struct jsonout *o = jsonout_new("summary");
    if (w != NULL)
        c = count(w);
    (void)cli;
    jsonout_str(o, "verdict", watch_verdict_name(v));
    jsonout_u64(o, "code", (uint64_t)v);
    jsonout_str(o, "text", text);
    jsonout_u64(o, "writers", c.used);
    jsonout_u64(o, "in_time", c.good);
    jsonout_u64(o, "not_published", c.never);
    jsonout_u64(o, "problems", w != NULL ? w->nproblems : 0);
    jsonout_bool(o, "rollback_checked", w != NULL && w->st->marks_path != NULL && !w->st->first_time);
    return jsonout_emit(o, err);
}

static int report_json(const struct watch *w, const char *text, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->rows.len; i++)
        rc = row_json(vec_at(&w->rows, i), err);
    for (size_t i = 0; rc == 0 && i < w->problems.len; i++) {
        struct jsonout *o = jsonout_new("problem");
        jsonout_str(o, "text", *(char **)vec_at(&w->problems, i));
        rc = jsonout_emit(o, err);
    }
    return rc < 0 ? rc : summary_json(w->cli, w->verdict, text, w, err);
}

int watch_report(struct watch *w, struct error *err)
{
    char text[LINE_MAX_TEXT];
    if (count(w).oldest == NULL) /* nothing is watched, or there is nothing yet: somebody should know */
        w->verdict = watch_worse(w->verdict, WATCH_WARNING);
    summary_text(w, text, sizeof text);
    if (w->cli->json)
        return report_json(w, text, err);
    out_text(&w->cli->out, style_of(w->verdict), "%s: %s", watch_verdict_name(w->verdict), text);
    print_numbers(w);
    if (w->cli->quiet)
        return out_flush(&w->cli->out, err);
    int rc = print_rows(w, err);
    print_problems(w);
    return rc < 0 ? rc : out_flush(&w->cli->out, err);
}

void watch_report_failure(struct cli_context *cli, enum watch_verdict verdict, const struct error *why)
{
    char line[LINE_MAX_TEXT] = "";
    append_safe(line, sizeof line, why->text[0] != '\0' ? why->text : "no reason is known");
    if (cli->json)
        (void)summary_json(cli, verdict, line, NULL, NULL);
    else
        out_line(&cli->out, OUT_BAD, "%s: %s", watch_verdict_name(verdict), line);
}
