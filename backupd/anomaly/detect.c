/* What the detectors share, and what is judged by bytes alone: sizes, new data, how it compresses. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backupd/anomaly/detect_internal.h"
#include "common/base/number.h"

#include "common/base/banned.h"

static const double churn_times = 2;
static const double entropy_least = 0.5; /* better compressed it is text, or numbers */
static const double entropy_least_churned = 0.4;
/* What comes in addition replaces nothing: pictures, an archive. Who encrypts replaces; too much that is added is `size`. */
static const double replaced_part = 0.1;

enum { THOUSAND = 1000, PERCENT = 100 };

/* ---- findings -------------------------------------------------------------------------------------------------------- */

static bool is_ignored(const struct detector *d, const char *kind)
{
    for (size_t i = 0; i < d->conf->ignore.n; i++)
        if (strcmp(d->conf->ignore.names[i], kind) == 0)
            return true;
    return false;
}

struct anomaly *anomalies_add(struct detector *d, const char *kind, enum anomaly_severity severity)
{
    struct anomalies *f = &d->found;
    if (is_ignored(d, kind))
        return NULL;
    f->alarms += severity == ANOMALY_ALARM;
    f->warnings += severity == ANOMALY_WARNING;
    f->notes += severity == ANOMALY_NOTE;
    d->lasts |= strcmp(kind, "entropy") == 0;
    if (f->list.len >= ANOMALY_LIST_MAX) {
        f->left_out++;
        return NULL;
    }
    struct anomaly *a = vec_push(&f->list, d->err);
    if (a == NULL)
        d->rc = E_NOMEM;
    else
        *a = (struct anomaly){ .kind = kind, .severity = severity };
    return a;
}

void anomalies_free(struct anomalies *f)
{
    vec_free(&f->list);
    *f = (struct anomalies)ANOMALIES_INIT;
}

void anomaly_printf(char out[ANOMALY_TEXT_MAX], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(out, ANOMALY_TEXT_MAX, fmt, ap);
    va_end(ap);
}

const char *runs_text(char out[64], size_t n)
{
    (void)snprintf(out, 64, "median of the last %zu runs", n < ROBUST_WINDOW ? n : (size_t)ROBUST_WINDOW);
    return out;
}

/* ---- series ---------------------------------------------------------------------------------------------------------- */

void series_add(struct series *s, const struct baseline_run *run, double value)
{
    if (s->n < sizeof s->sights / sizeof s->sights[0])
        s->sights[s->n++] =
            (struct sight){ .value = value, .time = run->time, .accepted = run->state == BASELINE_ACCEPTED };
}

enum swing series_judge(const struct detector *d, const struct series *s, double value,
                        const struct measure *m, double *usual)
{
    *usual = 0;
    if (s->n < d->conf->min_runs || !detect_learned(d))
        return SWING_NONE;
    return robust_judge(s->sights, s->n, value, d->now, m, usual);
}

const struct baseline_run *detect_last(const struct detector *d)
{
    return d->runs->len > 0 ? vec_at(d->runs, d->runs->len - 1) : NULL;
}

bool detect_learned(const struct detector *d)
{
    const struct baseline_run *first = NULL;
    /* One of the future says nothing about age: a clock was wrong. */
    for (size_t i = 0; i < d->runs->len && (first == NULL || first->time > d->now); i++)
        first = vec_at(d->runs, i);
    return first != NULL && d->runs->len >= d->conf->min_runs &&
           d->now - first->time >= (int64_t)(d->conf->min_age_ms / THOUSAND);
}

bool detect_comparable(const struct detector *d)
{
    const struct baseline_run *last = detect_last(d);
    return last != NULL && strcmp(last->writer, d->night->run.writer) == 0 && d->night->run.lost == 0;
}

/* ---- detectors of bytes ---------------------------------------------------------------------------------------------- */

bool detect_size(struct detector *d, const struct series *sizes, const char *name, double bytes)
{
    const struct measure m = { .floor = (double)d->conf->min_size,
                               .low = d->conf->shrinks_to / (double)PERCENT,
                               .high = d->conf->grows_to / (double)PERCENT };
    char size[NUMBER_TEXT_MAX];
    char runs[64];
    double usual;
    enum swing swing = series_judge(d, sizes, bytes, &m, &usual);
    struct anomaly *a = swing != SWING_NONE ? anomalies_add(d, "size", ANOMALY_ALARM) : NULL;
    if (a == NULL)
        return swing != SWING_NONE;
    anomaly_printf(a->what, "%s is much %s than usual", name, swing == SWING_LOW ? "smaller" : "larger");
    anomaly_printf(a->seen, "%s", size_format(size, (uint64_t)bytes));
    anomaly_printf(a->usual, "about %s (%s)", size_format(size, (uint64_t)usual), runs_text(runs, sizes->n));
    anomaly_printf(a->look_at, "%s",
                   swing == SWING_LOW
                       ? "What was deleted or emptied since the last run? The snapshots before this "
                         "one still hold it."
                       : "What writes so much: an import, a loop, a log that nobody trims?");
    return true;
}

/* Both the share and the amount: of a table that was just trimmed all is new, and it is not more than ever. The share decides
 * whether it is far away; the amount has only to be more than it mostly is. */
bool detect_churn(struct detector *d, const struct series *shares, const struct series *amounts,
                  const struct content *now)
{
    const struct measure m = { .plain = true, .high = d->conf->churn_by / (double)PERCENT };
    const struct measure bytes = { .floor = (double)d->conf->min_size, .high = churn_times, .mads = 1 };
    double share = now->whole > 0 ? now->fresh / now->whole : 0;
    char size[NUMBER_TEXT_MAX];
    char runs[64];
    double usual;
    if (now->fresh < (double)d->conf->min_size || !detect_comparable(d) ||
        series_judge(d, amounts, now->fresh, &bytes, &usual) != SWING_HIGH ||
        series_judge(d, shares, share, &m, &usual) != SWING_HIGH)
        return false;
    struct anomaly *a = anomalies_add(d, "churn", ANOMALY_ALARM);
    if (a == NULL)
        return true;
    anomaly_printf(a->what, "much more of %s is new than usual", now->name);
    anomaly_printf(a->seen, "%.0f %% of %s", share * PERCENT, size_format(size, (uint64_t)now->whole));
    anomaly_printf(a->usual, "about %.0f %% (%s)", usual * PERCENT, runs_text(runs, shares->n));
    anomaly_printf(
        a->look_at,
        "What rewrote it: an import, %s? If nobody knows, look at the %s: it may be somebody who encrypts them.",
        d->files ? "a copy, an archive, a tool that touched every file"
                 : "a rebuild (VACUUM, OPTIMIZE TABLE), an update of every row",
        d->files ? "files" : "rows");
    return true;
}

/* Words of base64 or of hexadecimal digits among other columns still compress. Where much more is new than usual anyway, half
 * of the rise says the same. */
bool detect_entropy(struct detector *d, const struct series *ratios, const struct content *now)
{
    const struct measure m = { .plain = true,
                               .high = d->conf->entropy_by / (double)PERCENT / (now->churned ? 2 : 1),
                               .mads = now->churned ? ROBUST_MADS / 2.0 : ROBUST_MADS };
    double ratio = (double)now->ratio / THOUSAND;
    double replaced = now->fresh - (now->grown > 0 ? now->grown : 0);
    char size[NUMBER_TEXT_MAX];
    char runs[64];
    double usual;
    if (now->ratio < 0 || ratio < (now->churned ? entropy_least_churned : entropy_least) ||
        replaced < now->least || replaced < replaced_part * now->fresh ||
        series_judge(d, ratios, ratio, &m, &usual) != SWING_HIGH)
        return false;
    struct anomaly *a = anomalies_add(d, "entropy", ANOMALY_ALARM);
    if (a == NULL)
        return true;
    anomaly_printf(a->what, "new data of %s hardly compresses: it looks encrypted or compressed", now->name);
    anomaly_printf(a->seen, "%s of new data, compressed to %.0f %%", size_format(size, (uint64_t)now->fresh),
                   ratio * PERCENT);
    anomaly_printf(a->usual, "to about %.0f %% (%s)", usual * PERCENT, runs_text(runs, ratios->n));
    anomaly_printf(
        a->look_at,
        "Read some %s that changed, now. Are they readable? If not, stop what writes there, and hold the "
        "snapshots before this one (`backupd hold`).",
        d->files ? "files" : "rows");
    return true;
}
