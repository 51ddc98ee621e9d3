/* What the configuration says has to be true. */
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "restore/drill/internal.h"

#include "common/base/banned.h"

enum { TEXT_MAX = 400, LAST_MAX = 16 * 1024 * 1024 };

struct answer {
    const char *first; /* field of the first row, or NULL */
    size_t rows;
};

struct finding {
    bool good;
    bool unknown;
    char expected[TEXT_MAX];
    char found[TEXT_MAX];
};

static bool number_of(const char *text, double *out)
{
    char *end = NULL;
    if (text == NULL || *text == '\0')
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

static void by_value(const struct conf_assert *a, const struct answer *is, struct finding *f)
{
    (void)snprintf(f->expected, sizeof f->expected, "%s", a->text);
    (void)snprintf(f->found, sizeof f->found, "%s",
                   is->rows == 0       ? "no row"
                   : is->first != NULL ? is->first
                                       : "null");
    f->good = is->first != NULL && strcmp(is->first, a->text) == 0;
}

static void by_range(const struct conf_assert *a, const struct answer *is, struct finding *f)
{
    double v = 0;
    by_value(a, is, f);
    f->good = number_of(is->first, &v) && v >= a->min && v <= a->max;
}

static void by_regex(const struct conf_assert *a, const struct answer *is, struct finding *f)
{
    regex_t re;
    by_value(a, is, f);
    f->good = false;
    if (regcomp(&re, a->text, REG_EXTENDED | REG_NOSUB) != 0)
        return;
    f->good = is->first != NULL && regexec(&re, is->first, 0, NULL, 0) == 0;
    regfree(&re);
}

static void by_rows(const struct conf_assert *a, const struct answer *is, struct finding *f)
{
    (void)snprintf(f->expected, sizeof f->expected, "%s rows", a->text);
    (void)snprintf(f->found, sizeof f->found, "%zu rows", is->rows);
    f->good = (double)is->rows >= a->min && (double)is->rows <= a->max;
}

static void by_age(const struct drill *d, const struct conf_assert *a, const struct answer *is,
                   struct finding *f)
{
    char text[NUMBER_TEXT_MAX];
    char time[NUMBER_TEXT_MAX];
    uint64_t t = 0;
    (void)snprintf(f->expected, sizeof f->expected, "within %s of the snapshot of %s",
                   duration_format(text, a->within_ms), time_format(time, d->r->snapshot_time));
    (void)snprintf(f->found, sizeof f->found, "%s", is->first != NULL ? is->first : "nothing");
    f->good = is->first != NULL && drill_time_parse(is->first, &t) &&
              t + a->within_ms / 1000 >= d->r->snapshot_time &&
              t <= d->r->snapshot_time + a->within_ms / 1000;
}

/* ---- the drill before ---------------------------------------------------------------------------------------- */

char *drill_state_path(const struct drill *d, const char *name, struct error *err)
{
    char *dir = station_state_dir(&d->db.c.st, err);
    char *path = dir != NULL ? str_printf(err, "%s/drill-%s", dir, name) : NULL;
    free(dir);
    return path;
}

static char *last_path(const struct drill *d, struct error *err)
{
    char name[2 * CONF_NAME_MAX + 16];
    (void)snprintf(name, sizeof name, "%s.json", d->o->drill != NULL ? d->o->drill : d->r->job);
    return drill_state_path(d, name, err);
}

/* What the same question was answered; false: unknown. */
static bool previous(const struct drill *d, const char *sql, double *out)
{
    struct drill_result last;
    struct buf text = BUF_INIT;
    bool known = false;
    char *path = last_path(d, NULL);
    if (path != NULL && file_read_small(path, LAST_MAX, &text, NULL) == 0) {
        if (drill_result_from_json(text.data, text.len, &last, NULL) == 0)
            for (size_t i = 0; i < last.checks.len && !known; i++) {
                const struct drill_check *c = vec_at(&last.checks, i);
                known = strcmp(c->kind, "ratio") == 0 && c->subject != NULL && strcmp(c->subject, sql) == 0 &&
                        number_of(c->found, out);
            }
        drill_result_free(&last);
    }
    buf_free(&text);
    free(path);
    return known;
}

static void by_ratio(const struct drill *d, const struct conf_assert *a, const struct answer *is,
                     struct finding *f)
{
    double now = 0;
    double before = 0;
    bool number = number_of(is->first, &now);
    (void)snprintf(f->found, sizeof f->found, "%s", is->first != NULL ? is->first : "nothing");
    f->unknown = !previous(d, a->sql, &before);
    if (f->unknown)
        (void)snprintf(f->expected, sizeof f->expected,
                       "%s times what the drill before found, and there was none", a->text);
    else
        (void)snprintf(f->expected, sizeof f->expected, "%s times %g", a->text, before);
    f->good = number && (f->unknown || (now >= a->min * before && now <= a->max * before));
}

/* Only of a drill that passed: a table that was lost must not become what is usual. */
int drill_remember(const struct drill *d, struct error *err)
{
    struct buf text = BUF_INIT;
    struct error why = ERROR_INIT;
    bool ratio = false;
    for (size_t i = 0; i < d->o->nasserts; i++)
        ratio = ratio || d->o->asserts[i].kind == CONF_ASSERT_RATIO;
    /* Nor of a part, which may not have asked all of them. */
    char *path = ratio && d->r->verdict == DRILL_PASS && d->ntables == 0 ? last_path(d, &why) : NULL;
    char *dir = path != NULL ? path_dir(path, err) : NULL;
    int rc = dir != NULL ? dir_make_private(dir, err) : path != NULL ? E_NOMEM : 0;
    if (rc == 0 && path != NULL)
        rc = drill_result_to_json(d->r, &text, err);
    if (rc == 0 && path != NULL)
        rc = file_write_atomic(path, text.data, text.len, 0600, FILE_REPLACE, err);
    buf_free(&text);
    free(dir);
    free(path);
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

static int judge(struct drill *d, const struct conf_assert *a, const struct vec *rows, struct error *err)
{
    const struct drill_row *row = rows->len > 0 ? vec_at(rows, 0) : NULL;
    const struct answer is = { .first = row != NULL && row->n > 0 ? row->fields[0] : NULL,
                               .rows = rows->len };
    struct finding f = { .good = false };
    switch (a->kind) {
    case CONF_ASSERT_VALUE:
        by_value(a, &is, &f);
        break;
    case CONF_ASSERT_RANGE:
        by_range(a, &is, &f);
        break;
    case CONF_ASSERT_REGEX:
        by_regex(a, &is, &f);
        break;
    case CONF_ASSERT_ROWS:
        by_rows(a, &is, &f);
        break;
    case CONF_ASSERT_FRESH:
        by_age(d, a, &is, &f);
        break;
    case CONF_ASSERT_RATIO:
        by_ratio(d, a, &is, &f);
        break;
    }
    char shown[TEXT_MAX];
    const char *kind = a->kind == CONF_ASSERT_FRESH   ? "fresh"
                       : a->kind == CONF_ASSERT_RATIO ? "ratio"
                                                      : "assertion";
    return drill_note(d, kind, a->name != NULL ? a->name : "assertion", a->sql,
                      f.good ? DRILL_PASS : DRILL_FAIL, f.expected,
                      str_printable(shown, sizeof shown, f.found), NULL, err);
}

int drill_asserts(struct drill *d, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < d->o->nasserts; i++) {
        const struct conf_assert *a = &d->o->asserts[i];
        struct error why = ERROR_INIT;
        struct vec rows = VEC_OF(struct drill_row);
        int asked = d->s.engine != NULL ? drill_ask(d, a->sql, &rows, &why)
                                        : error_set(&why, E_UNSUPPORTED, "files cannot be asked");
        if (asked == E_CANCELLED || asked == E_NOMEM)
            rc = error_copy(err, &why);
        else if (asked < 0 && d->ntables != 0) /* perhaps a table that was not restored */
            rc = drill_note(d, "assertion", a->name != NULL ? a->name : "assertion", a->sql, DRILL_SKIPPED,
                            NULL, NULL, why.text, err);
        else if (asked < 0) /* a table that is missing, for one: what was promised is not there */
            rc = drill_note(d, "assertion", a->name != NULL ? a->name : "assertion", a->sql, DRILL_FAIL, NULL,
                            NULL, why.text, err);
        else
            rc = judge(d, a, &rows, err);
        drill_rows_free(&rows);
    }
    return rc;
}
