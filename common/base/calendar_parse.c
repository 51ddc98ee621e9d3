/* calendar_parse.c - cron's five fields, systemd's calendar, the usual words, intervals. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"
#include "common/base/calendar.h"
#include "common/base/calendar_internal.h"
#include "common/base/number.h"

#include "common/base/banned.h"

enum { PARTS_MAX = 5 };

struct part {
    const char *text;
    size_t len;
};

static size_t split(const char *text, struct part *parts, size_t max)
{
    size_t n = 0;
    for (const char *p = text; *p != '\0';) {
        p += strspn(p, " \t");
        size_t len = strcspn(p, " \t");
        if (len == 0)
            break;
        if (n == max)
            return max + 1;
        parts[n++] = (struct part){ p, len };
        p += len;
    }
    return n;
}

static void everything(struct calendar *c)
{
    c->minutes = (UINT64_C(1) << 60) - 1;
    c->hours = (1U << 24) - 1;
    c->month_days = UINT32_MAX & ~1U;
    c->months = 0x1ffe;
    c->weekdays = 0x7f;
    c->all_years = true;
}

/* ---- cron ---------------------------------------------------------------------------------------------------- */

static int parse_cron(const struct part part[5], struct calendar *c, struct error *err)
{
    static const struct calendar_field *const fields[] = { &calendar_minute, &calendar_hour,
                                                           &calendar_month_day, &calendar_month,
                                                           &calendar_weekday };
    uint64_t bits[5] = { 0 };
    bool all[5] = { false };
    for (size_t i = 0; i < 5; i++) {
        int rc = calendar_set(fields[i], part[i].text, part[i].len, "-", &bits[i], &all[i], err);
        if (rc < 0)
            return rc;
    }
    c->minutes = bits[0];
    c->hours = (uint32_t)bits[1];
    c->month_days = (uint32_t)bits[2];
    c->months = (uint16_t)bits[3];
    c->weekdays = (uint8_t)bits[4];
    c->either_day = !all[2] && !all[4];
    c->all_years = true;
    return 0;
}

/* ---- systemd -------------------------------------------------------------------------------------------------- */

static int parse_weekdays(const struct part *p, struct calendar *c, struct error *err)
{
    uint64_t bits = 0;
    /* systemd takes a dash, too. */
    const char *range = memmem(p->text, p->len, "..", 2) != NULL ? ".." : "-";
    int rc = calendar_set(&calendar_weekday, p->text, p->len, range, &bits, NULL, err);
    c->weekdays = (uint8_t)bits;
    return rc;
}

static int parse_years(const char *text, size_t len, struct calendar *c, struct error *err)
{
    c->all_years = len == 1 && text[0] == '*';
    return c->all_years ? 0 : calendar_set(&calendar_year, text, len, "..", c->years, NULL, err);
}

/* [YEAR-]MONTH-DAY, or ~DAY counted from the end of the month. */
static int parse_date(const struct part *p, struct calendar *c, struct error *err)
{
    const char *end = p->text + p->len;
    const char *cut[3] = { NULL };
    size_t n = 0;
    for (const char *at = p->text; at < end; at++)
        if (*at == '-' || *at == '~') {
            if (n == 2)
                return error_set(err, E_USAGE, "'%.*s' is no date; use *-*-01, 12-24 or *-*~1", (int)p->len,
                                 p->text);
            cut[n++] = at;
        }
    if (n == 2 && *cut[0] == '~')
        return error_set(err, E_USAGE, "'%.*s': ~ stands before the day", (int)p->len, p->text);
    const char *month = n == 2 ? cut[0] + 1 : p->text;
    const char *day = cut[n - 1] + 1;
    bool from_end = *cut[n - 1] == '~';
    uint64_t bits = 0;
    int rc = n == 2 ? parse_years(p->text, (size_t)(cut[0] - p->text), c, err) : 0;
    if (rc == 0)
        rc = calendar_set(&calendar_month, month, (size_t)(cut[n - 1] - month), "..", &bits, NULL, err);
    c->months = (uint16_t)bits;
    bits = 0;
    if (rc == 0)
        rc = calendar_set(from_end ? &calendar_before_end : &calendar_month_day, day, (size_t)(end - day),
                          "..", &bits, NULL, err);
    if (from_end)
        c->days_before_end = (uint32_t)bits;
    else
        c->month_days = (uint32_t)bits;
    return rc;
}

static int parse_second(const char *text, size_t len, struct calendar *c, struct error *err)
{
    uint64_t bits = 0;
    int rc = calendar_set(&calendar_second, text, len, "..", &bits, NULL, err);
    if (rc < 0)
        return rc;
    if ((bits & (bits - 1)) != 0)
        return error_set(err, E_USAGE,
                         "'%.*s': seconds are one number; nothing is due more often than once a minute",
                         (int)len, text);
    while (((bits >> c->second) & 1) == 0)
        c->second++;
    return 0;
}

static int parse_time(const struct part *p, struct calendar *c, struct error *err)
{
    const char *end = p->text + p->len;
    const char *colon = memchr(p->text, ':', p->len);
    const char *minute = colon + 1;
    const char *second = memchr(minute, ':', (size_t)(end - minute));
    uint64_t bits = 0;
    int rc = calendar_set(&calendar_hour, p->text, (size_t)(colon - p->text), "..", &bits, NULL, err);
    c->hours = (uint32_t)bits;
    c->minutes = 0;
    if (rc == 0)
        rc = calendar_set(&calendar_minute, minute, (size_t)((second != NULL ? second : end) - minute), "..",
                          &c->minutes, NULL, err);
    if (rc == 0 && second != NULL)
        rc = parse_second(second + 1, (size_t)(end - second - 1), c, err);
    return rc;
}

static int parse_systemd(const struct part *part, size_t n, struct calendar *c, struct error *err)
{
    /* Each part at most once, in this order. */
    enum { DAYS, DATE, TIME, END } stage = DAYS;
    everything(c);
    c->hours = 1;
    c->minutes = 1;
    for (size_t i = 0; i < n; i++) {
        const struct part *p = &part[i];
        bool alpha = isalpha((unsigned char)p->text[0]) != 0;
        int rc = 0;
        if (memchr(p->text, ':', p->len) != NULL && stage <= TIME) {
            rc = parse_time(p, c, err);
            stage = END;
        } else if (!alpha && stage <= DATE &&
                   (memchr(p->text, '-', p->len) != NULL || memchr(p->text, '~', p->len) != NULL)) {
            rc = parse_date(p, c, err);
            stage = TIME;
        } else if (alpha && stage == DAYS) {
            rc = parse_weekdays(p, c, err);
            stage = DATE;
        } else if (alpha && stage == END) {
            return error_set(err, E_USAGE, "'%.*s': the time zone is set once, for the whole daemon",
                             (int)p->len, p->text);
        } else {
            return error_set(
                err, E_USAGE,
                "'%.*s' is not expected there: cron has five fields, a calendar days, date and time",
                (int)p->len, p->text);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- words and intervals ---------------------------------------------------------------------------------------- */

static const char *word_meaning(const char *word)
{
    static const struct {
        const char *word;
        const char *means;
    } words[] = {
        { "hourly", "0 * * * *" },   { "daily", "0 0 * * *" },    { "midnight", "0 0 * * *" },
        { "weekly", "0 0 * * 1" },   { "monthly", "0 0 1 * *" },  { "quarterly", "0 0 1 1,4,7,10 *" },
        { "yearly", "0 0 1 1 *" },   { "annually", "0 0 1 1 *" }, { "semiannually", "0 0 1 1,7 *" },
        { "minutely", "* * * * *" },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(word, words[i].word) == 0)
            return words[i].means;
    return NULL;
}

static int parse_interval(const char *text, struct calendar *c, struct error *err)
{
    int rc = duration_parse(text, &c->interval, err);
    if (rc < 0)
        return error_wrap(err, "an interval is a duration like 6h or 90m");
    if (c->interval < CALENDAR_INTERVAL_MIN || c->interval > CALENDAR_INTERVAL_MAX)
        return error_set(err, E_USAGE, "'%s': an interval is 1 minute to 366 days", text);
    return 0;
}

static int parse(const char *text, struct calendar *c, struct error *err)
{
    struct part part[PARTS_MAX];
    const char *p = text + (text[0] == '@' ? 1 : 0);
    if (strncasecmp(p, "every ", 6) == 0)
        return parse_interval(p + 6 + strspn(p + 6, " "), c, err);
    if (strcasecmp(p, "reboot") == 0)
        return error_set(err, E_USAGE,
                         "@reboot is no time; catch_up_within makes up for runs that were missed");
    const char *means = word_meaning(p);
    /* cron's week begins on Sunday, systemd's on Monday. */
    if (p != text && strcasecmp(p, "weekly") == 0)
        means = "0 0 * * 0";
    if (means == NULL && text[0] == '@')
        return error_set(err, E_USAGE,
                         "there is no '%.64s'; use @hourly, @daily, @weekly, @monthly, @yearly, or @every 6h",
                         text);
    size_t n = split(means != NULL ? means : text, part, PARTS_MAX);
    if (n == PARTS_MAX)
        return parse_cron(part, c, err);
    if (n == 0 || n > 3)
        return error_set(err, E_USAGE, "%s: cron has five fields, a calendar at most days, date and time",
                         n == 0 ? "there is no time" : "too few or too many fields");
    return parse_systemd(part, n, c, err);
}

int calendar_parse(const char *text, struct calendar **out, struct error *err)
{
    *out = NULL;
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    if (len > CALENDAR_TEXT_MAX)
        return error_set(err, E_USAGE, "a schedule has at most %d characters", (int)CALENDAR_TEXT_MAX);
    char trimmed[CALENDAR_TEXT_MAX + 1];
    (void)memcpy(trimmed, text, len);
    trimmed[len] = '\0';
    struct calendar *c = mem_alloc(1, sizeof *c, err);
    if (c == NULL)
        return E_NOMEM;
    int rc = parse(trimmed, c, err);
    if (rc == 0)
        rc = calendar_check_comes(c, err);
    if (rc < 0) {
        free(c);
        return error_wrap(err, "schedule '%s'", trimmed);
    }
    *out = c;
    return 0;
}

void calendar_free(struct calendar *c)
{
    free(c);
}
