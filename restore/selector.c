/* The words of a selector (see select.h). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "restore/select.h"

#include "common/base/banned.h"

enum { HASH_DIGITS_MIN = 6 };

static bool all_of(const char *s, const char *set)
{
    return s[0] != '\0' && s[strspn(s, set)] == '\0';
}

/* Exactly n digits at *s as a number; moves on. */
static bool digits(const char **s, unsigned n, int *out)
{
    *out = 0;
    for (unsigned i = 0; i < n; i++, (*s)++) {
        if (!isdigit((unsigned char)**s))
            return false;
        *out = *out * 10 + (**s - '0');
    }
    return true;
}

static bool skip(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

/* What a date leaves out is taken to its end: a day to 23:59:59, a minute to its second 59. */
static bool parse_time(const char *s, uint64_t *out)
{
    struct tm t = { .tm_hour = 23, .tm_min = 59, .tm_sec = 59 };
    int year = 0;
    int month = 0;
    if (!digits(&s, 4, &year) || !skip(&s, '-') || !digits(&s, 2, &month) || !skip(&s, '-') ||
        !digits(&s, 2, &t.tm_mday))
        return false;
    if (*s == 'T' || *s == ' ') {
        s++;
        if (!digits(&s, 2, &t.tm_hour) || !skip(&s, ':') || !digits(&s, 2, &t.tm_min))
            return false;
        if (skip(&s, ':') && !digits(&s, 2, &t.tm_sec))
            return false;
        (void)skip(&s, 'Z');
    }
    t.tm_year = year - 1900;
    t.tm_mon = month - 1;
    struct tm asked = t;
    time_t seconds = timegm(&t);
    bool exists = t.tm_mon == asked.tm_mon && t.tm_mday == asked.tm_mday && t.tm_hour == asked.tm_hour &&
                  t.tm_min == asked.tm_min && t.tm_sec == asked.tm_sec;
    if (*s != '\0' || !exists || seconds < 0)
        return false;
    *out = (uint64_t)seconds;
    return true;
}

static int parse_latest(const char *s, struct selector *out, struct error *err)
{
    out->kind = SELECT_LATEST;
    out->back = 0;
    if (*s == '\0')
        return 0;
    if (*s != '~' || number_parse(s + 1, 0, SEQ_MAX, &out->back, NULL) < 0)
        return error_set(err, E_USAGE, "after `latest` only ~N is possible, as in latest~1");
    return 0;
}

static int no_selector(const char *text, struct error *err)
{
    char shown[128];
    return error_set(err, E_USAGE,
                     "\"%s\" names no snapshot: use JOB/NUMBER, latest, latest~1, a date like 2026-11-24 or "
                     "2026-11-24T02:30, or at least %d hex digits of a receipt; `restore list` shows them",
                     str_printable(shown, sizeof shown, text), HASH_DIGITS_MIN);
}

/* The word without its job. */
static int parse_word(const char *word, const char *text, bool has_job, struct selector *out,
                      struct error *err)
{
    size_t len = strlen(word);
    if (str_starts(word, "latest"))
        return parse_latest(word + strlen("latest"), out, err);
    if (parse_time(word, &out->time)) {
        out->kind = SELECT_TIME;
        return 0;
    }
    bool number = all_of(word, "0123456789");
    if (number && has_job) {
        out->kind = SELECT_NUMBER;
        return number_parse(word, 1, SESSION_MAX, &out->number, NULL) < 0 ? no_selector(text, err) : 0;
    }
    if (!all_of(word, "0123456789abcdefABCDEF") || len < HASH_DIGITS_MIN || len >= sizeof out->hex)
        return no_selector(text, err);
    out->kind = SELECT_HASH;
    for (size_t i = 0; i <= len; i++)
        out->hex[i] = (char)tolower((unsigned char)word[i]);
    return 0;
}

static int set_job(struct selector *out, const char *job, size_t len, struct error *err)
{
    if (len == 0 || len > LABEL_MAX)
        return error_set(err, E_USAGE, "the name of a job has 1 to %d bytes", LABEL_MAX);
    memcpy(out->job, job, len);
    out->job[len] = '\0';
    return 0;
}

int selector_parse(const char *text, const char *job, struct selector *out, struct error *err)
{
    const char *slash = strrchr(text, '/');
    const char *word = slash != NULL ? slash + 1 : text;
    int rc = 0;
    memset(out, 0, sizeof *out);
    if (job != NULL)
        rc = set_job(out, job, strlen(job), err);
    if (rc == 0 && slash != NULL)
        rc = set_job(out, text, (size_t)(slash - text), err);
    if (rc == 0 && slash != NULL && job != NULL && strcmp(job, out->job) != 0)
        rc = error_set(err, E_USAGE, "--job %s does not fit the snapshot's name %s", job, text);
    return rc < 0 ? rc : parse_word(word, text, out->job[0] != '\0', out, err);
}
