/* The calendar, and what people read. */
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/repo/policy_internal.h"

#include "common/base/banned.h"

/* ---- the calendar -------------------------------------------------------------------------------------- */

enum { HOUR = 3600, THURSDAY = 3 /* days from Monday to the first of January 1970 */ };

static int64_t offset_at(const struct policy_run *run, uint64_t t)
{
    return run->zone != NULL ? run->zone(run->zone_arg, t) : 0;
}

/* Seconds of the zone's clock since 1970. */
static uint64_t local(const struct policy_run *run, uint64_t t)
{
    int64_t offset = offset_at(run, t);
    return offset < 0 && t < (uint64_t)-offset ? 0 : t + (uint64_t)offset;
}

static struct civil date_of(uint64_t day)
{
    struct civil c;
    civil_of_days((int64_t)day, &c);
    return c;
}

int64_t policy_local_zone(void *arg, uint64_t t)
{
    struct civil c;
    (void)arg;
    zone_civil((int64_t)t, &c);
    return civil_days(c.year, c.month, c.day) * POLICY_DAY + c.hour * HOUR + c.minute * 60 + c.second -
           (int64_t)t;
}

uint64_t policy_bucket(const struct policy_run *run, enum policy_rule rule, uint64_t t)
{
    uint64_t day = local(run, t) / POLICY_DAY;
    struct civil d = date_of(day);
    switch (rule) {
    case POLICY_HOURLY: /* by the clock of the world: the hour that comes twice in autumn is two */
        return (t + (uint64_t)((offset_at(run, t) % HOUR + HOUR) % HOUR)) / HOUR;
    case POLICY_DAILY:
        return day;
    case POLICY_WEEKLY:
        return (day + THURSDAY) / 7;
    case POLICY_MONTHLY:
        return (uint64_t)(d.year * 12 + d.month - 1);
    default:
        return (uint64_t)d.year;
    }
}

/* ISO 8601: the week belongs to the year of its Thursday. */
static void week_text(char *out, size_t cap, uint64_t day)
{
    uint64_t thursday = (day + THURSDAY) / 7 * 7;
    struct civil d = date_of(thursday);
    uint64_t first = thursday;
    while (first > 0 && date_of(first - 1).year == d.year)
        first--;
    (void)snprintf(out, cap, "weekly %d-W%02llu", d.year, (unsigned long long)((thursday - first) / 7 + 1));
}

/* ---- words --------------------------------------------------------------------------------------------- */

const char *policy_rule_name(enum policy_rule rule)
{
    static const char *const names[POLICY_RULES] = {
        [POLICY_GONE] = "expired",      [POLICY_UNREADABLE] = "unreadable", [POLICY_NEW] = "new",
        [POLICY_HELD] = "hold",         [POLICY_NEWEST] = "newest",         [POLICY_MIN_KEEP] = "min-keep",
        [POLICY_FLOOR] = "min",         [POLICY_PROVEN] = "proven",         [POLICY_TAG] = "tags",
        [POLICY_LAST] = "last",         [POLICY_HOURLY] = "hourly",         [POLICY_DAILY] = "daily",
        [POLICY_WEEKLY] = "weekly",     [POLICY_MONTHLY] = "monthly",       [POLICY_YEARLY] = "yearly",
        [POLICY_WITHIN] = "within",     [POLICY_NO_RULES] = "no-rules",     [POLICY_UNUSUAL] = "max_new",
        [POLICY_STOPPED] = "stopped",   [POLICY_SHARE] = "max_share",       [POLICY_ERASE] = "erase_after",
        [POLICY_UNNEEDED] = "unneeded",
    };
    return rule < POLICY_RULES && names[rule] != NULL ? names[rule] : "?";
}

const char *policy_span(char out[POLICY_SPAN_MAX], uint64_t seconds)
{
    if (seconds % POLICY_DAY == 0)
        (void)snprintf(out, POLICY_SPAN_MAX, "%llud", (unsigned long long)seconds / POLICY_DAY);
    else
        (void)snprintf(out, POLICY_SPAN_MAX, "%lluh", (unsigned long long)seconds / HOUR);
    return out;
}

/* Why this rule keeps it. */
static void rule_text(const struct policy_group *g, const struct policy_item *i, enum policy_rule rule,
                      char *out, size_t cap)
{
    uint64_t at = local(g->run, i->place);
    struct civil d = date_of(at / POLICY_DAY);
    char span[POLICY_SPAN_MAX];
    switch (rule) {
    case POLICY_NEW:
        (void)snprintf(out, cap, "new: first seen by this run");
        return;
    case POLICY_NEWEST:
        (void)snprintf(out, cap, "the newest");
        return;
    case POLICY_MIN_KEEP:
        (void)snprintf(out, cap, "min-keep %ud of the charter", g->run->min_keep_days);
        return;
    case POLICY_FLOOR:
        (void)snprintf(out, cap, "min %u", g->rules->floor);
        return;
    case POLICY_PROVEN:
        if (g->rules->proven > 1)
            (void)snprintf(out, cap, "proven %u: passed a drill", g->rules->proven);
        else
            (void)snprintf(out, cap, "the newest that passed a drill");
        return;
    case POLICY_TAG:
        (void)snprintf(out, cap, "its tag");
        return;
    case POLICY_LAST:
        (void)snprintf(out, cap, "last %zu of %u", i->nth, g->rules->last);
        return;
    case POLICY_HOURLY:
        (void)snprintf(out, cap, "hourly %d-%02d-%02d %02llu:00", d.year, d.month, d.day,
                       (unsigned long long)(at % POLICY_DAY / HOUR));
        return;
    case POLICY_DAILY:
        (void)snprintf(out, cap, "daily %d-%02d-%02d", d.year, d.month, d.day);
        return;
    case POLICY_WEEKLY:
        week_text(out, cap, at / POLICY_DAY);
        return;
    case POLICY_MONTHLY:
        (void)snprintf(out, cap, "monthly %d-%02d", d.year, d.month);
        return;
    case POLICY_YEARLY:
        (void)snprintf(out, cap, "yearly %d", d.year);
        return;
    case POLICY_WITHIN:
        (void)snprintf(out, cap, "within %s", policy_span(span, g->rules->within));
        return;
    case POLICY_NO_RULES:
        (void)snprintf(out, cap, "its job has no keep rules");
        return;
    case POLICY_UNUSUAL:
        (void)snprintf(out, cap, "one of too many at once: a person has to decide");
        return;
    case POLICY_STOPPED:
        (void)snprintf(out, cap, "would go, but not in this run: %s",
                       g->run->stopped != NULL ? g->run->stopped
                                               : "an unusual number of new snapshots of its writer");
        return;
    case POLICY_SHARE:
        (void)snprintf(out, cap, "would go, but in a later run: at most %u %% at once", g->rules->max_share);
        return;
    default:
        (void)snprintf(out, cap, "%s", policy_rule_name(rule));
        return;
    }
}

void policy_explain_kept(const struct policy_group *g, struct policy_item *i)
{
    struct policy_verdict *v = i->v;
    size_t used = 0;
    v->reason[0] = '\0';
    for (enum policy_rule rule = POLICY_UNREADABLE; rule < POLICY_RULES; rule++) {
        char text[POLICY_REASON_MAX];
        if ((v->rules & 1u << rule) == 0)
            continue;
        if (used == 0)
            v->rule = rule;
        rule_text(g, i, rule, text, sizeof text);
        if (used + strlen(text) + 3 > sizeof v->reason)
            break;
        used +=
            (size_t)snprintf(v->reason + used, sizeof v->reason - used, "%s%s", used == 0 ? "" : ", ", text);
    }
}

void policy_explain_gone(const struct policy_group *g, struct policy_item *i)
{
    char span[POLICY_SPAN_MAX];
    if (!i->due) {
        i->v->rule = POLICY_UNNEEDED;
        (void)snprintf(i->v->reason, sizeof i->v->reason, "no rule keeps it");
        return;
    }
    i->v->rule = POLICY_ERASE;
    (void)snprintf(i->v->reason, sizeof i->v->reason, "erase_after %s: first seen %llu days ago",
                   policy_span(span, g->rules->erase_after),
                   (unsigned long long)(g->run->now - i->s->first_seen) / POLICY_DAY);
}

/* ---- alarms -------------------------------------------------------------------------------------------- */

static void alarm_text(const struct policy_group *g, struct policy_alarm *a)
{
    char span[POLICY_SPAN_MAX];
    const char *erase = policy_span(span, g->rules->erase_after);
    switch (a->kind) {
    case POLICY_ALARM_UNUSUAL:
        (void)snprintf(
            a->text, sizeof a->text,
            "%zu new snapshots at once, where up to %u a day are usual: keep rules expire nothing of "
            "this writer in this run, and these are neither counted nor expired. Look at them; expire "
            "the wrong ones by name, or raise max_new",
            a->count, policy_usual(g->rules));
        return;
    case POLICY_ALARM_UNSORTED:
        (void)snprintf(
            a->text, sizeof a->text,
            "%zu snapshots of an earlier day came in an unusual number (up to %u are usual); they are "
            "kept and not counted until somebody expires the wrong ones by name, or raises max_new",
            a->count, policy_usual(g->rules));
        return;
    case POLICY_ALARM_OVERDUE:
        (void)snprintf(
            a->text, sizeof a->text,
            "older than erase_after %s, and kept only because there is no newer one: back up again, or "
            "retire the writer so that it can go",
            erase);
        return;
    case POLICY_ALARM_HELD:
        (void)snprintf(a->text, sizeof a->text, "%zu %s older than erase_after %s, and held", a->count,
                       plural(a->count, "snapshot is", "snapshots are"), erase);
        return;
    case POLICY_ALARM_UNREADABLE:
        (void)snprintf(a->text, sizeof a->text,
                       "%zu %s cannot be read: kept, and judged by nobody; expire by name what is lost",
                       a->count, plural(a->count, "snapshot", "snapshots"));
        return;
    case POLICY_ALARM_SHARE:
        (void)snprintf(a->text, sizeof a->text, "%zu %s older than erase_after %s could not go in this run",
                       a->count, plural(a->count, "snapshot", "snapshots"), erase);
        return;
    }
}

int policy_alarm(const struct policy_group *g, enum policy_alarm_kind kind, size_t count, struct error *err)
{
    struct policy_alarm *a = vec_push(g->alarms, err);
    if (a == NULL)
        return E_NOMEM;
    a->kind = kind;
    a->count = count;
    if (g->n > 0) {
        memcpy(a->writer, g->items[0].s->writer, WRITER_ID_LEN);
        if (g->items[0].s->label != NULL)
            (void)snprintf(a->label, sizeof a->label, "%s", g->items[0].s->label);
    }
    alarm_text(g, a);
    return 0;
}
