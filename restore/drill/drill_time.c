/* Times as databases write them; how fresh the rows were. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "restore/drill/internal.h"

#include "common/base/banned.h"

enum { DAY = 86400 };

static bool number_at(const char **at, size_t digits, int *out)
{
    *out = 0;
    for (size_t i = 0; i < digits; i++, ++*at) {
        if (!isdigit((unsigned char)**at))
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

/* "+02", "+02:00", "+0200", "Z", "" */
static bool zone_at(const char *at, long *seconds)
{
    int hours = 0;
    int minutes = 0;
    *seconds = 0;
    at += *at == ' ';
    if (*at == '\0' || strcmp(at, "Z") == 0 || strcmp(at, "UTC") == 0)
        return true;
    long sign = *at == '-' ? -1 : 1;
    if (*at != '+' && *at != '-')
        return false;
    at++;
    if (!number_at(&at, 2, &hours))
        return false;
    at += *at == ':';
    if (*at != '\0' && !number_at(&at, 2, &minutes))
        return false;
    *seconds = sign * (hours * 3600L + minutes * 60L);
    return *at == '\0';
}

bool drill_time_parse(const char *text, uint64_t *out)
{
    struct tm tm = { 0 };
    long zone = 0;
    const char *at = text;
    if (strspn(text, "0123456789.") == strlen(text) && strlen(text) >= 9) { /* seconds since 1970 */
        *out = strtoull(text, NULL, 10);
        return true;
    }
    if (!number_at(&at, 4, &tm.tm_year) || *at++ != '-' || !number_at(&at, 2, &tm.tm_mon) || *at++ != '-' ||
        !number_at(&at, 2, &tm.tm_mday))
        return false;
    if (*at == ' ' || *at == 'T') {
        at++;
        if (!number_at(&at, 2, &tm.tm_hour) || *at++ != ':' || !number_at(&at, 2, &tm.tm_min))
            return false;
        bool seconds = *at == ':';
        at += seconds;
        if (seconds && !number_at(&at, 2, &tm.tm_sec))
            return false;
        if (*at == '.')
            at += 1 + strspn(at + 1, "0123456789");
    }
    if (!zone_at(at, &zone))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    time_t t = timegm(&tm);
    *out = t - zone > 0 ? (uint64_t)(t - zone) : 0;
    return t != (time_t)-1;
}

static void take_newest(const char *key, size_t key_len, const char *value, size_t value_len, void *arg)
{
    static const char mark[] = "newest_";
    uint64_t *newest = arg;
    uint64_t t = 0;
    char text[128];
    if (key_len <= sizeof mark - 1 || strncmp(key, mark, sizeof mark - 1) != 0)
        return;
    (void)snprintf(text, sizeof text, "%.*s", (int)value_len, value);
    if (drill_time_parse(text, &t) && t > *newest)
        *newest = t;
}

/* The newest row of the columns that the job names (`freshness`), when the backup was made. */
int drill_freshness(struct drill *d, struct error *err)
{
    uint64_t newest = 0;
    (void)err;
    for (size_t i = 0; i < d->db.m.list.len; i++)
        fact_each(((const struct member_item *)vec_at(&d->db.m.list, i))->facts, take_newest, &newest);
    if (newest == 0)
        return 0;
    d->r->rpo_known = true;
    d->r->rpo_seconds = d->r->snapshot_time > newest ? d->r->snapshot_time - newest : 0;
    return 0;
}
