/* Tables and streams, one by one. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backupd/anomaly/detect_internal.h"
#include "common/base/number.h"

#include "common/base/banned.h"

enum {
    PERCENT = 100,
    EMPTIED_LEAST = 20,
    OFTEN = 4,
    NAME_TEXT = 200,
    ENTROPY_PART = 16,
    ENTROPY_SHARE = 100
};

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

/* A table that has always had rows and has none now says something, however small it is. */
static bool is_emptied(const struct detector *d, const struct series *s, double rows)
{
    if (rows > 0 || s->n < d->conf->min_runs || !detect_learned(d))
        return false;
    for (size_t i = 0; i < s->n; i++)
        if (s->sights[i].value < EMPTIED_LEAST)
            return false;
    return true;
}

static bool rows_of(struct detector *d, const struct series *s, const char *name, double rows)
{
    const struct measure m = { .floor = d->conf->min_rows,
                               .low = d->conf->shrinks_to / (double)PERCENT,
                               .high = d->conf->grows_to / (double)PERCENT };
    char n[NUMBER_TEXT_MAX];
    char runs[64];
    double usual;
    enum swing swing = series_judge(d, s, rows, &m, &usual);
    if (swing == SWING_NONE && is_emptied(d, s, rows))
        swing = SWING_LOW;
    struct anomaly *a = swing != SWING_NONE ? anomalies_add(d, "rows", ANOMALY_ALARM) : NULL;
    if (a == NULL)
        return swing != SWING_NONE;
    anomaly_printf(a->what,
                   swing == SWING_HIGH ? "%s has far more rows than usual"
                   : rows > 0          ? "%s has far fewer rows than usual"
                                       : "%s is empty",
                   name);
    anomaly_printf(a->seen, "%s rows", count_format(n, (uint64_t)rows));
    anomaly_printf(a->usual, "about %s rows (%s)", count_format(n, (uint64_t)usual), runs_text(runs, s->n));
    anomaly_printf(a->look_at, "%s",
                   swing == SWING_LOW
                       ? "What deleted or replaced rows since the last run? The snapshots before this one "
                         "still hold them."
                       : "What writes so many: an import, a loop, a retry without an end?");
    return true;
}

/* ---- there and gone -------------------------------------------------------------------------------------------------- */

/* events_2026_11_28 -> events_#_#_#; false for a name without digits. */
static bool family_of(const char *name, char *out, size_t cap)
{
    bool digits = false;
    size_t n = 0;
    for (size_t i = 0; name[i] != '\0' && n + 1 < cap; i++) {
        bool digit = isdigit((unsigned char)name[i]) != 0;
        if (digit && n > 0 && out[n - 1] == '#')
            continue;
        digits |= digit;
        out[n++] = digit ? '#' : name[i];
    }
    out[n] = '\0';
    return digits;
}

/* Tables by day or month come and go: one that goes while others of its name are there is no news. */
static bool has_relatives(const struct detector *d, const char *name)
{
    char family[BASELINE_NAME_MAX + 1];
    char other[BASELINE_NAME_MAX + 1];
    if (!family_of(name, family, sizeof family))
        return false;
    for (size_t i = 0; i < d->night->subjects.len; i++) {
        const struct baseline_subject *s = vec_at(&d->night->subjects, i);
        if (family_of(s->name, other, sizeof other) && strcmp(family, other) == 0)
            return true;
    }
    return false;
}

static bool is_empty(const struct point *p)
{
    return p->seen.rows == 0 || (p->seen.rows < 0 && p->seen.bytes == 0);
}

static void vanished(struct detector *d, const char *name, const struct point *points, size_t n)
{
    const struct point *last = &points[n - 1];
    char shown[NAME_TEXT];
    char count[NUMBER_TEXT_MAX];
    if (last->run != detect_last(d)) /* it was gone before */
        return;
    bool alarm = n >= d->conf->min_runs && detect_learned(d) && !is_empty(last) && !has_relatives(d, name);
    struct anomaly *a = anomalies_add(d, "vanished", alarm ? ANOMALY_ALARM : ANOMALY_NOTE);
    d->sized |= alarm;
    if (a == NULL)
        return;
    anomaly_printf(a->what, "%s is gone", night_name(shown, sizeof shown, name));
    anomaly_printf(a->seen, "not there");
    if (last->seen.rows >= 0)
        anomaly_printf(a->usual, "%s rows at the last run", count_format(count, (uint64_t)last->seen.rows));
    else
        anomaly_printf(a->usual, "%s at the last run",
                       size_format(count, last->seen.bytes > 0 ? (uint64_t)last->seen.bytes : 0));
    anomaly_printf(
        a->look_at,
        "Who dropped or renamed it, or left it out of the job? The snapshots before this one still hold it.");
}

static void add_name(char list[ANOMALY_TEXT_MAX], size_t *n, const char *name)
{
    char shown[NAME_TEXT];
    size_t used = strlen(list);
    (void)night_name(shown, sizeof shown, name);
    if (used + strlen(shown) + 3 < ANOMALY_TEXT_MAX / 2)
        (void)snprintf(list + used, ANOMALY_TEXT_MAX - used, "%s%s", used > 0 ? ", " : "", shown);
    else if (used > 0 && list[used - 1] != '.')
        (void)snprintf(list + used, ANOMALY_TEXT_MAX - used, ", ...");
    (*n)++;
}

/* Definitions that change all the time are no news. */
static void schema(struct detector *d, const char *name, int64_t now, const struct point *points, size_t n)
{
    size_t changes = 0;
    if (points[n - 1].seen.schema == now)
        return;
    for (size_t i = n > ROBUST_RECENT ? n - ROBUST_RECENT : 1; i < n; i++)
        changes += points[i].seen.schema != points[i - 1].seen.schema;
    if (changes < OFTEN)
        add_name(d->changed_names, &d->changed, name);
}

/* ---- a subject ------------------------------------------------------------------------------------------------------- */

/* What an earlier run saw, as the detectors want it. */
struct past {
    struct series rows, sizes, shares, amounts, ratios;
};

static void learn(struct past *p, const struct point *points, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct baseline_subject *s = &points[i].seen;
        const struct baseline_run *run = points[i].run;
        if (s->rows >= 0)
            series_add(&p->rows, run, (double)s->rows);
        if (s->bytes >= 0)
            series_add(&p->sizes, run, (double)s->bytes);
        if (s->fresh >= 0)
            series_add(&p->amounts, run, (double)s->fresh);
        if (s->bytes >= 0 && s->fresh >= 0)
            series_add(&p->shares, run, s->bytes > 0 ? (double)s->fresh / (double)s->bytes : 0);
        if (s->ratio >= 0)
            series_add(&p->ratios, run, (double)s->ratio / 1000);
    }
}

/* before: its bytes at the last run that saw it, or -1 */
static void judge(struct detector *d, struct past *p, const struct baseline_subject *now, int64_t before,
                  const char *name)
{
    bool told = now->rows >= 0 && rows_of(d, &p->rows, name, (double)now->rows);
    if (!told && now->bytes >= 0)
        told = detect_size(d, &p->sizes, name, (double)now->bytes);
    d->sized |= told;
    if (now->bytes < 0)
        return;
    struct content c = { .name = name,
                         .whole = (double)now->bytes,
                         .fresh = (double)now->fresh,
                         .grown = before >= 0 ? (double)now->bytes - (double)before : 0,
                         .least = fmax((double)d->conf->min_size / ENTROPY_PART,
                                       (double)now->bytes / ENTROPY_SHARE),
                         .ratio = now->ratio };
    c.churned = detect_churn(d, &p->shares, &p->amounts, &c);
    d->churned |= c.churned;
    d->squeezed |= detect_entropy(d, &p->ratios, &c);
}

void detect_subject(struct detector *d, const char *name, const struct point *points, size_t n)
{
    struct baseline_subject *now = (struct baseline_subject *)(uintptr_t)night_find(d->night, name);
    struct past past;
    char shown[NAME_TEXT];
    if (n == 0)
        return;
    if (now == NULL) {
        vanished(d, name, points, n);
        return;
    }
    past.rows.n = past.sizes.n = past.shares.n = past.amounts.n = past.ratios.n = 0;
    learn(&past, points, n);
    judge(d, &past, now, points[n - 1].seen.bytes, night_name(shown, sizeof shown, name));
    if (points[n - 1].run == detect_last(d))
        schema(d, name, now->schema, points, n);
    if (now->ratio < 0)
        now->ratio = points[n - 1].seen.ratio;
    now->run = -1; /* known */
}

void detect_rest(struct detector *d)
{
    const enum anomaly_severity severity = d->conf->tell_schema ? ANOMALY_WARNING : ANOMALY_NOTE;
    struct anomaly *a = NULL;
    for (size_t i = 0; d->runs->len > 0 && i < d->night->subjects.len; i++) {
        const struct baseline_subject *s = vec_at(&d->night->subjects, i);
        if (s->run != -1)
            add_name(d->fresh_list, &d->fresh_names, s->name);
    }
    if (d->fresh_names > 0 && (a = anomalies_add(d, "schema", severity)) != NULL) {
        anomaly_printf(a->what, "%zu new %s", d->fresh_names,
                       plural(d->fresh_names, "table or stream", "tables or streams"));
        anomaly_printf(a->seen, "%s", d->fresh_list);
        anomaly_printf(a->usual, "not there at the runs before");
        anomaly_printf(a->look_at, "Nothing, if somebody works on the application.");
    }
    if (d->changed > 0 && (a = anomalies_add(d, "schema", severity)) != NULL) {
        anomaly_printf(a->what, "%zu %s changed", d->changed,
                       plural(d->changed, "definition", "definitions"));
        anomaly_printf(a->seen, "%s", d->changed_names);
        anomaly_printf(a->usual, "as at the last run");
        anomaly_printf(a->look_at,
                       "Nothing, if somebody works on the application. `restore diff` shows what changed.");
    }
}
