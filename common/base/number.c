#include "common/base/number.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/base/banned.h"

/* Reads decimal digits at *s; false when there are none or they overflow. */
static bool take_digits(const char **s, uint64_t *out)
{
    const char *p = *s;
    uint64_t v = 0;
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *s = p;
    *out = v;
    return true;
}

int number_parse(const char *s, uint64_t min, uint64_t max, uint64_t *out, struct error *err)
{
    const char *p = s;
    uint64_t v = 0;
    if (!take_digits(&p, &v) || *p != '\0')
        return error_set(err, E_USAGE, "'%s' is not a whole number", s);
    if (v < min || v > max)
        return error_set(err, E_USAGE, "%s is outside %llu..%llu", s, (unsigned long long)min,
                         (unsigned long long)max);
    *out = v;
    return 0;
}

int size_parse(const char *s, uint64_t *out, struct error *err)
{
    static const char units[] = "KMGT";
    const char *p = s;
    uint64_t v = 0;
    bool good = take_digits(&p, &v);
    const char *digits_end = p;
    while (good && *p == ' ')
        p++;
    good = good && (*p != '\0' || p == digits_end);
    const char *unit = good && *p != '\0' ? strchr(units, *p == 'k' ? 'K' : *p) : NULL;
    if (unit != NULL) {
        unsigned shift = (unsigned)(unit - units + 1) * 10;
        good = v <= UINT64_MAX >> shift;
        v <<= good ? shift : 0;
        p++;
    }
    good = good && (*p == '\0' || strcasecmp(p, "B") == 0 || (unit != NULL && strcasecmp(p, "iB") == 0));
    if (!good)
        return error_set(err, E_USAGE, "'%s' is not a size (like 512K, 16MiB or 2GiB)", s);
    *out = v;
    return 0;
}

static uint64_t seconds_of_unit(char c)
{
    switch (c) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 604800;
    case 'y':
        return 31536000;
    default:
        return 0;
    }
}

int duration_parse(const char *s, uint64_t *out, struct error *err)
{
    const char *p = s;
    uint64_t total = 0;
    bool good = *p != '\0';
    while (good && *p != '\0') {
        uint64_t v = 0;
        good = take_digits(&p, &v);
        uint64_t unit = good ? seconds_of_unit(*p) : 0;
        good = good && unit != 0 && v <= (UINT64_MAX - total) / unit;
        if (good) {
            total += v * unit;
            p++;
        }
    }
    if (!good)
        return error_set(err, E_USAGE, "'%s' is not a duration (like 90s, 15m, 6h, 7d, 4w or 1y)", s);
    *out = total;
    return 0;
}

const char *size_format(char out[NUMBER_TEXT_MAX], uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    double v = (double)bytes;
    size_t unit = 0;
    while (v >= 1023.95 && unit + 1 < sizeof units / sizeof units[0]) {
        v /= 1024;
        unit++;
    }
    (void)snprintf(out, NUMBER_TEXT_MAX, unit == 0 || v >= 99.95 ? "%.0f %s" : "%.1f %s", v, units[unit]);
    return out;
}

const char *duration_format(char out[NUMBER_TEXT_MAX], uint64_t milliseconds)
{
    uint64_t s = milliseconds / 1000;
    if (milliseconds < 59950) /* above, one decimal would round to 60.0 s */
        (void)snprintf(out, NUMBER_TEXT_MAX, "%.1f s", (double)milliseconds / 1000);
    else if (s < 60)
        (void)snprintf(out, NUMBER_TEXT_MAX, "1 min 00 s");
    else if (s < 3600)
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu min %02llu s", (unsigned long long)(s / 60),
                       (unsigned long long)(s % 60));
    else
        (void)snprintf(out, NUMBER_TEXT_MAX, "%llu h %02llu min", (unsigned long long)(s / 3600),
                       (unsigned long long)(s / 60 % 60));
    return out;
}

const char *plural(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

const char *count_format(char out[NUMBER_TEXT_MAX], uint64_t n)
{
    char plain[NUMBER_TEXT_MAX];
    int len = snprintf(plain, sizeof plain, "%llu", (unsigned long long)n);
    char *to = out;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = plain[i];
    }
    *to = '\0';
    return out;
}

const char *time_format(char out[NUMBER_TEXT_MAX], uint64_t seconds)
{
    struct tm tm;
    time_t t = (time_t)seconds;
    if (seconds > INT64_MAX || gmtime_r(&t, &tm) == NULL ||
        strftime(out, NUMBER_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)snprintf(out, NUMBER_TEXT_MAX, "@%llu", (unsigned long long)seconds);
    return out;
}
