/* The run as a whole, and the storage. */
#include <math.h>
#include <string.h>

#include "backupd/anomaly/detect_internal.h"
#include "common/base/number.h"

#include "common/base/banned.h"

enum {
    MINUTE_MS = 60 * 1000,
    DAY = 86400,
    DAY_MS = DAY * 1000,
    HOUR = 3600,
    SPAN_LEAST = 3 /* days */,
    PERCENT = 100,
    FELL_PERCENT = 10,
    FILES_LEAST = 100,
    /* People delete, and people bring pictures: of the whole nobody knows what took whose place. */
    ENTROPY_SHARE = 20
};

/* ---- the source ------------------------------------------------------------------------------------------------------ */

static double share_of(const struct baseline_run *r)
{
    return r->bytes > 0 ? (double)r->fresh / (double)r->bytes : 0;
}

static void files(struct detector *d)
{
    const struct baseline_run *now = &d->night->run;
    const struct measure m = { .floor = FILES_LEAST,
                               .low = d->conf->shrinks_to / (double)PERCENT,
                               .high = d->conf->grows_to / (double)PERCENT };
    struct series s = { .n = 0 };
    char n[NUMBER_TEXT_MAX];
    char runs[64];
    double usual;
    for (size_t i = 0; i < d->runs->len; i++)
        series_add(&s, vec_at(d->runs, i),
                   (double)((const struct baseline_run *)vec_at(d->runs, i))->members);
    enum swing swing = series_judge(d, &s, (double)now->members, &m, &usual);
    struct anomaly *a = swing != SWING_NONE ? anomalies_add(d, "size", ANOMALY_ALARM) : NULL;
    if (a == NULL)
        return;
    anomaly_printf(a->what, "there are far %s files than usual", swing == SWING_LOW ? "fewer" : "more");
    anomaly_printf(a->seen, "%s", count_format(n, now->members));
    anomaly_printf(a->usual, "about %s (%s)", count_format(n, (uint64_t)usual), runs_text(runs, s.n));
    anomaly_printf(a->look_at, "What made or deleted files below the job's path? Is everything mounted?");
}

static void content(struct detector *d)
{
    struct baseline_run *now = &d->night->run;
    struct series shares = { .n = 0 };
    struct series amounts = { .n = 0 };
    struct series ratios = { .n = 0 };
    const struct baseline_run *last = detect_last(d);
    struct content c = { .name = "the source",
                         .whole = (double)now->bytes,
                         .fresh = (double)now->fresh,
                         .grown = last != NULL ? (double)now->bytes - (double)last->bytes : 0,
                         .least = fmax((double)d->conf->min_size, (double)now->bytes / ENTROPY_SHARE),
                         .ratio = now->ratio };
    for (size_t i = 0; i < d->runs->len; i++) {
        const struct baseline_run *r = vec_at(d->runs, i);
        series_add(&shares, r, share_of(r));
        series_add(&amounts, r, (double)r->fresh);
        if (r->ratio >= 0)
            series_add(&ratios, r, (double)r->ratio / 1000);
    }
    if (!d->churned)
        c.churned = detect_churn(d, &shares, &amounts, &c);
    if (!d->squeezed)
        (void)detect_entropy(d, &ratios, &c);
    if (now->ratio < 0 && last != NULL)
        now->ratio = last->ratio;
}

/* Rows that were encrypted last week are no new data today, and still nobody can read them. */
static void still(struct detector *d)
{
    char name[NUMBER_TEXT_MAX];
    struct anomaly *a = d->since != NULL && !d->lasts ? anomalies_add(d, "entropy", ANOMALY_ALARM) : NULL;
    if (a == NULL)
        return;
    anomaly_printf(
        a->what, "an earlier run found new data that looks encrypted, and nobody has said that it is right");
    anomaly_printf(a->seen, "since snapshot %u of %s", (unsigned)d->since->session,
                   time_format(name, (uint64_t)d->since->time));
    anomaly_printf(a->usual, "data that compresses");
    anomaly_printf(
        a->look_at,
        "Read some %s that changed then. If they are as they should be, say so (`backupd anomaly accept`); "
        "so do after you have restored them.",
        d->files ? "files" : "rows");
}

static void slow(struct detector *d)
{
    const struct baseline_run *now = &d->night->run;
    const struct measure m = { .floor = MINUTE_MS, .high = d->conf->slower_than / (double)PERCENT };
    struct series s = { .n = 0 };
    char text[NUMBER_TEXT_MAX];
    char runs[64];
    double usual;
    for (size_t i = 0; i < d->runs->len; i++)
        series_add(&s, vec_at(d->runs, i),
                   (double)((const struct baseline_run *)vec_at(d->runs, i))->duration_ms);
    if (series_judge(d, &s, (double)now->duration_ms, &m, &usual) != SWING_HIGH)
        return;
    struct anomaly *a = anomalies_add(d, "slow", ANOMALY_WARNING);
    if (a == NULL)
        return;
    anomaly_printf(a->what, "the run took much longer than usual");
    anomaly_printf(a->seen, "%s", duration_format(text, now->duration_ms));
    anomaly_printf(a->usual, "about %s (%s)", duration_format(text, (uint64_t)usual), runs_text(runs, s.n));
    anomaly_printf(
        a->look_at,
        "Did it have much more to store? Otherwise: the load of %sthis host, %sand the way to the storage.",
        d->files ? "" : "the database and of ", d->files ? "" : "locks, ");
}

/* ---- the storage ----------------------------------------------------------------------------------------------------- */

static bool same_storage(const struct baseline_run *a, const struct baseline_run *b)
{
    return a->space_total != 0 && a->space_total == b->space_total;
}

static void space_low(struct detector *d)
{
    const struct baseline_run *now = &d->night->run;
    char size[NUMBER_TEXT_MAX];
    double percent = (double)now->space_free / (double)now->space_total * PERCENT;
    struct anomaly *a = anomalies_add(d, "space", ANOMALY_WARNING);
    if (a == NULL)
        return;
    anomaly_printf(a->what, "the storage is nearly full");
    anomaly_printf(a->seen, "%s free, %.1f %%", size_format(size, now->space_free), percent);
    anomaly_printf(a->usual, "at least %u %% (min_free)", d->conf->min_free);
    anomaly_printf(a->look_at,
                   "Make room, or let more expire (`backupd expire`): a run that finds no room fails.");
}

/* What the last runs took of it in a day, by the median of all pairs of neighbours; 0 when it is not known. */
static double daily_loss(const struct detector *d, double *last_loss)
{
    double losses[ROBUST_WINDOW] = { 0 };
    size_t n = 0;
    double span = 0;
    const struct baseline_run *after = &d->night->run;
    *last_loss = 0;
    for (size_t i = d->runs->len; i > 0 && n < ROBUST_WINDOW; i--) {
        const struct baseline_run *r = vec_at(d->runs, i - 1);
        double days = (double)(after->time - r->time) / DAY;
        if (!same_storage(r, after))
            break;
        double loss = (double)r->space_free - (double)after->space_free;
        if (i == d->runs->len)
            *last_loss = loss;
        if (days * DAY >= HOUR) /* of two runs in a minute nobody can tell what a day takes */
            losses[n++] = loss / days;
        span += days > 0 ? days : 0; /* a clock that was wrong takes no days away */
        after = r;
    }
    return n >= d->conf->min_runs && span >= SPAN_LEAST ? robust_median(losses, n) : 0;
}

static void space_falls(struct detector *d)
{
    const struct baseline_run *now = &d->night->run;
    double last = 0;
    double daily = daily_loss(d, &last);
    double soon = (double)d->conf->full_within_ms / DAY_MS;
    double left = daily > 0 ? (double)now->space_free / daily : soon;
    bool sudden = last > (double)now->space_total * FELL_PERCENT / PERCENT && last > 3 * daily &&
                  last > (double)now->stored * 3;
    char a1[NUMBER_TEXT_MAX];
    if (!detect_learned(d) || (left >= soon && !sudden))
        return;
    struct anomaly *a = anomalies_add(d, "space", ANOMALY_WARNING);
    if (a == NULL)
        return;
    if (left < soon) {
        anomaly_printf(a->what, "the storage will be full in about %.0f days", left);
        anomaly_printf(a->seen, "%s free", size_format(a1, now->space_free));
        anomaly_printf(a->usual, "%s less each day", size_format(a1, (uint64_t)daily));
        anomaly_printf(a->look_at, "Make room before: a run that finds none fails.");
        return;
    }
    anomaly_printf(a->what, "the free space of the storage fell suddenly");
    anomaly_printf(a->seen, "%s less than at the last run", size_format(a1, (uint64_t)last));
    anomaly_printf(a->usual, "about %s in a day", size_format(a1, (uint64_t)(daily > 0 ? daily : 0)));
    anomaly_printf(a->look_at, "Who else writes there? This run stored %s.", size_format(a1, now->stored));
}

static void storage(struct detector *d)
{
    const struct baseline_run *now = &d->night->run;
    const struct baseline_run *last = detect_last(d);
    struct anomaly *a = NULL;
    if (now->lost > 0 && (a = anomalies_add(d, SESSION_LOST_KIND, ANOMALY_WARNING)) != NULL) {
        anomaly_printf(a->what, "the storage has lost or damaged data of earlier snapshots");
        anomaly_printf(a->seen, "%llu %s missing or damaged", (unsigned long long)now->lost,
                       plural(now->lost, "pack", "packs"));
        anomaly_printf(a->usual, "none");
        anomaly_printf(a->look_at,
                       "`restore verify` tells which snapshots are damaged. What the source still has of it "
                       "was stored again by this run.");
    }
    if (last != NULL && last->identity[0] != '\0' && now->identity[0] != '\0' &&
        strcmp(last->identity, now->identity) != 0 &&
        (a = anomalies_add(d, "host_key", ANOMALY_WARNING)) != NULL) {
        anomaly_printf(a->what, "the storage shows another host key than at the last run");
        anomaly_printf(a->seen, "%s", now->identity);
        anomaly_printf(a->usual, "%s", last->identity);
        anomaly_printf(a->look_at, "Somebody changed host_key or known_hosts on this host. Was it you?");
    }
    if (now->space_total == 0)
        return;
    if ((double)now->space_free < (double)now->space_total * d->conf->min_free / PERCENT)
        space_low(d);
    else
        space_falls(d);
}

static void size(struct detector *d)
{
    struct series s = { .n = 0 };
    for (size_t i = 0; i < d->runs->len; i++)
        series_add(&s, vec_at(d->runs, i), (double)((const struct baseline_run *)vec_at(d->runs, i))->bytes);
    (void)detect_size(d, &s, "the source", (double)d->night->run.bytes);
}

void detect_run(struct detector *d)
{
    if (!d->sized)
        size(d);
    if (d->night->subjects.len == 0)
        files(d);
    content(d);
    still(d);
    slow(d);
    storage(d);
}
