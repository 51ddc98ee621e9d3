#include "restore/drill/result.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

static const char *const verdicts[] = { [DRILL_PASS] = "pass",
                                        [DRILL_FAIL] = "fail",
                                        [DRILL_COULD_NOT_RUN] = "could_not_run",
                                        [DRILL_SKIPPED] = "skipped" };

const char *drill_verdict_name(enum drill_verdict v)
{
    return verdicts[v];
}

bool drill_verdict_parse(const char *name, enum drill_verdict *out)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (strcmp(name, verdicts[i]) == 0) {
            *out = (enum drill_verdict)i;
            return true;
        }
    return false;
}

void drill_result_init(struct drill_result *r)
{
    *r = (struct drill_result){ .checks = VEC_OF(struct drill_check),
                                .masked = VEC_OF(struct drill_masked),
                                .tables = VEC_OF(char *) };
}

static void free_check(struct drill_check *c)
{
    free(c->name);
    free(c->kind);
    free(c->subject);
    free(c->expected);
    free(c->found);
    free(c->text);
}

void drill_result_free(struct drill_result *r)
{
    char **texts[] = { &r->drill,          &r->host,      &r->snapshot, &r->job,
                       &r->engine,         &r->reason,    &r->cure,     &r->tool_version,
                       &r->server_version, &r->isolation, &r->connect,  &r->database };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(*texts[i]);
    for (size_t i = 0; i < r->checks.len; i++)
        free_check(vec_at(&r->checks, i));
    for (size_t i = 0; i < r->masked.len; i++) {
        struct drill_masked *m = vec_at(&r->masked, i);
        free(m->table);
        free(m->column);
        free(m->rule);
    }
    for (size_t i = 0; i < r->tables.len; i++)
        free(*(char **)vec_at(&r->tables, i));
    vec_free(&r->checks);
    vec_free(&r->masked);
    vec_free(&r->tables);
    drill_result_init(r);
}

int drill_text(char **slot, const char *value, struct error *err)
{
    char *copy = value != NULL ? str_dup(value, err) : NULL;
    if (value != NULL && copy == NULL)
        return E_NOMEM;
    free(*slot);
    *slot = copy;
    return 0;
}

int drill_check_add(struct drill_result *r, const char *kind, const char *name, const char *subject,
                    enum drill_verdict verdict, const struct drill_detail *detail, struct error *err)
{
    static const struct drill_detail none;
    struct drill_check *c = vec_push(&r->checks, err);
    if (c == NULL)
        return E_NOMEM;
    detail = detail != NULL ? detail : &none;
    c->verdict = verdict;
    c->ms = detail->ms;
    int rc = drill_text(&c->kind, kind, err);
    rc = rc < 0 ? rc : drill_text(&c->name, name, err);
    rc = rc < 0 ? rc : drill_text(&c->subject, subject, err);
    rc = rc < 0 ? rc : drill_text(&c->expected, detail->expected, err);
    rc = rc < 0 ? rc : drill_text(&c->found, detail->found, err);
    return rc < 0 ? rc : drill_text(&c->text, detail->text, err);
}

size_t drill_check_count(const struct drill_result *r, enum drill_verdict verdict)
{
    size_t n = 0;
    for (size_t i = 0; i < r->checks.len; i++)
        n += ((const struct drill_check *)vec_at(&r->checks, i))->verdict == verdict;
    return n;
}

static char *sentence(const struct drill_check *c, struct error *err)
{
    const char *colon = c->subject != NULL ? ": " : "";
    const char *subject = c->subject != NULL ? c->subject : "";
    if (c->text != NULL)
        return str_printf(err, "%s%s%s: %s", c->name, colon, subject, c->text);
    if (c->expected != NULL && c->found != NULL)
        return str_printf(err, "%s%s%s: %s, expected %s", c->name, colon, subject, c->found, c->expected);
    return str_printf(err, "%s%s%s", c->name, colon, subject);
}

int drill_result_settle(struct drill_result *r, struct error *err)
{
    if (r->verdict == DRILL_COULD_NOT_RUN)
        return 0;
    for (size_t i = 0; i < r->checks.len; i++) {
        const struct drill_check *c = vec_at(&r->checks, i);
        if (c->verdict != DRILL_FAIL)
            continue;
        r->verdict = DRILL_FAIL;
        if (r->reason == NULL && (r->reason = sentence(c, err)) == NULL)
            return E_NOMEM;
    }
    return 0;
}
