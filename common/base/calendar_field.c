/* calendar_field.c - one field of an expression: *, numbers, names, lists, ranges, steps. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/calendar.h"
#include "common/base/calendar_internal.h"

#include "common/base/banned.h"

static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
                                      "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const weekdays[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };
static const char *const full_weekdays[] = { "sunday",   "monday", "tuesday",  "wednesday",
                                             "thursday", "friday", "saturday", NULL };

const struct calendar_field calendar_minute = { .name = "minute", .min = 0, .max = 59 };
const struct calendar_field calendar_hour = { .name = "hour", .min = 0, .max = 23 };
const struct calendar_field calendar_month_day = { .name = "day of the month", .min = 1, .max = 31 };
const struct calendar_field calendar_before_end = { .name = "day before the end of the month",
                                                    .min = 1,
                                                    .max = 31 };
const struct calendar_field calendar_month = { .name = "month", .min = 1, .max = 12, .words = months };
/* Sunday is 0 and 7. */
const struct calendar_field calendar_weekday = {
    .name = "day of the week", .min = 0, .max = 7, .words = weekdays, .wraps = true
};
const struct calendar_field calendar_year = {
    .name = "year", .min = CALENDAR_YEAR_FIRST, .max = CALENDAR_YEAR_LAST, .base = CALENDAR_YEAR_FIRST
};
const struct calendar_field calendar_second = { .name = "second", .min = 0, .max = 59 };

static int refuse(const struct calendar_field *f, const char *text, size_t len, struct error *err)
{
    return error_set(err, E_USAGE, "'%.*s' is no %s (%d..%d%s)", (int)(len > 64 ? 64 : len), text, f->name,
                     f->min, f->max, f->words != NULL ? ", or a name of three letters" : "");
}

/* Days of the week may be written out. */
static int word_value(const struct calendar_field *f, const char *text, size_t len)
{
    for (int i = 0; f->words != NULL && f->words[i] != NULL; i++)
        if ((len == 3 && strncasecmp(text, f->words[i], 3) == 0) ||
            (f == &calendar_weekday && len == strlen(full_weekdays[i]) &&
             strncasecmp(text, full_weekdays[i], len) == 0))
            return f->min + i;
    return -1;
}

/* A number or a name; -1: neither, or out of range. */
static int value(const struct calendar_field *f, const char *text, size_t len)
{
    int n = 0;
    if (len == 0 || len > 9)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return word_value(f, text, len);
        n = n * 10 + (text[i] - '0');
    }
    return n >= f->min && n <= f->max ? n : -1;
}

static void mark(const struct calendar_field *f, int v, uint64_t *bits)
{
    int bit = (f == &calendar_weekday && v == 7 ? 0 : v) - f->base;
    bits[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* first..last by step; a range that wraps goes on at the beginning. */
static int fill(const struct calendar_field *f, int first, int last, int step, uint64_t *bits)
{
    /* The eighth day of the week is the first one again. */
    int length = f == &calendar_weekday ? 7 : f->max - f->min + 1;
    if (last < first) {
        if (!f->wraps)
            return -1;
        last += length;
    }
    for (int v = first; v <= last; v += step)
        mark(f, v > f->max ? v - length : v, bits);
    return 0;
}

static int item(const struct calendar_field *f, const char *text, size_t len, const char *range,
                uint64_t *bits, struct error *err)
{
    const char *slash = memchr(text, '/', len);
    size_t head = slash != NULL ? (size_t)(slash - text) : len;
    int step = 1;
    if (slash != NULL) {
        size_t digits = strspn(slash + 1, "0123456789");
        if (digits == 0 || digits > 4 || digits != len - head - 1)
            return error_set(err, E_USAGE, "'%.*s': a step is a number, as in */15", (int)len, text);
        step = 0;
        for (size_t i = 0; i < digits; i++)
            step = step * 10 + (slash[1 + i] - '0');
        if (step == 0)
            return error_set(err, E_USAGE, "'%.*s': a step of 0 leads nowhere", (int)len, text);
    }
    if (head == 1 && text[0] == '*')
        return fill(f, f->min, f == &calendar_weekday ? 6 : f->max, step, bits);
    const char *between = memmem(text, head, range, strlen(range));
    size_t left = between != NULL ? (size_t)(between - text) : head;
    int first = value(f, text, left);
    int last = first;
    if (between != NULL)
        last = value(f, between + strlen(range), head - left - strlen(range));
    else if (slash != NULL)
        last = f == &calendar_weekday ? 6 : f->max;
    if (first < 0 || last < 0)
        return refuse(f, text, len, err);
    if (fill(f, first, last, step, bits) < 0)
        return error_set(err, E_USAGE, "'%.*s': a range of a %s runs upward", (int)len, text, f->name);
    return 0;
}

int calendar_set(const struct calendar_field *f, const char *text, size_t len, const char *range,
                 uint64_t *bits, bool *all, struct error *err)
{
    if (all != NULL)
        *all = len > 0 && text[0] == '*';
    const char *end = text + len;
    for (const char *p = text;; p++) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma != NULL ? comma : end;
        if (stop == p)
            return refuse(f, text, len, err);
        int rc = item(f, p, (size_t)(stop - p), range, bits, err);
        if (rc < 0 || comma == NULL)
            return rc;
        p = comma;
    }
}
